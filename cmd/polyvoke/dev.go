package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/devloop"
	"github.com/polyvoke/polyvoke/cmd/internal/natsd"
	"github.com/polyvoke/polyvoke/cmd/internal/project"
	"github.com/polyvoke/polyvoke/cmd/internal/show"
	"github.com/polyvoke/polyvoke/cmd/internal/source"
	"github.com/polyvoke/polyvoke/cmd/internal/watch"
	"github.com/polyvoke/polyvoke/protocol"
)

// devCommand serves a folder as it is at any moment.
func (c *cli) devCommand() *cobra.Command {
	var n connect.Settings
	var listen string
	var timeout time.Duration
	var web httpOptions
	cmd := &cobra.Command{
		Use:   "dev [FOLDER]",
		Short: "Serve a function and redeploy it at each change, until Ctrl-C",
		Long: `Start a NATS server on this machine, deploy the function of a folder there, and deploy it again whenever a file
in the folder changes. Calls in flight end with the version they began with. If a build fails, the error is shown
and the previous version stays. What the function writes to stderr is printed as it comes.

It also answers HTTP, on ` + defaultHTTP + ` or, if that is in use, on another port.

With --server or --context the function is deployed there instead.`,
		Args: argsBetween(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := project.Open(orHere(args)[0])
			if err != nil {
				return err
			}
			joins := n.Server != "" || n.Context != ""
			if joins && cmd.Flags().Changed("listen") {
				return usageError(cmd, "--listen starts a NATS server, but --server or --context joins one: leave one of them out")
			}
			do := func(ctx context.Context, s *connect.Session) error { return c.develop(ctx, s, p, timeout) }
			if joins {
				if err := web.joined(cmd); err != nil {
					return err
				}
				err = c.onServer(cmd, &n, do)
			} else if h, e := web.own(cmd, c); e != nil {
				err = e
			} else {
				h.Open, h.ShowStderr = c.sayHTTP(h), true
				err = c.onOwnServer(cmd.Context(), cmd, listen, h, do)
			}
			if cmd.Context().Err() != nil {
				return nil // that is how it ends
			}
			return err
		},
	}
	cmd.Flags().StringVar(&listen, "listen", natsd.DefaultListen,
		"HOST:PORT of the NATS server that it starts; another port if that is in use")
	cmd.Flags().DurationVar(&timeout, "build-timeout", project.DefaultTimeout, "how long a build may take")
	web.addAddr(cmd, defaultHTTP)
	addConnection(cmd, &n)
	return cmd
}

// onServer does something on a NATS server that is there.
func (c *cli) onServer(cmd *cobra.Command, n *connect.Settings,
	do func(context.Context, *connect.Session) error) error {
	s, err := c.connect(cmd, n)
	if err != nil {
		return err
	}
	defer s.Close()
	return do(cmd.Context(), s)
}

// develop builds, deploys and watches a project until ctx ends.
func (c *cli) develop(ctx context.Context, s *connect.Session, p *project.Project, timeout time.Duration) error {
	w, err := watch.New(watch.Config{Dir: p.Dir, Ignore: p.Output})
	if err != nil {
		return err
	}
	defer w.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	name := p.Name
	s.Edits = true
	followed := make(chan error, 1)
	go func() {
		lines := show.LogPrinter{Out: c.stdout, Paint: c.paint(c.stdout), Names: []string{name}, Follow: true}
		followed <- lines.Print(ctx, s.Client)
	}()
	defer func() { cancel(); <-followed }()

	l := devloop.Loop{
		Build: func(ctx context.Context) error {
			fresh, err := project.Open(p.Manifest)
			if err != nil {
				return err
			}
			if fresh.Name != name {
				return fmt.Errorf("the function is now called %s, no longer %s: restart polyvoke dev", fresh.Name, name)
			}
			p.Follow(fresh)
			if p.Script != "" {
				return nil
			}
			_, err = c.build(ctx, p, timeout)
			return err
		},
		Deploy: func(ctx context.Context) (protocol.DeployReply, error) { return c.deployFrom(ctx, s, p.Manifest) },
		Next:   w.Next,
		Say: func(e devloop.Event) {
			e.Print(c.stdout, c.stderr, c.paint(c.stdout),
				devloop.Place{Name: name, Server: s.URL, Request: shellQuote(p.Request()), Paste: c.pasteable})
		},
	}
	err = l.Run(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the folder is gone: %w", err)
	}
	return err
}

// deployFrom deploys what a manifest names, as polyvoke deploy would.
func (c *cli) deployFrom(ctx context.Context, s *connect.Session, manifest string) (protocol.DeployReply, error) {
	src, err := source.Read(manifest, "", "")
	if err != nil {
		return protocol.DeployReply{}, err
	}
	return c.deploy(ctx, s, src)
}
