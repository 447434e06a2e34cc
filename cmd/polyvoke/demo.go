package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/bundles"
	"github.com/polyvoke/polyvoke/cmd/internal/client"
	"github.com/polyvoke/polyvoke/cmd/internal/demo"
	"github.com/polyvoke/polyvoke/cmd/internal/natsd"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/samples"
)

// demoCommand shows everything at once.
func (c *cli) demoCommand() *cobra.Command {
	var stay, slow, asJSON bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Start everything, deploy the samples, call them, and show what came back",
		Long: `Start NATS and polyvoke on this machine, deploy the sample functions, send each its
requests and ` + fmt.Sprint(demo.Timed) + ` more, and show what came back. The Go sample is built by this machine's Go;
nothing needs a network. Scripts are shown in the languages whose runtimes were built here. What the functions were kept in is removed at the end.`,
		Args:              argsBetween(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.demo(cmd, stay, slow, asJSON)
		},
	}
	cmd.Flags().BoolVar(&stay, "stay", false, "keep serving, on "+natsd.DefaultListen+" if nobody else does")
	cmd.Flags().BoolVar(&slow, "slow", false, "show also what takes seconds more to build")
	addJSON(cmd, &asJSON)
	return cmd
}

// demonstrated returns what to show: the samples, and the greeting in the languages whose runtimes are on this machine.
func demonstrated(slow bool) []samples.Sample {
	all := slices.DeleteFunc(samples.All(), func(s samples.Sample) bool { return s.Slow && !slow })
	folder, err := bundles.Default()
	if err != nil {
		return all
	}
	for _, i := range folder.List() {
		if s, ok := samples.ScriptFor(i.Name, i.Language, i.Extensions); ok {
			all = append(all, s)
		}
	}
	return all
}

// demo starts a server, shows the samples on it, and ends it, or stays.
func (c *cli) demo(cmd *cobra.Command, stay, slow, asJSON bool) error {
	ctx, cancel := context.WithCancel(cmd.Context())
	all := demonstrated(slow)
	built := demo.Build(ctx, all) // it takes longest
	defer func() {
		cancel()
		_, _ = built() // whoever needed it has its error
	}()
	listen := "127.0.0.1:0"
	if stay {
		listen = natsd.DefaultListen // where clients try first
	}
	return c.onOwnServer(ctx, cmd, listen, func(ctx context.Context, s *client.Session) error {
		s.Progress, s.Waiting = nil, nil // what it does is said line by line
		for _, sample := range all {
			if err := c.addMissing(ctx, s, sample.Runtime); err != nil {
				return err
			}
		}
		results, err := demo.Run(ctx, s, all, built, func(what string) { fmt.Fprintln(c.stderr, what+" ...") })
		if err != nil {
			return err
		}
		if err := c.printDemo(s.URL, results, stay, asJSON); err != nil {
			return err
		}
		if stay {
			<-ctx.Done()
		}
		return demoVerdict(results)
	})
}

// printDemo prints the table, and how to go on by hand.
func (c *cli) printDemo(url string, results []demo.Result, stay, asJSON bool) error {
	if asJSON {
		return printJSON(c.stdout, map[string]any{"url": url, "functions": results})
	}
	fmt.Fprintln(c.stdout)
	demo.Table(c.stdout, c.paint(c.stdout), results)
	if !stay {
		_, err := fmt.Fprint(c.stdout, "\nTo call them by hand, keep them: polyvoke demo --stay, and then\n"+byHand(""))
		return err
	}
	server := ""
	if url != nats.DefaultURL {
		server = " -s " + url
	}
	_, err := fmt.Fprintf(c.stdout, "\nThey stay on %s until Ctrl-C. Call them by hand:\n%s", url, byHand(server))
	return err
}

// byHand says how to call a sample with the official command line and with this one.
func byHand(server string) string {
	const function, body = "greet-c", `'{"name":"Ada"}'`
	return fmt.Sprintf("  nats%s req %s.%s %s\n  polyvoke call%s %s %s\n  nats%s micro ls\n",
		server, protocol.RootCall, function, body, server, function, body, server)
}

// demoVerdict is the error for a demonstration in which something was wrong.
func demoVerdict(results []demo.Result) error {
	var wrong []string
	for _, r := range results {
		if !r.Right() {
			wrong = append(wrong, r.Function)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return &exitError{code: exitFailed, msg: "not as it should be: " + strings.Join(wrong, ", ") + "; the table above says why"}
}
