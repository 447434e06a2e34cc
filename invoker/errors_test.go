package invoker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/exhausted"
)

// faulty is a runtime that fails as it is told.
type faulty struct {
	runtimes.Runtime
	compile, run atomic.Pointer[error]
}

func fault(p *atomic.Pointer[error]) error {
	if err := p.Load(); err != nil {
		return *err
	}
	return nil
}

func (r *faulty) Compile(context.Context, []byte, runtimes.Options) (runtimes.Program, error) {
	if err := fault(&r.compile); err != nil {
		return nil, err
	}
	return faultyProgram{r}, nil
}

type faultyProgram struct{ r *faulty }

func (p faultyProgram) Run(_ context.Context, c *runtimes.Process) error {
	if _, err := io.Copy(c.Stdout, c.Stdin); err != nil {
		return err
	}
	if err := fault(&p.r.run); err != nil {
		_, _ = c.Stderr.Write([]byte("it fails\n"))
		return err
	}
	_, err := c.Stdout.Write([]byte("fine"))
	return err
}

func (faultyProgram) Start() runtimes.Start       { return runtimes.Start{} }
func (faultyProgram) Close(context.Context) error { return nil }

// TestErrors has everything go wrong that can go wrong below, and reads what callers and deployers are told: a code,
// and a text that names what is wrong or the id under which the log does. Afterwards all works.
func TestErrors(t *testing.T) {
	s := startServer(t)
	r := &faulty{}
	v := startInvoker(t, s, func(v *invoker.Invoker) { v.Runtime = r })
	nc := connect(t, s)
	deploy(t, nc, protocol.Function{Name: "f"}, []byte("module"))
	for i, c := range []struct {
		err    error
		code   int
		text   string
		logged bool
	}{
		{errors.New("secret"), 500, "internal error", true},
		{fmt.Errorf("mmap: %w", syscall.ENOMEM), 503, "no more", true},
		{&exhausted.Error{Resource: "patience", Remedy: "wait"}, 503, "no more patience: wait", true},
		{fmt.Errorf("pipe: %w", syscall.EMFILE), 503, "file descriptors", true},
		{&fs.PathError{Op: "write", Path: "/x", Err: syscall.ENOSPC}, 503, "disk space", true},
		{&fs.PathError{Op: "fork/exec", Path: "/x", Err: syscall.EAGAIN}, 503, "processes", true},
		{errors.New("the compiler: no space left on device"), 503, "disk space", true},
		{&runtimes.ModuleError{Reason: "it is bad"}, 422, "it is bad", false},
		{protocol.Errorf(protocol.CodeNotFound, "", "it is gone: %w", errors.New("secret")), 404, "it is gone", false},
		{context.Canceled, 503, "", false},
	} {
		r.run.Store(&c.err)
		got := call(t, nc, "fn.f", nil)
		wantError(t, got, c.code, c.text)
		if logged := strings.Contains(v.log.String(), got.ID); logged != c.logged {
			t.Errorf("%v: the log has the id: %t", c.err, logged)
		}
		r.run.Store(nil)
		r.compile.Store(&c.err)
		_, err := tryDeploy(nc, protocol.Function{Name: fmt.Sprintf("g%d", i)}, fmt.Append(nil, "module", i))
		if e := (*protocol.Error)(nil); !errors.As(err, &e) || e.Code != c.code || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%v: deploying gives %v", c.err, err)
		}
		r.compile.Store(nil)
		if got := call(t, nc, "fn.f", nil); got.Err != nil || string(got.Body) != "fine" {
			t.Errorf("after %v: %v", c.err, got.Err)
		}
		deploy(t, nc, protocol.Function{Name: fmt.Sprintf("g%d", i)}, fmt.Append(nil, "module", i))
	}
	if text := v.log.String(); strings.Contains(text, "<nil>") {
		t.Errorf("the log says <nil>:\n%s", text)
	}
}

// TestStdoutOfFailure has processes fail that have written to stdout, and reads it by message and by Invoke.
func TestStdoutOfFailure(t *testing.T) {
	s := startServer(t)
	r := &faulty{}
	v := startInvoker(t, s, func(v *invoker.Invoker) { v.Runtime = r })
	nc := connect(t, s)
	deploy(t, nc, protocol.Function{Name: "f"}, []byte("module"))
	var failure error = &runtimes.ExitError{Code: 3}
	large := bytes.Repeat([]byte("0123456789\xff"), 95_200) // almost as long as a message may be, not UTF-8
	for _, c := range []struct {
		err     *error
		written []byte
		asked   string
		want    []byte
	}{
		{&failure, []byte("partial"), "1", []byte("partial")},
		{&failure, []byte("partial"), "", nil},
		{&failure, nil, "1", nil},
		{nil, []byte("partial"), "1", nil},
		{&failure, large, "1", large[len(large)-((1<<20)-2<<10-len("it fails\n")):]},
	} {
		r.run.Store(c.err)
		got := call(t, nc, "fn.f", c.written, protocol.HeaderStdout, c.asked)
		if (got.Err == nil) != (c.err == nil) || !bytes.Equal(got.Stdout, c.want) {
			t.Errorf("%.10q, asked %q: %d bytes of stdout, want %d, %v",
				c.written, c.asked, len(got.Stdout), len(c.want), got.Err)
		}
		if got.Err != nil && string(got.Body) != "it fails\n" {
			t.Errorf("the body is %.50q", got.Body)
		}
	}
	r.run.Store(&failure)
	reply := v.Invoke(t.Context(),
		&protocol.Request{Function: protocol.Ref{Name: "f"}, Body: []byte("partial"), Stdout: true})
	if call(t, nc, "fn.f", []byte("another")); string(reply.Stdout) != "partial" || reply.Exit != 3 {
		t.Errorf("%+v", reply)
	}
}
