package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/demo/orders"
	"github.com/polyvoke/polyvoke/cmd/internal/service"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
)

// ordersOptions are the flags of polyvoke demo --orders.
type ordersOptions struct {
	on   bool
	load orders.Load
}

// addTo adds the flags.
func (o *ordersOptions) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.on, "orders", false, "send orders through five functions in five languages instead")
	f.IntVar(&o.load.Rate, "rate", orders.DefaultRate, "with --orders: orders per second")
	f.DurationVar(&o.load.For, "for", orders.DefaultFor, "with --orders: for how long")
}

// check refuses what cannot be meant; others says that there are flags for the samples.
func (o *ordersOptions) check(cmd *cobra.Command, others bool) error {
	f := cmd.Flags()
	switch {
	case !o.on && (f.Changed("rate") || f.Changed("for")):
		return usageError(cmd, "--rate and --for need --orders")
	case o.on && others:
		return usageError(cmd, "--stay and --slow cannot be used with --orders")
	case o.load.Rate < 1 || o.load.Rate > orders.MaxRate:
		return usageError(cmd, "--rate %d must be from 1 to %d", o.load.Rate, orders.MaxRate)
	case o.load.For < 10*time.Millisecond || o.load.For > orders.MaxFor:
		return usageError(cmd, "--for %s must be from 10ms to %s", o.load.For, orders.MaxFor)
	case float64(o.load.Rate)*o.load.For.Seconds() < 1:
		return usageError(cmd, "--rate %d --for %s sends no order at all: raise one of them", o.load.Rate, o.load.For)
	}
	return nil
}

// demoOrders sends orders through functions on a server of its own, and shows them at work.
func (c *cli) demoOrders(cmd *cobra.Command, o *ordersOptions, asJSON bool) error {
	return c.onOwnServer(cmd.Context(), cmd, "127.0.0.1:0", service.HTTP{}, func(ctx context.Context, s *connect.Session) error {
		s.Progress, s.Waiting = nil, nil // what it does is said line by line
		say := func(what string) { fmt.Fprintln(c.stderr, what+" ...") }
		if err := orders.Deploy(ctx, s, say); err != nil {
			return err
		}
		say(fmt.Sprintf("sending %d orders a second for %s", o.load.Rate, o.load.For))
		screen := orders.Screen{W: c.stdout, Paint: c.paint(c.stdout)}
		show := screen.Show
		if asJSON || !terminal.Is(c.stdout) {
			show = func(orders.Result) {}
		}
		r, err := orders.Run(ctx, s, o.load, show)
		if err != nil {
			return err
		}
		if !asJSON {
			screen.Show(r)
		} else if err := printJSON(c.stdout, r); err != nil {
			return err
		}
		return orders.Verdict(r)
	})
}
