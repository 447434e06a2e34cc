package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/interpreters"
	"github.com/polyvoke/polyvoke/cmd/internal/source"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/script"
	"github.com/polyvoke/polyvoke/runtimes/script/recipe"
)

// runtimeCommand has the commands about what runs scripts.
func (c *cli) runtimeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "runtime",
		Short: "Manage the runtimes of scripts: Python, JavaScript and others",
		Long: `A runtime is an interpreter that runs scripts: a WASI program itself, in the sandbox like any other.
A released polyvoke has those of JavaScript and Lua in it. Get others from a release, a folder, a URL or a NATS server,
or build them on this machine. Deploying a script adds its runtime to NATS, where all invokers find it.`,
		Args: c.noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.runtimeLsCommand(), c.runtimeGetCommand(), c.runtimeBuildCommand(), c.runtimeAddCommand(),
		c.runtimePinCommand())
	return cmd
}

// runtimeLsCommand lists runtimes: those that can be built, are in polyvoke, on this machine, and on NATS.
func (c *cli) runtimeLsCommand() *cobra.Command {
	var n connect.Settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "ls",
		Aliases:           []string{"list"},
		Short:             "List the runtimes: in polyvoke, on this machine, on NATS",
		Args:              argsBetween(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rows, err := c.runtimes(cmd, &n)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.stdout, rows)
			}
			interpreters.Table(c.stdout, c.paint(c.stdout), rows)
			if note := interpreters.Note(); note != "" {
				fmt.Fprintf(c.stderr, "%s %s\n", c.paint(c.stderr).Bold("note:"), note)
			}
			return nil
		},
	}
	addConnection(cmd, &n)
	addJSON(cmd, &asJSON)
	return cmd
}

// runtimes returns all runtimes that are known. A NATS that is not there has none.
func (c *cli) runtimes(cmd *cobra.Command, n *connect.Settings) ([]*interpreters.Row, error) {
	s, err := c.connect(cmd, n)
	if err != nil {
		fmt.Fprintf(c.stderr, "%s %v\n", c.paint(c.stderr).Bold("note:"), err)
		return interpreters.Rows(nil), nil
	}
	defer s.Close()
	added, err := s.Runtimes(cmd.Context())
	if err != nil {
		return nil, err
	}
	return interpreters.Rows(added), nil
}

// runtimeBuildCommand builds a runtime here.
func (c *cli) runtimeBuildCommand() *cobra.Command {
	var into, tools string
	var verbose bool
	cmd := &cobra.Command{
		Use:   "build NAME...",
		Short: "Build a runtime on this machine, from packages",
		Long: `Build a runtime on this machine: its recipe takes the sources and compilers from Debian's, npm's and PyPI's
packages, which takes minutes. It needs Debian 12, and root where packages are missing. The same recipe gives
the same bytes. polyvoke run can use it then; polyvoke runtime add, or deploying a script, brings it to NATS.`,
		Args:              argsBetween(1, -1),
		ValidArgsFunction: c.completeRecipes,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			folder := interpreters.Folder(into)
			if into == "" {
				var err error
				if folder, err = interpreters.Default(); err != nil {
					return err
				}
			}
			if tools == "" {
				tools = filepath.Join(filepath.Dir(string(folder)), "tools")
			}
			for _, name := range args {
				if err := c.buildRuntime(ctx, folder, name, tools, verbose); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&into, "into", "",
		"folder for NAME.runtime.zip (default: in the user's cache folder, where polyvoke run finds it)")
	cmd.Flags().StringVar(&tools, "tools", "", "folder for sources and compilers (default: in the user's cache folder)")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "show the output of the recipe even if the build succeeds")
	return cmd
}

// buildRuntime builds one runtime and keeps it.
func (c *cli) buildRuntime(ctx context.Context, folder interpreters.Folder, name, tools string, verbose bool) error {
	var said bytes.Buffer
	done := terminal.Waiting(c.stderr, "building "+name)
	bundle, err := recipe.Build(ctx, name, tools, &said)
	done()
	if err != nil || verbose {
		c.stderr.Write(said.Bytes())
	}
	if err != nil {
		return &exit.Error{Code: exit.Failed, Msg: fmt.Sprintf("%v; polyvoke runtime ls lists the recipes", err), Err: err}
	}
	i, err := folder.Put(bundle)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "%s %s (%s, %s) is built: polyvoke run FILE%s\n", c.paint(c.stdout).Bold(i.Name),
		i.Version, i.Language, terminal.Bytes(int64(len(bundle))), strings.Join(i.Extensions[:min(1, len(i.Extensions))], ""))
	return err
}

// completeRecipes completes names of runtimes.
func (c *cli) completeRecipes(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, i := range recipe.All() {
		names = append(names, i.Name+"\t"+i.Language+" "+i.Version)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// runtimeAddCommand puts a runtime on NATS.
func (c *cli) runtimeAddCommand() *cobra.Command {
	var n connect.Settings
	var asJSON bool
	var info script.Info
	cmd := &cobra.Command{
		Use:   "add NAME|NAME.runtime.zip|FILE.wasm|FOLDER",
		Short: "Put a runtime on NATS, for all invokers",
		Long: `Put a runtime on NATS, for all invokers. It is one of this machine or of polyvoke itself, a folder with
runtime.json and runtime.wasm, or an interpreter of your own as FILE.wasm, with flags that say how it is called.
Scripts with the extensions that it declares are then deployed with it. Deployed scripts keep their version of it.

Adding a version that NATS has already changes nothing, even if a newer one has come since: polyvoke runtime pin makes
it the newest again.`,
		Example: `  polyvoke runtime add python
  polyvoke runtime add wren.wasm --name wren --version 0.4 --ext .wren --arg wren --arg '{entry}'`,
		Args:              argsBetween(1, 1),
		ValidArgsFunction: c.completeRecipes,
		RunE: func(cmd *cobra.Command, args []string) error {
			bundle, err := interpreters.Read(args[0], info)
			if err != nil {
				return err
			}
			s, err := c.connect(cmd, &n)
			if err != nil {
				return err
			}
			defer s.Close()
			reply, err := s.AddRuntime(cmd.Context(), args[0], bundle)
			if err != nil {
				return err
			}
			if err := c.printRuntime(reply, asJSON); err != nil || reply.Created {
				return err
			}
			return c.noteNewer(cmd.Context(), s, reply.Function)
		},
	}
	f := cmd.Flags()
	f.StringVar(&info.Name, "name", "", "of FILE.wasm: its name (default: the file name)")
	f.StringVar(&info.Version, "version", "1", "of FILE.wasm: the interpreter's own version")
	f.StringVar(&info.Language, "language", "", "of FILE.wasm: what it runs (default: its name)")
	f.StringArrayVar(&info.Extensions, "ext", nil, "of FILE.wasm: extension of its scripts; can be repeated")
	f.StringArrayVar(&info.Args, "arg", nil,
		"of FILE.wasm: its arguments, of which {entry} is the script; can be repeated")
	f.StringArrayVar(&info.Check, "check-arg", nil,
		"of FILE.wasm: its arguments when it is only to check the script; can be repeated")
	addConnection(cmd, &n)
	addJSON(cmd, &asJSON)
	return cmd
}

// runtimePinCommand makes an older version of a runtime the one for new deployments.
func (c *cli) runtimePinCommand() *cobra.Command {
	var n connect.Settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "pin NAME@VERSION",
		Short: "Make an older version the one for scripts deployed from now on",
		Long: `Make an older version of a runtime the one for scripts deployed from now on: it becomes the newest again,
under a new number. A script always runs on the version that it was deployed with; to pin one script, deploy it with
--runtime NAME@VERSION.`,
		Args:              argsBetween(1, 1),
		ValidArgsFunction: c.completeRuntimes,
		RunE: func(cmd *cobra.Command, args []string) error {
			if ref, err := protocol.ParseRef(args[0]); err != nil || ref.Version == "" {
				return usageError(cmd, "%q: write NAME@VERSION, such as python@1", args[0])
			}
			s, err := c.connect(cmd, &n)
			if err != nil {
				return err
			}
			defer s.Close()
			reply, err := s.PinRuntime(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return c.printRuntime(reply, asJSON)
		},
	}
	addConnection(cmd, &n)
	addJSON(cmd, &asJSON)
	return cmd
}

// printRuntime tells which version of a runtime is the newest now.
func (c *cli) printRuntime(reply protocol.DeployReply, asJSON bool) error {
	if asJSON {
		return printJSON(c.stdout, reply)
	}
	return interpreters.Added(c.stdout, c.paint(c.stdout), reply)
}

// noteNewer says that NATS has a newer version of a runtime that was there already.
func (c *cli) noteNewer(ctx context.Context, s *connect.Session, f protocol.Function) error {
	all, err := s.Runtimes(ctx)
	for _, newest := range all {
		if newest.Name == f.Name && newest.Version > f.Version {
			fmt.Fprintf(c.stderr, "%s scripts deployed from now on run on %s, which is newer: "+
				"polyvoke runtime pin %s changes that\n", c.paint(c.stderr).Bold("note:"), newest.Ref(), f.Ref())
		}
	}
	return err
}

// readByExtension reads a script again for whose extension no runtime is known here, if a runtime on NATS declares it.
// Otherwise it returns src and err, which are what source.Read gave.
func (c *cli) readByExtension(cmd *cobra.Command, n *connect.Settings, src *source.Source, err error, path, name string,
) (*source.Source, error) {
	var unknown *source.NoRuntime
	if !errors.As(err, &unknown) || unknown.Ext == "" {
		return src, err
	}
	s, connecting := c.connect(cmd, n)
	if connecting != nil {
		return src, err
	}
	defer s.Close()
	all, asking := s.Runtimes(cmd.Context())
	if asking != nil {
		return src, err
	}
	var found []string
	for _, f := range all {
		if slices.Contains(strings.Fields(f.Env[interpreters.ExtensionsKey]), unknown.Ext) {
			found = append(found, f.Name)
		}
	}
	switch len(found) {
	case 0:
		return src, err
	case 1:
		return source.Read(path, name, found[0])
	}
	return nil, &exit.Error{Code: exit.NotRunnable, Err: err, Msg: fmt.Sprintf("%s: several runtimes on %s are for %s: "+
		"say which one with --runtime: %s", path, s.URL, unknown.Ext, strings.Join(found, ", "))}
}

// addMissing puts a runtime on NATS that a script needs, if it is here and there is none of its name there, whatever
// its version.
func (c *cli) addMissing(ctx context.Context, s *connect.Session, runtime string) error {
	added, err := s.AddMissing(ctx, runtime, interpreters.Here().Get)
	if added != nil {
		fmt.Fprintf(c.stderr, "added the runtime %s (%s)\n", added.Ref(), terminal.Bytes(added.Size))
	}
	return err
}

// explainMissing adds to the error about a runtime that is nowhere that this polyvoke was built without it.
func explainMissing(err error, runtime string) error {
	var p *protocol.Error
	note := interpreters.Note()
	if !errors.As(err, &p) || p.Code != protocol.CodeNotFound || note == "" ||
		!slices.Contains(interpreters.Released(), runtime) {
		return err
	}
	return fmt.Errorf("%w; %s", err, note)
}
