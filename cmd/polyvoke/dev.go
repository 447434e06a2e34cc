package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/client"
	"github.com/polyvoke/polyvoke/cmd/internal/dev"
	"github.com/polyvoke/polyvoke/cmd/internal/natsd"
	"github.com/polyvoke/polyvoke/cmd/internal/project"
	"github.com/polyvoke/polyvoke/cmd/internal/watch"
	"github.com/polyvoke/polyvoke/protocol"
)

// devCommand serves a folder as it is at any moment.
func (c *cli) devCommand() *cobra.Command {
	var n client.Settings
	var listen string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "dev [FOLDER]",
		Short: "Serve a function, and each change of its sources, until Ctrl-C",
		Long: `Build and deploy the function of a folder on a NATS server of its own, on this machine, and do so again
whenever a file in the folder changes. Calls in flight end with the version they began with. What cannot be
built is shown, and the version before stays. What the function writes on stderr is printed as it comes.

With --server or --context the function goes to the polyvoke that serves there.`,
		Args: argsBetween(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := project.Open(orHere(args)[0])
			if err != nil {
				return err
			}
			joins := n.Server != "" || n.Context != ""
			if joins && cmd.Flags().Changed("listen") {
				return usageError(cmd, "--listen is for a NATS server of its own, and --server or --context joins another: choose one")
			}
			connect := func(f func(*client.Session) error) error { return c.onOwnServer(cmd, listen, f) }
			if joins {
				connect = func(f func(*client.Session) error) error { return c.onServer(cmd, &n, f) }
			}
			err = connect(func(s *client.Session) error { return c.develop(cmd.Context(), s, p, timeout) })
			if cmd.Context().Err() != nil {
				return nil // that is how it ends
			}
			return err
		},
	}
	cmd.Flags().StringVar(&listen, "listen", natsd.DefaultListen, "HOST:PORT for the NATS server of its own; another port if it is in use")
	cmd.Flags().DurationVar(&timeout, "build-timeout", project.DefaultTimeout, "how long a build may take")
	addConnection(cmd, &n)
	return cmd
}

// onServer does something on a NATS server that is there.
func (c *cli) onServer(cmd *cobra.Command, n *client.Settings, do func(*client.Session) error) error {
	s, err := c.connect(cmd, n, client.Lasting)
	if err != nil {
		return err
	}
	defer s.Close()
	return do(s)
}

// onOwnServer does something on a NATS server and a polyvoke of its own, which leave nothing behind.
func (c *cli) onOwnServer(cmd *cobra.Command, listen string, do func(*client.Session) error) error {
	store, err := os.MkdirTemp("", "polyvoke-dev-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(store)
	log := c.logger("error")
	server, err := c.temporaryServer(store, listen, log)
	if err != nil {
		return &exitError{exitFailed, fmt.Sprintf("%v: check --listen", err), err}
	}
	defer server.Close()
	s, err := c.connectTo(cmd, &client.Settings{Server: server.URL(), Timeout: demoStart}, client.Lasting)
	if err != nil {
		return err
	}
	defer s.Close()
	return c.whileServing(cmd.Context(), s, log, func(context.Context) error { return do(s) })
}

// develop builds, deploys and watches a project until ctx ends.
func (c *cli) develop(ctx context.Context, s *client.Session, p *project.Project, timeout time.Duration) error {
	w, err := watch.New(watch.Config{Dir: p.Dir, Ignore: p.Output})
	if err != nil {
		return err
	}
	defer w.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	followed := make(chan error, 1)
	go func() { followed <- c.followSubject(ctx, s, protocol.LogSubject(p.Name), &logOptions{}) }()
	defer func() { cancel(); <-followed }()

	name := p.Name
	l := dev.Loop{
		Build: func(ctx context.Context) error {
			fresh, err := project.Open(p.Dir)
			if err != nil {
				return err
			}
			if fresh.Name != name {
				return fmt.Errorf("the function is called %s now, and was called %s: start polyvoke dev anew", fresh.Name, name)
			}
			p.Follow(fresh)
			if p.Script != "" {
				return nil
			}
			_, err = c.build(ctx, p, timeout)
			return err
		},
		Deploy: func(ctx context.Context) (protocol.DeployReply, error) { return deployFolder(ctx, s, p.Dir) },
		Next:   w.Next,
		Say:    func(e dev.Event) { c.printEvent(s.URL, p, e) },
	}
	err = l.Run(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the folder is gone: %w", err)
	}
	return err
}

// deployFolder deploys what is in a folder, as polyvoke deploy would.
func deployFolder(ctx context.Context, s *client.Session, dir string) (protocol.DeployReply, error) {
	src, err := readSource(dir, "")
	if err != nil {
		return protocol.DeployReply{}, err
	}
	return s.Deploy(ctx, src.function, src.wasm)
}

// printEvent says what became of a change.
func (c *cli) printEvent(url string, p *project.Project, e dev.Event) {
	paint := c.paint(c.stdout)
	for _, w := range e.Warnings {
		fmt.Fprintf(c.stderr, "%s %s\n", c.paint(c.stderr).Bold("warning:"), w)
	}
	if len(e.Changed) > 0 {
		fmt.Fprintf(c.stdout, "%s\n", paint.Dim(strings.Join(e.Changed, ", ")+" changed"))
	}
	server := ""
	if url != nats.DefaultURL {
		server = " -s " + url
	}
	switch {
	case e.Err != nil && e.Live.Name == "":
		fmt.Fprintf(c.stderr, "%s %v\n", c.paint(c.stderr).Red("polyvoke:"), e.Err)
		fmt.Fprintf(c.stdout, "%s is not there yet: mend it and save\n", p.Name)
	case e.Err != nil:
		fmt.Fprintf(c.stderr, "%s %v\n", c.paint(c.stderr).Red("polyvoke:"), e.Err)
		fmt.Fprintf(c.stdout, "%s stays\n", paint.Bold(e.Live.String()))
	case !e.New && e.Changed != nil:
		fmt.Fprintf(c.stdout, "%s unchanged\n", paint.Bold(e.Live.String()))
	case e.Changed != nil:
		fmt.Fprintf(c.stdout, "%s live, %d ms after a build of %.1f s\n", paint.Bold(e.Live.String()), e.Swapped.Milliseconds(), e.Built.Seconds())
	default:
		fmt.Fprintf(c.stdout, "%s live on %s; Ctrl-C ends it. Call it:\n  nats%s req %s.%s '...'\n  polyvoke call%[3]s %[5]s @%s\n", paint.Bold(e.Live.String()), url,
			server, protocol.RootCall, p.Name, filepath.Join(p.Dir, "in.json"))
	}
}

// temporaryServer starts NATS on an address or, if others have that, on a free port.
func (c *cli) temporaryServer(store, listen string, log *slog.Logger) (*natsd.Server, error) {
	config := natsd.Config{Listen: listen, Store: store, Log: log}
	server, err := natsd.Start(config)
	if errors.Is(err, natsd.ErrInUse) {
		fmt.Fprintf(c.stderr, "%s is in use by another server, so this is on another port\n", listen)
		config.Listen = "127.0.0.1:0"
		server, err = natsd.Start(config)
	}
	return server, err
}
