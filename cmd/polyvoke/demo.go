package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/demo"
	"github.com/polyvoke/polyvoke/cmd/internal/interpreters"
	"github.com/polyvoke/polyvoke/cmd/internal/natsd"
	"github.com/polyvoke/polyvoke/cmd/internal/service"
	"github.com/polyvoke/polyvoke/runtimes/script"
)

// demoCommand shows everything at once.
func (c *cli) demoCommand() *cobra.Command {
	var stay, slow, asJSON bool
	var o ordersOptions
	var web httpOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Start everything, deploy the samples, call them, and show the replies",
		Long: `Start NATS and polyvoke on this machine, deploy the sample functions, send each its
requests and ` + fmt.Sprint(demo.Timed) +
			` more, and show the replies. The Go sample is built by the Go of this machine;
nothing needs a network. Scripts are shown in the languages whose runtimes are here (polyvoke runtime ls). Everything
is removed at the end.

With --orders it sends orders through five functions in five languages, which know nothing of one another, and
checks that every order comes out once.`,
		Args:              argsBetween(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(cmd, stay || slow); err != nil {
				return err
			}
			if o.on {
				return c.demoOrders(cmd, &o, asJSON)
			}
			h, err := web.own(cmd, c)
			if err != nil {
				return err
			}
			if h.Open = c.sayHTTP(h); !stay {
				h = service.HTTP{}
			}
			return c.demo(cmd, stay, slow, asJSON, h)
		},
	}
	cmd.Flags().BoolVar(&stay, "stay", false,
		"keep serving afterwards, on "+natsd.DefaultListen+" if that is free, and HTTP")
	cmd.Flags().BoolVar(&slow, "slow", false, "include the samples that take longer to build")
	o.addTo(cmd)
	web.addAddr(cmd, defaultHTTP)
	addJSON(cmd, &asJSON)
	return cmd
}

// demo starts a server, shows the samples on it, and ends it, or stays.
func (c *cli) demo(cmd *cobra.Command, stay, slow, asJSON bool, web service.HTTP) error {
	ctx, cancel := context.WithCancel(cmd.Context())
	runtimes := interpreters.Here().List()
	all := demo.Choose(slow, runtimes)
	built := demo.Build(ctx, all) // it takes longest
	defer func() {
		cancel()
		_, _ = built() // whoever needed it has its error
	}()
	listen := "127.0.0.1:0"
	if stay {
		listen = natsd.DefaultListen // where clients try first
	}
	return c.onOwnServer(ctx, cmd, listen, web, func(ctx context.Context, s *connect.Session) error {
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
		var pages demo.Pages
		if stay {
			if pages, err = c.addPages(ctx, s, runtimes); err != nil {
				return err
			}
		}
		if err := c.printDemo(s.URL, results, stay, pages, asJSON); err != nil {
			return err
		}
		if stay {
			<-ctx.Done()
		}
		return demo.Verdict(results)
	})
}

// addPages deploys what people use by HTTP: the chats, and lists of things to do if their runtime is on this machine.
func (c *cli) addPages(ctx context.Context, s *connect.Session, runtimes []script.Info) (pages demo.Pages, err error) {
	if pages.Chats, err = demo.Chats(ctx, s, runtimes); err != nil {
		return pages, err
	}
	if _, err := interpreters.Here().Get(demo.TodoRuntime); errors.Is(err, fs.ErrNotExist) {
		return pages, nil
	}
	if err := c.addMissing(ctx, s, demo.TodoRuntime); err != nil {
		return pages, err
	}
	pages.Lists = true
	return pages, demo.Todo(ctx, s)
}

// printDemo prints the table, and how to go on by hand.
func (c *cli) printDemo(url string, results []demo.Result, stay bool, pages demo.Pages, asJSON bool) error {
	if asJSON {
		return printJSON(c.stdout, map[string]any{"url": url, "functions": results})
	}
	fmt.Fprintln(c.stdout)
	demo.Table(c.stdout, c.paint(c.stdout), results)
	return demo.NextSteps(c.stdout, url, stay, pages, c.pasteable)
}
