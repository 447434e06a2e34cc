package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/lint"
	"github.com/polyvoke/polyvoke/cmd/internal/project"
	"github.com/polyvoke/polyvoke/cmd/internal/service"
	"github.com/polyvoke/polyvoke/cmd/internal/source"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/invoker/trust"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// mostLinted is how many functions of a folder are looked at.
const mostLinted = 1000

// lintOptions are the flags of lint.
type lintOptions struct {
	overrides
	trust, module, cache     string
	strict, noBuild, noStart bool
	json                     bool
}

// linted is what lint prints with --json.
type linted struct {
	Functions []*lint.Report `json:"functions"`
	Errors    int            `json:"errors"`
	Warnings  int            `json:"warnings"`
}

// lintCommand checks functions as a deployment would.
func (c *cli) lintCommand() *cobra.Command {
	var o lintOptions
	cmd := &cobra.Command{
		Use:   "lint [FILE|polyvoke.toml|FOLDER]",
		Short: "Check a function as deploy would, without NATS",
		Long: `Check a function as deploy and an invoker would, without NATS: all that is wrong with the manifest, what the
module imports, its size, its triggers, what it seems to open and is not granted, its signature (with --trust), and
whether it can be compiled and begins. Of a folder without polyvoke.toml, each function below it is checked. A module
that is not built, or older than its sources, is built first.

The exit code is 0 if a deployment would be accepted, 1 if not, or with --strict if there are warnings, and 2 if there
was something that could not be looked at. What depends on what else is deployed, only deploy finds: streams and buckets
that are missing, routes that are taken.`,
		Args: argsBetween(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := o.config(cmd)
			if err != nil {
				return err
			}
			return c.lint(cmd, orHere(args)[0], &o, config)
		},
	}
	o.addDeployed(cmd)
	f := cmd.Flags()
	f.StringVar(&o.trust, "trust", "", "file that says whose signatures count, as of polyvoke serve: docs/trust.md")
	f.StringVar(&o.module, "max-module", protocol.DefaultModule.String(),
		"size of the largest module, as of polyvoke serve")
	f.StringVar(&o.cache, "cache", "",
		"folder for compiled modules (default: polyvoke/modules in the user's cache folder)")
	f.BoolVar(&o.strict, "strict", false, "count warnings as errors")
	f.BoolVar(&o.noStart, "no-start", false, "do not compile the function, nor have it begin")
	_ = cmd.MarkFlagFilename("trust", "toml")
	addNoBuild(cmd, &o.noBuild)
	addJSON(cmd, &o.json)
	return cmd
}

// config returns against what functions are checked.
func (o *lintOptions) config(cmd *cobra.Command) (c lint.Config, err error) {
	size, err := protocol.ParseSize(o.module)
	if err != nil {
		return c, usageError(cmd, "--max-module: %v", err)
	}
	c.Module = int64(size)
	if o.trust != "" {
		if c.Trust, err = trust.ReadPolicy(o.trust); err != nil {
			return c, usageError(cmd, "--trust: %v", err)
		}
	}
	return c, nil
}

// lint checks what is at a path.
func (c *cli) lint(cmd *cobra.Command, path string, o *lintOptions, config lint.Config) error {
	ctx := cmd.Context()
	paths, err := functionsBelow(path)
	if err != nil {
		return unlooked(err)
	}
	if !o.noStart {
		rt, end, err := service.Sandbox(ctx, o.cache, service.Limits{Module: protocol.MaxModule}, wasi.Config{})
		if err != nil {
			return unlooked(err)
		}
		defer end()
		config.Try = rt
	}
	var all linted
	var failed error
	for _, path := range paths {
		r := lint.New(path)
		if err := c.lintOne(cmd, r, o, config); err != nil {
			failed = errors.Join(failed, err)
		}
		all.Functions = append(all.Functions, r)
		all.Errors += r.Errors()
		all.Warnings += len(r.Findings) - r.Errors()
	}
	if err := c.printLinted(&all, o.json); err != nil {
		return err
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case failed != nil:
		return unlooked(failed)
	case all.Errors > 0 || o.strict && all.Warnings > 0:
		return &exit.Error{Code: exit.Failed, Msg: fmt.Sprintf("%s, %s",
			terminal.Plural(all.Errors, "error"), terminal.Plural(all.Warnings, "warning"))}
	}
	return nil
}

// lintOne checks one function. The error says that it could not be looked at.
func (c *cli) lintOne(cmd *cobra.Command, r *lint.Report, o *lintOptions, config lint.Config) error {
	if err := c.buildUnless(cmd.Context(), o.noBuild, r.Path); err != nil {
		return err
	}
	src, err := source.Read(r.Path, o.name, o.runtime)
	if err != nil {
		return r.Refused(lint.CheckSource, err)
	}
	if err := o.apply(cmd, &src.Function); err != nil {
		return err
	}
	done := c.waiting("compiling " + r.Path)
	defer done()
	return r.Check(cmd.Context(), src, config)
}

// printLinted prints what was found.
func (c *cli) printLinted(all *linted, asJSON bool) error {
	if asJSON {
		return printJSON(c.stdout, all)
	}
	for _, r := range all.Functions {
		r.Print(c.stdout, c.paint(c.stdout))
		if r.Start != "" {
			fmt.Fprintf(c.stderr, "%s: %s\n", r.Path, strings.TrimSuffix("starts by "+r.Start+": "+r.Reason, ": "))
		}
	}
	return nil
}

// unlooked is the error for what could not be looked at.
func unlooked(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return &exit.Error{Code: exit.Usage, Msg: err.Error(), Err: err}
}

// functionsBelow returns a path, or of a folder without a manifest the folders with one below it.
func functionsBelow(path string) (paths []string, err error) {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return []string{path}, nil // whoever reads it says what is wrong
	}
	if _, err := os.Stat(filepath.Join(path, project.ManifestName)); err == nil {
		return []string{path}, nil
	}
	err = filepath.WalkDir(path, func(at string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && at != path && (strings.HasPrefix(e.Name(), ".") || e.Name() == "node_modules"):
			return fs.SkipDir
		case !e.IsDir() && e.Name() == project.ManifestName:
			paths = append(paths, filepath.Dir(at))
		}
		if len(paths) > mostLinted {
			return fmt.Errorf("%s has more than %d functions: check it folder by folder", path, mostLinted)
		}
		return nil
	})
	if err == nil && len(paths) == 0 {
		err = fmt.Errorf("%s has no %s, and neither has a folder below it: name a file", path, project.ManifestName)
	}
	return paths, err
}
