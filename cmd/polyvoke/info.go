package main

import (
	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/show"
	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/protocol"
)

// infoDocument is what info prints with --json.
type infoDocument struct {
	protocol.InfoReply                      // its stats are the sum of all invokers
	Invokers           []client.MemberStats `json:"invokers"`
}

// infoCommand shows everything about one function.
func (c *cli) infoCommand() *cobra.Command {
	var n connect.Settings
	var asJSON, each bool
	cmd := &cobra.Command{
		Use:   "info NAME",
		Short: "Show a function, its versions and its figures",
		Long: `Show a function, its versions and its figures. The figures are the sum of all invokers since each started;
durations are those of the slowest. With --by-invoker those of each follow.`,
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
			d := infoDocument{InfoReply: i}
			if d.Invokers, err = s.Figures(cmd.Context(), i.Function.Name); err != nil {
				return err
			}
			if len(d.Invokers) > 0 { // else the invoker that answered has just ended
				d.Stats = client.Sum(d.Invokers)
			}
			if asJSON {
				return printJSON(c.stdout, d)
			}
			show.Info(c.stdout, c.paint(c.stdout), d.InfoReply, max(len(d.Invokers), 1))
			if each {
				show.Members(c.stdout, c.paint(c.stdout), d.Invokers)
			}
			return nil
		},
	}
	cmd.Flags().BoolVarP(&each, "by-invoker", "v", false, "show the figures of each invoker too")
	addConnection(cmd, &n)
	addJSON(cmd, &asJSON)
	return cmd
}
