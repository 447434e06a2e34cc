package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/bundles"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/script"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// runCommand runs a function's process without NATS.
func (c *cli) runCommand() *cobra.Command {
	var o overrides
	var cache string
	cmd := &cobra.Command{
		Use:   "run [FILE|polyvoke.toml|FOLDER] [ARG...]",
		Short: "Run a function's process here, without NATS",
		Long: `Run a function's process here, without NATS: stdin is the request, stdout the
reply, and environment, files and limits are those that it will have as a function. Flags for
polyvoke stand before the file, arguments for the function behind it. In a function's folder the file may be left out.

The exit code is the function's. Others are: 124 its time or its fuel was used up, 125 it trapped or reached its
memory limit, 126 the module cannot be run, 127 there is no such file.`,
		Example: `  polyvoke run greet.wasm < request.json`,
		Args:    argsOrManifest(-1),
		RunE: func(cmd *cobra.Command, args []string) error {
			args = orHere(args)
			src, err := readSource(args[0], o.name, o.runtime)
			if errors.Is(err, os.ErrNotExist) {
				return &exitError{code: exitNotFound, msg: err.Error(), err: err}
			}
			if err != nil {
				return err
			}
			if err := o.apply(cmd, &src.function); err != nil {
				return err
			}
			src.function.Args = append(args[1:], src.function.Args...)
			return c.runProcess(cmd.Context(), src, c.cacheDir(cache))
		},
	}
	o.addTo(cmd)
	cmd.Flags().StringVar(&cache, "cache", "", "folder for compiled modules (default: in the user's cache folder)")
	cmd.Flags().SetInterspersed(false)
	return cmd
}

// runProcess compiles and runs src once.
func (c *cli) runProcess(ctx context.Context, src *source, cache string) error {
	rt, err := wasi.New(ctx, wasi.Config{CacheDir: cache, MaxMemory: uint64(protocol.MaxMemory), MaxModule: int(protocol.MaxModule)})
	if err != nil {
		return err
	}
	defer rt.Close(context.WithoutCancel(ctx))
	folder, err := bundles.Default()
	if err != nil && src.function.Runtime != "" {
		return err
	}
	f := &src.function
	o := src.options()
	o.Start = cmp.Or(f.Start, protocol.StartFresh) // a trial would be of no use to a single process
	limits, args, env := f.Limits.WithDefaults(), o.Args, o.Env
	program, err := script.New(rt, folder).Compile(ctx, src.code, o)
	if err != nil {
		return runError(src, err)
	}
	stdin, err := io.ReadAll(c.stdin)
	if err != nil {
		return fmt.Errorf("stdin: %w", err)
	}
	r := protocol.Request{Function: protocol.Ref{Name: f.Name}, Subject: protocol.RootCall + "." + f.Name}
	r.Deadline = time.Now().Add(time.Duration(limits.Timeout))
	ctx, cancel := context.WithDeadline(ctx, r.Deadline)
	defer cancel()
	id := rand.Text()
	if f.Meta == protocol.MetaEnv {
		env = append(env, r.Env(id)...)
	}
	return runError(src, program.Run(ctx, &runtimes.Process{
		Args:   args,
		Env:    env,
		Stdin:  bytes.NewReader(stdin),
		Stdout: c.stdout,
		Stderr: c.stderr,
		Files:  r.Files(func() string { return id }),
	}))
}

// options returns what the source's program is compiled with.
func (s *source) options() runtimes.Options {
	f, limits := &s.function, s.function.Limits.WithDefaults()
	return runtimes.Options{Memory: uint64(f.Limits.Memory), Stack: uint64(limits.Stack), Fuel: uint64(limits.Fuel), Start: f.Start,
		Interpreter: f.Runtime, Args: append([]string{f.Name}, f.Args...), Env: environ(f.Env), Varies: f.Meta == protocol.MetaEnv}
}

// environ returns an environment as a process gets it, in order.
func environ(env map[string]string) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(env)) {
		out = append(out, k+"="+env[k])
	}
	return out
}

// runError gives the end of a process its exit code. Where the process chose it itself, there is
// nothing to add to what it has said.
func runError(src *source, err error) error {
	var exit *runtimes.ExitError
	var trap *runtimes.TrapError
	var refused *runtimes.ModuleError
	name := src.function.Name
	switch {
	case err == nil:
		return nil
	case errors.Is(err, runtimes.ErrMemory) && !errors.As(err, &exit):
		return &exitError{exitPlatform, fmt.Sprintf("%s: it reached its memory limit of %s: --memory gives it more", name, src.function.Limits.WithDefaults().Memory), err}
	case errors.As(err, &exit):
		return &exitError{code: exitOfProcess(int(exit.Code)), err: err}
	case errors.As(err, &refused):
		return &exitError{exitNotRunnable, fmt.Sprintf("%s: %v", src.path, err), err}
	case errors.Is(err, runtimes.ErrFuel):
		return &exitError{exitTimeout, fmt.Sprintf("%s: it used up its fuel of %d: --fuel gives it more", name, src.function.Limits.Fuel), err}
	case errors.As(err, &trap):
		return &exitError{exitPlatform, fmt.Sprintf("%s: %v", name, join("\n", err.Error(), trap.Stack)), err}
	case errors.Is(err, context.DeadlineExceeded):
		return &exitError{exitTimeout, fmt.Sprintf("%s: its time of %s was up: --timeout gives it more", name, src.function.Limits.WithDefaults().Timeout), err}
	case errors.Is(err, context.Canceled):
		return err
	}
	return &exitError{exitPlatform, fmt.Sprintf("%s: %v", name, err), err}
}

// cacheDir returns the folder for compiled modules: the one that is named, or else one in
// the user's cache. It returns "" if there is none; modules are then compiled anew.
func (c *cli) cacheDir(named string) string {
	if named != "" {
		return named
	}
	if d, err := os.UserCacheDir(); err == nil {
		return filepath.Join(d, "polyvoke", "modules")
	}
	return ""
}
