// Package localrun runs a function's process on this machine, without NATS.
package localrun

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/interpreters"
	"github.com/polyvoke/polyvoke/cmd/internal/source"
	"github.com/polyvoke/polyvoke/invoker/programs"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/script"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// Config says where a process has what it needs.
type Config struct {
	Cache  string // folder for compiled modules; empty: they are compiled again
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer

	// Record, if it is not nil, is given the recording of the run when it has ended. Its error is that of Run.
	Record func(*protocol.Recording) error

	// Folders stand for what the manifest grants. What has none is empty.
	Folders []Folder

	// Note, if it is not nil, is told of what the process finds otherwise than it would in an invoker.
	Note func(text string)

	// Waiting, if it is not nil, is told that the module is compiled, and returns what to call when that is over.
	Waiting func(what string) (done func())
}

// Run compiles a source and runs it once, as it would be run by a call. The error has an exit code: that of the
// process if it came to one.
func Run(ctx context.Context, src *source.Source, c Config) error {
	rt, err := wasi.New(ctx, sandbox(c.Cache))
	if err != nil {
		return err
	}
	defer rt.Close(context.WithoutCancel(ctx))
	f := &src.Function
	f.Start = cmp.Or(f.Start, protocol.StartFresh) // a trial would be of no use to a single process
	done := func() {}
	if c.Waiting != nil {
		done = c.Waiting("compiling " + src.Path)
	}
	program, err := Compile(ctx, rt, src)
	done()
	if err != nil {
		return err
	}
	stdin, err := io.ReadAll(c.Stdin)
	if err != nil {
		return fmt.Errorf("stdin: %w", err)
	}
	r := protocol.Request{ID: rand.Text(), Function: protocol.Ref{Name: f.Name}, Body: stdin,
		Subject: protocol.RootCall + "." + f.Name}
	r.Deadline = time.Now().Add(time.Duration(f.Limits.WithDefaults().Timeout))
	ctx, cancel := context.WithDeadline(ctx, r.Deadline)
	defer cancel()
	p, err := process(f, &r)
	if err != nil {
		return err
	}
	granted, err := mountGrants(f, c.Folders, func(format string, a ...any) {
		if c.Note != nil {
			c.Note(fmt.Sprintf(format, a...))
		}
	})
	if err != nil {
		return err
	}
	defer granted.close()
	p.Mounts, p.Stdout, p.Stderr = granted.all, c.Stdout, c.Stderr
	if c.Record == nil {
		return Error(src, program.Run(ctx, p))
	}
	rec := newRecorder(p)
	err = program.Run(ctx, p)
	if failed := c.Record(rec.recording(src, &r, err)); failed != nil {
		return failed
	}
	return Error(src, err)
}

// process returns a process as a call of the function has it, without its output.
func process(f *protocol.Function, r *protocol.Request) (*runtimes.Process, error) {
	o := programs.Options(f)
	p := &runtimes.Process{Args: o.Args, Env: o.Env, Stdin: bytes.NewReader(r.Body),
		Files: files.Static(r.Files(func() string { return r.ID }))}
	if len(r.Args) > 0 {
		p.Args = slices.Concat([]string{f.Name}, r.Args, f.Args)
	}
	if f.Meta == protocol.MetaEnv {
		env, err := r.Env(r.ID)
		if err != nil {
			return nil, err
		}
		p.Env = append(env, o.Env...) // of a name that comes twice, the last value counts
	}
	return p, nil
}

// sandbox returns the configuration of a runtime with a folder for compiled modules.
func sandbox(cache string) wasi.Config {
	return wasi.Config{CacheDir: cache, MaxMemory: uint64(protocol.MaxMemory), MaxModule: int(protocol.MaxModule)}
}

// Compile makes a program of a source, with a runtime for modules and, if it is a script, an interpreter of this
// machine. What that wants as limits becomes part of the source. The error has an exit code.
func Compile(ctx context.Context, modules runtimes.Runtime, src *source.Source) (runtimes.Program, error) {
	here := interpreters.Here()
	if f := &src.Function; f.Runtime != "" {
		if i, err := here.Info(f.Runtime); err == nil && f.Limits.Memory == 0 {
			f.Limits.Memory = protocol.Size(i.Memory)
		}
	}
	p, err := script.New(modules, here).Compile(ctx, src.Code, programs.Options(&src.Function))
	return p, Error(src, err)
}

// Error gives the end of a process its exit code. Where the process chose it itself, there is
// nothing to add to what it has said.
func Error(src *source.Source, err error) error {
	var ended *runtimes.ExitError
	var trap *runtimes.TrapError
	var refused *runtimes.ModuleError
	name, limits := src.Function.Name, src.Function.Limits.WithDefaults()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, runtimes.ErrMemory) && !errors.As(err, &ended):
		return &exit.Error{Code: exit.Platform, Err: err,
			Msg: fmt.Sprintf("%s reached its memory limit of %s: raise --memory", name, limits.Memory)}
	case errors.As(err, &ended):
		return &exit.Error{Code: exit.OfProcess(int(ended.Code)), Err: err}
	case errors.As(err, &refused):
		return &exit.Error{Code: exit.NotRunnable, Msg: at(src.Path, err.Error()), Err: err}
	case errors.Is(err, runtimes.ErrFuel):
		return &exit.Error{Code: exit.Timeout, Err: err,
			Msg: fmt.Sprintf("%s used up its fuel of %d: raise --fuel", name, limits.Fuel)}
	case errors.As(err, &trap):
		return &exit.Error{Code: exit.Platform, Err: err,
			Msg: fmt.Sprintf("%s: %v", name, strings.TrimSpace(err.Error()+"\n"+trap.Stack))}
	case errors.Is(err, context.DeadlineExceeded):
		return &exit.Error{Code: exit.Timeout, Err: err,
			Msg: fmt.Sprintf("%s exceeded its time limit of %s: raise --timeout", name, limits.Timeout)}
	case errors.Is(err, context.Canceled):
		return err
	case protocol.CodeOf(err) == protocol.CodeNotFound: // there is no such runtime
		return &exit.Error{Code: exit.NotFound, Msg: fmt.Sprintf("%s: %v", src.Path, err), Err: err}
	}
	return &exit.Error{Code: exit.Platform, Msg: fmt.Sprintf("%s: %v", name, err), Err: err}
}

// at puts a path before what is wrong with a file, which may begin with the file's name already.
func at(path, text string) string {
	if strings.HasPrefix(text, filepath.Base(path)+":") {
		return filepath.Join(filepath.Dir(path), text)
	}
	return path + ": " + text
}
