package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
)

// cli is what every subcommand works with.
type cli struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	env    func(string) string // reads a variable, as os.Getenv does
	color  string              // auto, always or never

	commands *cobra.Command // the root of all
	reach    reach          // how the command at hand was told to reach NATS
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

// Commands stand in the order in which one needs them. Cobra has one setting for all.
func init() { cobra.EnableCommandSorting = false }

// root returns the command that has all others.
func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "polyvoke",
		Short: "Answer NATS messages with WebAssembly processes",
		Long: `Polyvoke answers NATS messages with WebAssembly processes: a request arrives on a
subject, the function behind it runs as a plain WASI process, its stdout is the reply.`,
		Version:       version(),
		Args:          c.noCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(c.stdin)
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	root.SetFlagErrorFunc(flagError)
	root.SetUsageFunc(usage)
	root.SetVersionTemplate("polyvoke {{.Version}}\n")
	root.PersistentFlags().StringVar(&c.color, "color", "auto", "use of colour: auto, always or never")
	raw := root.PersistentFlags().Bool("raw", false,
		"print control characters from functions and servers unchanged, even on a terminal")
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
	root.AddCommand(
		c.newCommand(), c.buildCommand(), c.runCommand(), c.devCommand(), c.inspectCommand(), c.lintCommand(),
		c.signCommand(),
		c.serveCommand(), c.gatewayCommand(),
		c.deployCommand(), c.callCommand(), c.logsCommand(), c.topCommand(), c.lsCommand(), c.infoCommand(), c.rmCommand(),
		c.aliasCommand(), c.promoteCommand(), c.rollbackCommand(), c.historyCommand(), c.auditCommand(),
		c.keyCommand(), c.secretCommand(), c.kvCommand(), c.objCommand(),
		c.jobCommand(), c.deadCommand(), c.pauseCommand(), c.resumeCommand(), c.replayCommand(),
		c.runtimeCommand(), c.demoCommand(), c.doctorCommand(), c.cacheCommand(), c.versionCommand(),
		c.compileModuleCommand())
	root.InitDefaultCompletionCmd()
	addGroups(root)
	addSynonyms(root)
	addExamples(root)
	c.addCompletions(root)
	_ = root.RegisterFlagCompletionFunc("color",
		cobra.FixedCompletions([]string{"auto", "always", "never"}, cobra.ShellCompDirectiveNoFileComp))
	c.commands = root
	return root
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
