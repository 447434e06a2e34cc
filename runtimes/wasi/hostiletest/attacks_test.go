package hostiletest

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// attack is a call that means harm.
type attack struct {
	name  string
	guest guest
	want  ending

	stdin  func() io.Reader // nil is empty
	stdout io.Writer        // nil takes 1 MiB
	args   []string
}

// ending is how a call has to end.
type ending struct {
	what string
	is   func(error) bool
}

// The endings.
func deadline() ending {
	return ending{"the deadline", func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }}
}

func well() ending { return ending{"well", func(err error) bool { return err == nil }} }

func output() ending {
	return ending{"the output limit", func(err error) bool { return errors.Is(err, runtimes.ErrOutput) }}
}

func memoryLimit() ending {
	return ending{"the memory limit", func(err error) bool { return errors.Is(err, runtimes.ErrMemory) }}
}

func trapped(reason string) ending {
	return ending{"a trap: " + reason, func(err error) bool {
		var t *runtimes.TrapError
		return errors.As(err, &t) && strings.Contains(t.Reason, reason)
	}}
}

func exits(code uint32) ending {
	return ending{"an exit", func(err error) bool {
		var e *runtimes.ExitError
		return errors.As(err, &e) && e.Code == code
	}}
}

// either is one of two endings: which one is a matter of how fast the machine is.
func either(a, b ending) ending {
	return ending{a.what + " or " + b.what, func(err error) bool { return a.is(err) || b.is(err) }}
}

// tooDeep is the stack's end, unless the deadline comes first: a slow machine, or a stack that the engine has to
// enlarge.
func tooDeep() ending { return either(trapped("stack overflow"), deadline()) }

// attacks returns all of them. Those that are after memory use so many pages.
func attacks(pages int) (all []attack) {
	for _, of := range []func(pages int) []attack{
		loops, recursions, slowInstructions, exceptions, memories, tables, traps, births, waits, streams, fileCalls,
		strange,
	} {
		all = append(all, of(pages)...)
	}
	return all
}

// process returns a process for one run of a call.
func (c *attack) process() *runtimes.Process {
	p := &runtimes.Process{Args: c.args, Stdout: c.stdout, Files: files.Static(request())}
	if c.args == nil {
		p.Args = []string{"fn"}
	}
	if c.stdin != nil {
		p.Stdin = c.stdin()
	}
	if p.Stdout == nil {
		p.Stdout = &runtimes.CapWriter{W: io.Discard, N: 1 << 20}
	}
	p.Stderr = &runtimes.CapWriter{W: io.Discard, N: 1 << 20}
	return p
}

// request is a folder with as much as a request may bring along.
func request() files.Map {
	f := files.Map{"id": []byte("42"), "subject": []byte(strings.Repeat("x", 1<<20))}
	for _, n := range numbers(100) {
		f["headers/X"+hexOf(n)] = []byte("value")
	}
	return f
}

// hexOf returns the bytes of s as text.
func hexOf(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteByte("0123456789abcdef"[c>>4])
		b.WriteByte("0123456789abcdef"[c&15])
	}
	return b.String()
}
