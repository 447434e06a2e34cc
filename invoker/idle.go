package invoker

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// idleTime is how long a process may take before it counts as one that reads or writes.
const idleTime = time.Second

// Idle implements control.Host. It starts a process and gives it up as soon as it reads or writes, so that a function
// as it should be costs no more than its start. A function with grants is never idle: what it does can be in their
// files, which this process does not have, so it would end early.
func (h host) Idle(ctx context.Context, m *protocol.Function) bool {
	if len(m.Grants) > 0 {
		return false
	}
	p, err := h.loader.program(ctx, m)
	if err != nil {
		return false
	}
	defer h.loader.programs.Release(p)
	if kind := p.Start().Kind; kind == runtimes.StartPrefork || kind == runtimes.StartCheckpoint {
		return false // it waits where it first reads stdin, and the first call is to find it there
	}
	ctx, cancel := context.WithTimeout(ctx, idleTime)
	defer cancel()
	s, t := newVersion(m), &touch{giveUp: cancel}
	subject := protocol.RootCall + "." + m.Name
	r := protocol.Request{Function: m.Ref(), Subject: subject, Deadline: time.Now().Add(idleTime)}
	env := s.env
	if m.Meta == protocol.MetaEnv {
		if env, err = r.Env(""); err != nil {
			return false
		}
		env = append(env, s.env...)
	}
	err = p.Run(ctx, &runtimes.Process{Args: s.args, Env: env, Stdin: t, Stdout: t, Stderr: io.Discard,
		Files: files.Static(r.Files(func() string { return "" }))})
	return ended(err) && !t.touched.Load()
}

// ended reports whether a process has ended by itself, well or not. A process can run out of time before its context
// says so, so the context alone does not show that.
func ended(err error) bool {
	var exit *runtimes.ExitError
	var trap *runtimes.TrapError
	return err == nil || errors.As(err, &exit) || errors.As(err, &trap)
}

// touch is a stdin and a stdout that end the process at their first use.
type touch struct {
	touched atomic.Bool
	giveUp  func()
}

// Read implements io.Reader: there is nothing to read.
func (t *touch) Read([]byte) (int, error) {
	t.use()
	return 0, io.EOF
}

// Write implements io.Writer: all is thrown away.
func (t *touch) Write(b []byte) (int, error) {
	t.use()
	return len(b), nil
}

func (t *touch) use() {
	t.touched.Store(true)
	t.giveUp()
}
