package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/inspect"
	"github.com/polyvoke/polyvoke/cmd/internal/service"
	"github.com/polyvoke/polyvoke/cmd/internal/source"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// inspectCommand shows what is in a module.
func (c *cli) inspectCommand() *cobra.Command {
	var asJSON bool
	var cache string
	var level int
	var n connect.Settings
	cmd := &cobra.Command{
		Use:   "inspect FILE.wasm",
		Short: "Show what a module contains, and whether it can be a function",
		Long: `Show what a module contains, and whether it can be a function: what it imports and exports, its memory,
what its code can change, what metering adds, what keeps a sandbox from being used for more than one
call, what it opens of what a manifest can grant, and how its processes will start. To find that out it compiles the
module, and runs it in the sandbox until it reads its request, and once with an empty request. An invoker, if there is one, says how large a module may be. The exit code is 126
if the module cannot be a function.`,
		Args: argsBetween(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOptimize(cmd, level); err != nil {
				return err
			}
			b, err := os.ReadFile(args[0])
			if err != nil {
				return source.Missing(args[0], err)
			}
			r, problem := inspect.Inspect(args[0], b, level)
			if problem == nil {
				if problem, err = c.try(cmd.Context(), r, b, cache); err != nil {
					return err
				}
			}
			if err := r.Compare(c.limit(cmd, &n)); problem == nil {
				problem = err
			}
			if asJSON {
				err = printJSON(c.stdout, r)
			} else {
				r.Print(c.stdout, c.paint(c.stdout))
			}
			if err == nil && problem != nil {
				err = &exit.Error{Code: exit.NotRunnable, Msg: fmt.Sprintf("%s: %v", args[0], problem), Err: problem}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&cache, "cache", "",
		"folder for compiled modules (default: polyvoke/modules in the user's cache folder)")
	addOptimize(cmd, &level)
	addConnection(cmd, &n)
	addJSON(cmd, &asJSON)
	return cmd
}

// limit asks how large a module may be. If nobody can be asked, it is the default.
func (c *cli) limit(cmd *cobra.Command, n *connect.Settings) inspect.Limit {
	l := inspect.Limit{Size: int64(protocol.DefaultModule)}
	s, err := c.connect(cmd, n)
	if err != nil {
		return l
	}
	defer s.Close()
	if size, ok := s.MaxModule(cmd.Context()); ok {
		l = inspect.Limit{Size: size, Of: s.URL}
	}
	return l
}

// try has a runtime complete a report. problem is why the module cannot be a function.
func (c *cli) try(ctx context.Context, r *inspect.Report, b []byte, cache string) (problem, err error) {
	rt, end, err := service.Sandbox(ctx, cache, service.Limits{Module: protocol.MaxModule}, wasi.Config{})
	if err != nil {
		return nil, err
	}
	defer end()
	name := strings.TrimSuffix(filepath.Base(r.File), ".wasm")
	done := terminal.Waiting(c.stderr, fmt.Sprintf("compiling %s (%s)", r.File, terminal.Bytes(r.Size)))
	err = r.Try(ctx, rt, b, name)
	done()
	var refused *runtimes.ModuleError
	if errors.As(err, &refused) {
		return refused, nil
	}
	return nil, err
}
