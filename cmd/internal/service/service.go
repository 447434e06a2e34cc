// Package service is polyvoke at work: functions served on a connection to NATS, in a sandbox whose modules are compiled by
// children.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/polyvoke/polyvoke/cmd/internal/bundles"
	"github.com/polyvoke/polyvoke/cmd/internal/client"
	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/interpreters"
	"github.com/polyvoke/polyvoke/invoker/journal"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/runtimes/edits"
	"github.com/polyvoke/polyvoke/runtimes/script"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// Config says how functions are served.
type Config struct {
	Version    string        // polyvoke's own
	Cache      string        // folder for compiled modules; empty: the one that CacheDir gives
	Slots      int           // calls that may use a processor at a time; 0: processors less one, at least 1
	Replicas   int           // copies of functions that a NATS cluster keeps; 0: 1
	Drain      time.Duration // how long calls may go on after the end of the context; 0: the invoker's default
	IdleMemory int64         // bytes that waiting processes may take; 0: the sandbox's default
	Limits     Limits        // of the compilation of one module
	Compiling  func() func() // see invoker.Invoker; may be nil
	Log        *slog.Logger  // must not be nil
}

// Serve serves functions on a connection until ctx ends and everything has been answered. ready is called when calls are
// taken, with how many functions there are.
func Serve(ctx context.Context, s *client.Session, c Config, ready func(functions int)) error {
	opening, cancel := s.Within(ctx)
	defer cancel()
	reg, err := registry.Open(opening, s.JS, registry.Config{Replicas: c.Replicas, Log: c.Log})
	if err != nil {
		return fmt.Errorf("functions on %s: %w", s.URL, err)
	}
	languages, err := registry.Open(opening, s.JS, registry.Config{Replicas: c.Replicas, Log: c.Log, Runtimes: true})
	if err != nil {
		return fmt.Errorf("runtimes on %s: %w", s.URL, err)
	}
	store := &interpreters.Store{Registry: languages, Describe: bundles.Describe}
	rt, end, err := Sandbox(ctx, c.Cache, c.Limits, wasi.Config{IdleMemory: c.IdleMemory, Log: c.Log})
	if err != nil {
		return err
	}
	defer end()
	soon := edits.New(rt, c.Log)
	defer soon.Close(context.WithoutCancel(ctx))
	running := openJournal(ctx, c.Cache, c.Log)
	defer running.Close()
	v := invoker.Invoker{
		Registry: reg, Runtime: script.New(soon, store), Interpreters: store, JetStream: s.JS, Journal: running, Slots: c.Slots, Drain: c.Drain, Replicas: c.Replicas,
		Compiling: c.Compiling, MaxModule: c.Limits.module(), Version: c.Version, Log: c.Log,
		Ready: func() {
			entries, err := reg.List(ctx)
			if err != nil {
				c.Log.Warn("list functions", "err", err)
			}
			ready(len(entries))
		},
	}
	if err := v.Serve(ctx, s.Conn); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	c.Log.Info("drained")
	return nil
}

// While serves functions on a connection while do runs, and until all has been answered.
func While(ctx context.Context, s *client.Session, c Config, do func(context.Context, *client.Session) error) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	ready := make(chan struct{})
	go func() { served <- Serve(ctx, s, c, func(int) { close(ready) }) }()
	defer func() {
		cancel()
		err = errors.Join(err, <-served)
	}()
	select {
	case <-ready:
	case err := <-served:
		served <- nil
		if err == nil {
			err = ctx.Err()
		}
		return err
	}
	return do(ctx, s)
}

// openJournal opens the journal of what runs, beside the compiled modules. Functions run without one too.
func openJournal(ctx context.Context, cache string, log *slog.Logger) *journal.Journal {
	dir := CacheDir(cache)
	if dir == "" {
		return nil
	}
	j, err := journal.Open(ctx, filepath.Join(dir, "running"), log)
	if err != nil {
		log.Warn("a function that ends this process will be tried again", "err", err)
	}
	return j
}
