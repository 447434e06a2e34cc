package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/show"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/invoker/client"
)

// top shows what functions do, as top(1) does for processes.
type top struct {
	c        *cli
	names    []string // patterns; none: all
	interval time.Duration
	order    string
	once     bool
	json     bool

	meter  client.Meter
	screen show.Screen
}

// shortestInterval is how often invokers can be asked. Each answers for all of its functions.
const shortestInterval = 500 * time.Millisecond

// topCommand shows what functions do, again and again.
func (c *cli) topCommand() *cobra.Command {
	var n connect.Settings
	t := top{c: c}
	cmd := &cobra.Command{
		Use:   "top [NAME...]",
		Short: "Show what functions do now: calls, errors, durations, memory",
		Long: `Show what functions do now, on all invokers together. NAME is a function, or a pattern such as 'order-*'.

CALLS/S, ERRORS/S and MEAN are of the time since the table before. P50, P99 (of the slowest invoker) and MEMORY (the
most that a process has had) are of the time since each invoker started.

On a terminal the table is refreshed in place until Ctrl-C. Elsewhere tables follow one another, and with --json
documents, one a line.`,
		ValidArgsFunction: c.completeNames(&n),
		RunE: func(cmd *cobra.Command, args []string) error {
			t.names = args
			if err := t.check(cmd); err != nil {
				return err
			}
			s, err := c.connect(cmd, &n)
			if err != nil {
				return err
			}
			defer s.Close()
			return t.run(cmd.Context(), s.Client)
		},
	}
	f := cmd.Flags()
	f.DurationVarP(&t.interval, "interval", "i", 2*time.Second, "time between two tables")
	f.StringVar(&t.order, "sort", "calls", "what to sort by: "+strings.Join(show.TopOrders(), ", "))
	f.BoolVar(&t.once, "once", false, "print one table, after one interval")
	_ = cmd.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions(show.TopOrders(),
		cobra.ShellCompDirectiveNoFileComp))
	addConnection(cmd, &n)
	addJSON(cmd, &t.json)
	return cmd
}

// check refuses settings that mean nothing.
func (t *top) check(cmd *cobra.Command) error {
	if t.interval < shortestInterval {
		return usageError(cmd, "--interval %s must be %s or more", t.interval, shortestInterval)
	}
	if !slices.Contains(show.TopOrders(), t.order) {
		return usageError(cmd, "--sort %q: use %s", t.order, strings.Join(show.TopOrders(), ", "))
	}
	for _, p := range t.names {
		if _, err := path.Match(p, ""); err != nil {
			return usageError(cmd, "%q is no pattern: %v", p, err)
		}
	}
	return nil
}

// run shows tables until ctx ends, which is how it ends well.
func (t *top) run(ctx context.Context, c *client.Client) error {
	t.screen.Out = t.c.stdout
	tick := time.NewTicker(t.interval)
	defer tick.Stop()
	for first := true; ; first = false {
		all, err := c.Instances(ctx)
		switch {
		case ctx.Err() != nil && !t.once:
			return nil
		case err != nil && (first || t.once || exit.Of(err) != exit.Platform):
			return err
		case err != nil:
			fmt.Fprintf(t.c.stderr, "%v\n", err) // it may come back
			t.screen = show.Screen{Out: t.c.stdout}
		default:
			loads := t.choose(t.meter.Add(all, time.Now()))
			if !t.once || !first {
				if err := t.show(loads); err != nil || t.once {
					return err
				}
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if t.once {
				return ctx.Err()
			}
			return nil
		}
	}
}

// choose returns the functions that are asked for, in the order that is.
func (t *top) choose(all []client.Load) []client.Load {
	all = slices.DeleteFunc(all, func(l client.Load) bool { return !matches(t.names, l.Function) })
	show.SortLoads(all, t.order)
	return all
}

// matches reports whether a name matches one of several patterns, or there are none.
func matches(patterns []string, name string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return ok && err == nil
	})
}

// topDocument is what top prints with --json.
type topDocument struct {
	Time      time.Time     `json:"time"`
	Functions []client.Load `json:"functions"`
}

// show shows one table.
func (t *top) show(loads []client.Load) error {
	if t.json {
		e := json.NewEncoder(t.c.stdout)
		e.SetEscapeHTML(false)
		return e.Encode(topDocument{time.Now().UTC(), append([]client.Load{}, loads...)})
	}
	if t.once || !terminal.Is(t.c.stdout) {
		show.Loads(t.c.stdout, t.c.paint(t.c.stdout), loads, 0)
		if !t.once {
			fmt.Fprintln(t.c.stdout)
		}
		return nil
	}
	height, width := windowSize()
	var b bytes.Buffer
	show.Loads(&b, "", loads, height)
	t.screen.Show(show.Cut(b.Bytes(), width))
	return nil
}
