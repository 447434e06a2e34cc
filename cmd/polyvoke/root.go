package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
)

// cli is what every subcommand works with.
type cli struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	env    func(string) string // reads a variable, as os.Getenv does
	color  string              // auto, always or never
}

// run is the program: arguments in, exit code out.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env func(string) string) int {
	c := &cli{stdin: stdin, stdout: terminal.NewWriter(stdout), stderr: terminal.NewWriter(stderr), env: env}
	defer terminal.Flush(c.stderr)
	defer terminal.Flush(c.stdout)
	root := c.root()
	root.SetArgs(args)
	return c.exit(root.ExecuteContext(ctx))
}

// root returns the command that has all others.
func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "polyvoke",
		Short: "Answer NATS messages with WebAssembly processes",
		Long: `Polyvoke answers NATS messages with WebAssembly processes: a request arrives on a
subject, the function behind it runs as a plain WASI process, its stdout is the reply.`,
		Example: `  polyvoke serve                        # NATS and polyvoke on this machine
  polyvoke deploy greet.wasm            # put a function there
  polyvoke call greet '{"name":"Ada"}'  # and call it; so does: nats req fn.greet ...`,
		Version:       version(),
		Args:          c.noCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(c.stdin)
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError(cmd, "%v", err) })
	root.SetVersionTemplate("polyvoke {{.Version}}\n")
	root.PersistentFlags().StringVar(&c.color, "color", "auto", "colour: auto, always or never")
	raw := root.PersistentFlags().Bool("raw", false, "pass control characters of functions and servers to a terminal as they are")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if *raw {
			terminal.Raw(c.stdout)
			terminal.Raw(c.stderr)
		}
		if c.color != "auto" && c.color != "always" && c.color != "never" {
			return usageError(cmd, "--color %q: use auto, always or never", c.color)
		}
		return nil
	}
	root.AddCommand(c.newCommand(), c.buildCommand(), c.devCommand(), c.serveCommand(), c.demoCommand(), c.deployCommand(), c.callCommand(), c.runCommand(), c.lsCommand(),
		c.infoCommand(), c.rmCommand(), c.logsCommand(), c.inspectCommand(), c.runtimeCommand(), c.versionCommand(), c.compileModuleCommand())
	root.InitDefaultCompletionCmd()
	return root
}

// noCommand refuses words that are no subcommand.
func (c *cli) noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "polyvoke --help lists the commands"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean polyvoke " + strings.Join(near, " or polyvoke ") + "?"
	}
	return &exit.Error{Code: exit.Usage, Msg: fmt.Sprintf("unknown command %q: %s", args[0], hint)}
}

// argsBetween refuses fewer than min or more than max arguments; max < 0 is no limit.
func argsBetween(min, max int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < min:
			return usageError(cmd, "%s is missing", argName(cmd, len(args)))
		case max >= 0 && len(args) > max:
			return usageError(cmd, "unexpected argument %q", args[max])
		}
		return nil
	}
}

// argName returns what the usage line calls the argument number i.
func argName(cmd *cobra.Command, i int) string {
	words := strings.Fields(cmd.Use)
	if i+1 < len(words) {
		name, _, _ := strings.Cut(strings.Trim(words[i+1], "[]"), "[")
		return name
	}
	return "an argument"
}
