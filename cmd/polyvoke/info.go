package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/client"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/protocol"
)

// infoCommand shows everything about one function.
func (c *cli) infoCommand() *cobra.Command {
	var n client.Settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "info NAME",
		Short:             "Show a function, its versions and its figures",
		Args:              argsBetween(1, 1),
		ValidArgsFunction: c.completeNames(&n),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := c.connect(cmd, &n)
			if err != nil {
				return err
			}
			defer s.Close()
			i, err := s.Info(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.stdout, i)
			}
			c.printInfo(i)
			return nil
		},
	}
	addConnection(cmd, &n)
	addJSON(cmd, &asJSON)
	return cmd
}

// printInfo prints what is known about a function.
func (c *cli) printInfo(i protocol.InfoReply) {
	f, limits := i.Function, i.Function.Limits.WithDefaults()
	var subjects []string
	for _, t := range f.Triggers {
		subjects = append(subjects, t.Subject+" (queue "+t.QueueOf(f.Name)+")")
	}
	var env []string
	for _, k := range slices.Sorted(maps.Keys(f.Env)) {
		env = append(env, k+"="+f.Env[k])
	}
	fuel := ""
	if limits.Fuel > 0 {
		fuel = fmt.Sprintf("fuel %d", limits.Fuel)
	}
	st := i.Stats
	terminal.Facts(c.stdout, c.paint(c.stdout), f.Ref().String(), [][2]string{
		{"call", protocol.RootCall + "." + f.Name},
		{"triggers", strings.Join(subjects, ", ")},
		{"language", f.Language},
		{"module", terminal.Bytes(f.Size) + ", " + f.Digest},
		{"created", f.Created.Local().Format(time.DateTime)},
		{"arguments", strings.Join(f.Args, " ")},
		{"environment", strings.Join(env, " ")},
		{"limits", join(", ", fmt.Sprintf("timeout %s", limits.Timeout), fuel, fmt.Sprintf("memory %s, stack %s, input %s, output %s, concurrency %d, queue %d",
			limits.Memory, limits.Stack, limits.Input, limits.Output, limits.Concurrency, limits.Queue))},
		{"start", st.Start},
		{"calls", fmt.Sprintf("%d, errors %d, cold starts %d, running %d, waiting %d (on the invoker that answered)",
			st.Requests, st.Errors, st.Cold, st.InFlight, st.Waiting)},
		{"duration", fmt.Sprintf("p50 %s, p99 %s", st.P50, st.P99)},
	})
	if len(i.Versions) > 1 {
		fmt.Fprintln(c.stdout)
		c.printFunctions(i.Versions)
	}
}
