package project

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

const (
	// keepOutput is how much of a command's output is kept.
	keepOutput = 64 << 10
	// killDelay is how long a command that was killed may hold its output open.
	killDelay = 2 * time.Second
)

// A command is a program to run.
type command struct {
	dir   string
	args  []string // the program and its arguments
	env   []string // the whole environment; nil: this process's
	input string
}

// output runs a command and returns the end of what it has written on stdout and stderr. It ends with ctx, and all
// that it has started with it.
func output(ctx context.Context, c command) ([]byte, error) {
	var said tail
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.dir, c.env, strings.NewReader(c.input), &said, &said
	cmd.WaitDelay = killDelay
	together(cmd)
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		err = fmt.Errorf("exit code %d", exit.ExitCode())
	}
	return said.bytes(), err
}

// tail keeps the end of what is written to it.
type tail struct {
	b   []byte
	cut bool
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if n := len(t.b) - keepOutput; n > keepOutput { // moved once in a while, not at every write
		t.b, t.cut = append(t.b[:0], t.b[n:]...), true
	}
	return len(p), nil
}

// bytes returns what was kept.
func (t *tail) bytes() []byte {
	if n := len(t.b) - keepOutput; n > 0 {
		t.b, t.cut = t.b[n:], true
	}
	if t.cut {
		return append([]byte("...\n"), t.b...)
	}
	return t.b
}
