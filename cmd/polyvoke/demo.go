package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/client"
	"github.com/polyvoke/polyvoke/cmd/internal/demo"
	"github.com/polyvoke/polyvoke/cmd/internal/natsd"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/samples"
)

// demoStart bounds each step of the demonstration's start.
const demoStart = time.Minute

// demoCommand shows everything at once.
func (c *cli) demoCommand() *cobra.Command {
	var stay, asJSON bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Start everything, deploy the samples, call them, and show what came back",
		Long: `Start NATS and polyvoke on this machine, deploy the sample functions, send each its
requests and ` + fmt.Sprint(demo.Timed) + ` more, and show what came back. The Go samples are built by this machine's Go;
nothing needs a network. What the functions were kept in is removed at the end.`,
		Args:              argsBetween(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.demo(cmd, stay, asJSON)
		},
	}
	cmd.Flags().BoolVar(&stay, "stay", false, "keep serving, on "+natsd.DefaultListen+" if nobody else does")
	addJSON(cmd, &asJSON)
	return cmd
}

// demo starts a server, shows the samples on it, and ends it, or stays.
func (c *cli) demo(cmd *cobra.Command, stay, asJSON bool) (err error) {
	store, err := os.MkdirTemp("", "polyvoke-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(store)
	ctx, cancel := context.WithCancel(cmd.Context())
	all := samples.All()
	built := demo.Build(ctx, all) // it takes longest
	defer func() {
		cancel()
		_, _ = built() // whoever needed it has its error
	}()
	log := c.logger("error")
	server, err := c.demoServer(store, stay, log)
	if err != nil {
		return err
	}
	defer server.Close()
	// Its own server, whatever the user's settings are.
	s, err := c.connectTo(cmd, &client.Settings{Server: server.URL(), Timeout: demoStart}, client.Lasting)
	if err != nil {
		return err
	}
	defer s.Close()
	s.Progress, s.Waiting = nil, nil // what it does is said line by line

	return c.whileServing(ctx, s, log, func(ctx context.Context) error {
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

// whileServing serves functions on a connection while do runs, and until all has been answered.
func (c *cli) whileServing(ctx context.Context, s *client.Session, log *slog.Logger, do func(context.Context) error) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	ready := make(chan struct{})
	go func() {
		o := &serveOptions{replicas: 1, drain: time.Second}
		served <- c.serveOn(ctx, s, o, log, func(int) { close(ready) })
	}()
	defer func() {
		cancel()
		err = errors.Join(err, <-served)
	}()
	select {
	case <-ready:
	case err := <-served:
		served <- nil
		return cmp.Or(err, ctx.Err())
	}
	return do(ctx)
}

// demoServer starts NATS on a free port, or, in order to stay, on the port that clients try first.
func (c *cli) demoServer(store string, stay bool, log *slog.Logger) (*natsd.Server, error) {
	if stay {
		return c.temporaryServer(store, natsd.DefaultListen, log)
	}
	return natsd.Start(natsd.Config{Listen: "127.0.0.1:0", Store: store, Log: log})
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
