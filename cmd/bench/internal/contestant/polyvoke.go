package contestant

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// polyvoke is this project's sandbox with one start kind; every run is metered, has a bound of its
// stack, and a deadline.
func polyvoke(kind string) Contestant {
	return Contestant{
		Name:  "polyvoke, " + kind,
		About: "runtimes/wasi with the start kind " + kind + ": metered, with a stack limit and a deadline",
		Open:  func(ctx context.Context, s Setup) (Runner, error) { return openPolyvoke(ctx, s, kind) },
	}
}

// polyvokeRunner is a program of runtimes/wasi.
type polyvokeRunner struct {
	setup   Setup
	kind    string
	runtime *wasi.Runtime
	program runtimes.Program
	calls   []polyvokeCall // by caller
	service *service       // nil unless it serves through NATS
}

// polyvokeCall is what one caller uses again and again.
type polyvokeCall struct {
	process runtimes.Process
	in      bytes.Reader
	out     bytes.Buffer
}

// openPolyvoke compiles the guest and sees to it that it starts as wanted.
func openPolyvoke(ctx context.Context, s Setup, kind string) (Runner, error) {
	module, err := os.ReadFile(s.Guest.Wasm)
	if err != nil {
		return nil, err
	}
	r := &polyvokeRunner{setup: s, kind: kind, calls: make([]polyvokeCall, s.Callers)}
	if r.runtime, err = wasi.New(ctx, wasi.Config{CacheDir: filepath.Join(s.Cache, "polyvoke")}); err != nil {
		return nil, err
	}
	r.program, err = r.runtime.Compile(ctx, module, r.options())
	if err == nil {
		err = r.warm(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, r.runtime.Close(ctx))
	}
	return r, nil
}

// options are those with which the guest is compiled.
func (r *polyvokeRunner) options() runtimes.Options {
	g := r.setup.Guest
	o := runtimes.Options{Memory: g.Memory, Start: r.kind, Args: g.Args, Env: g.Env}
	for _, d := range g.Dirs {
		o.Mounts = append(o.Mounts, runtimes.Mount{Path: d.Path, Tree: files.FS(os.DirFS(d.Host))})
	}
	return o
}

// warm makes some calls until one starts in the right way. A runtime that cannot is an error.
func (r *polyvokeRunner) warm(ctx context.Context) error {
	return awaitStart(ctx, r.kind, func(ctx context.Context) (string, error) {
		_, err := r.Run(ctx, 0, r.setup.Guest.Body)
		return r.calls[0].process.Usage.Start, err
	})
}

// Run implements Runner.
func (r *polyvokeRunner) Run(ctx context.Context, caller int, body []byte) ([]byte, error) {
	c := &r.calls[caller]
	if c.process.Args == nil {
		c.process = runtimes.Process{Args: r.setup.Guest.Args, Env: r.setup.Guest.Env, Stdin: &c.in, Stdout: &c.out}
	}
	c.in.Reset(body)
	c.out.Reset()
	if err := r.program.Run(ctx, &c.process); err != nil {
		return nil, err
	}
	return c.out.Bytes(), check(r.setup.Guest, body, c.out.Bytes())
}

// Close implements Runner.
func (r *polyvokeRunner) Close() error {
	var err error
	if r.service != nil {
		err = r.service.close()
	}
	return errors.Join(err, r.program.Close(context.Background()), r.runtime.Close(context.Background()))
}
