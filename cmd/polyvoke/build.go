package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/inspect"
	"github.com/polyvoke/polyvoke/cmd/internal/localrun"
	"github.com/polyvoke/polyvoke/cmd/internal/project"
	"github.com/polyvoke/polyvoke/cmd/internal/service"
	"github.com/polyvoke/polyvoke/cmd/internal/show"
	"github.com/polyvoke/polyvoke/cmd/internal/source"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// buildReport is what build prints with --json.
type buildReport struct {
	*inspect.Report                  // of the module
	Stripped        project.Stripped `json:"stripped"`
	Duration        time.Duration    `json:"duration"` // nanoseconds that the build took
}

// buildCommand builds the module of a folder.
func (c *cli) buildCommand() *cobra.Command {
	var timeout time.Duration
	var cache string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "build [FOLDER]",
		Short: "Build a function's module with the compiler on this machine",
		Long: `Build a function's module with the tool chain of this machine, strip what a run does not need (names, debugging
information), and describe the module. polyvoke.toml says what to build:

  module = "shout.wasm"     # the file to make
  [build]
  source = "main.c"         # the file, with those beside it, whose language says how,
  command = ["make", "all"] # or what to run instead

The exit code is 1 if the compiler has something to say, 126 if the module cannot be a function, 127 if there
is no tool chain; the message says how to get one.`,
		Args: argsBetween(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := project.Open(orHere(args)[0])
			if err != nil {
				return err
			}
			if p.Script != "" {
				return c.checkScript(cmd.Context(), p.Manifest, cache, asJSON)
			}
			b, err := c.build(cmd.Context(), p, timeout)
			if err != nil {
				return err
			}
			return c.printBuilt(cmd.Context(), p, b, cache, asJSON)
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", project.DefaultTimeout, "how long the build may take")
	cmd.Flags().StringVar(&cache, "cache", "",
		"folder for compiled modules (default: polyvoke/modules in the user's cache folder)")
	addJSON(cmd, &asJSON)
	return cmd
}

// orHere returns the arguments of a command, or the folder that it was started in if there are none.
func orHere(args []string) []string {
	if len(args) == 0 {
		return []string{"."}
	}
	return args
}

// argsOrManifest refuses more than max arguments, and none where there is no manifest to do without; max < 0 is no
// limit.
func argsOrManifest(max int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if _, err := os.Stat(project.ManifestName); err == nil {
			return argsBetween(0, max)(cmd, args)
		}
		return argsBetween(1, max)(cmd, args)
	}
}

// build builds, and shows what the tools have to say.
func (c *cli) build(ctx context.Context, p *project.Project, timeout time.Duration) (*project.Built, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	done := c.waiting("building " + p.Name)
	b, err := p.Build(ctx)
	done()
	if said := bytes.TrimSpace(b.Said); len(said) > 0 {
		fmt.Fprintf(c.stderr, "%s\n", said)
	}
	if errors.Is(err, project.ErrNoTools) {
		return nil, &exit.Error{Code: exit.NotFound, Msg: err.Error(), Err: err}
	}
	return b, err
}

// buildUnless builds the module of a folder, or of a manifest, that is not there or older than its sources, unless it
// is told not to. A machine without the tool chain goes on with a module that is there, and says so.
func (c *cli) buildUnless(ctx context.Context, not bool, path string) error {
	if not {
		return nil
	}
	if filepath.Ext(path) != ".toml" {
		if _, err := os.Stat(filepath.Join(path, project.ManifestName)); err != nil {
			return nil // it is a file, or whoever reads it says what is missing
		}
	}
	p, err := project.Open(path)
	if err != nil {
		return nil // whoever reads it says what is wrong
	}
	why, err := p.Stale()
	if err != nil || why == "" {
		return err
	}
	_, err = c.build(ctx, p, project.DefaultTimeout)
	if _, missing := os.Stat(p.Module); missing == nil && errors.Is(err, project.ErrNoTools) {
		fmt.Fprintf(c.stderr, "%s %s, and cannot be built here, so it is used as it is: %v\n",
			c.paint(c.stderr).Bold("warning:"), why, err)
		return nil
	}
	return err
}

// addNoBuild adds the flag by which nothing is built.
func addNoBuild(cmd *cobra.Command, v *bool) {
	cmd.Flags().BoolVar(v, "no-build", false, "take the module as it is, even if it is older than its sources")
}

// checkScript checks a script as deploy would, with the runtime that is on this machine: there is nothing to build.
func (c *cli) checkScript(ctx context.Context, manifest, cache string, asJSON bool) error {
	src, err := source.Read(manifest, "", "")
	if err != nil {
		return err
	}
	rt, end, err := service.Sandbox(ctx, cache, service.Limits{Timeout: service.OwnTimeout, Module: protocol.MaxModule},
		wasi.Config{})
	if err != nil {
		return err
	}
	defer end()
	done := c.waiting("checking " + src.Path)
	p, err := localrun.Compile(ctx, rt, src)
	done()
	if err != nil {
		return err
	}
	defer p.Close(context.WithoutCancel(ctx))
	start := p.Start()
	if asJSON {
		return printJSON(c.stdout, map[string]any{
			"file": src.Path, "language": src.Function.Language, "runtime": src.Function.Runtime, "runnable": true,
			"start": inspect.Start{Kind: start.Kind, Reason: start.Reason},
		})
	}
	_, err = fmt.Fprintf(c.stdout, "%s is well-formed, and starts as %s: %s\n", src.Path, start.Kind, start.Reason)
	return err
}

// printBuilt says what was built.
func (c *cli) printBuilt(ctx context.Context, p *project.Project, b *project.Built, cache string, asJSON bool) error {
	r, problem := inspect.Inspect(p.Module, b.Wasm, p.Optimize)
	r.Language = cmp.Or(r.Language, p.Language)
	if problem == nil {
		var err error
		if problem, err = c.try(ctx, r, b.Wasm, cache); err != nil {
			return err
		}
	}
	if problem != nil {
		problem = &exit.Error{Code: exit.NotRunnable, Msg: fmt.Sprintf("%s: %v", p.Module, problem), Err: problem}
	}
	if asJSON {
		return errors.Join(printJSON(c.stdout, buildReport{r, b.Stripped, b.Took}), problem)
	}
	facts := []string{terminal.Bytes(r.Size), r.Language, b.Stripped.String()}
	if r.Runnable {
		facts = append(facts, "imports ok", "start "+r.Start.Kind)
	}
	fmt.Fprintf(c.stdout, "%s %s, built in %.1f s\n", c.paint(c.stdout).Bold(p.Module), show.Join(", ", facts...),
		b.Took.Seconds())
	return problem
}
