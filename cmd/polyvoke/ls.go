package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/client"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/protocol"
)

// lsCommand lists the functions.
func (c *cli) lsCommand() *cobra.Command {
	var n client.Settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "ls",
		Aliases:           []string{"list"},
		Short:             "List the functions",
		Args:              argsBetween(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := c.connect(cmd, &n)
			if err != nil {
				return err
			}
			defer s.Close()
			functions, err := s.List(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.stdout, protocol.ListReply{Functions: append([]protocol.Function{}, functions...)})
			}
			if len(functions) == 0 {
				fmt.Fprintf(c.stderr, "nothing is deployed on %s yet: polyvoke deploy FILE.wasm\n", s.URL)
				return nil
			}
			c.printFunctions(functions)
			return nil
		},
	}
	addConnection(cmd, &n)
	addJSON(cmd, &asJSON)
	return cmd
}

// printFunctions prints a table of functions, or of versions of one.
func (c *cli) printFunctions(functions []protocol.Function) {
	var rows [][]string
	for _, f := range functions {
		limits, age := f.Limits.WithDefaults(), ""
		if !f.Created.IsZero() {
			age = terminal.Age(time.Since(f.Created))
		}
		rows = append(rows, []string{f.Name, fmt.Sprint(f.Version), f.Language, terminal.Bytes(f.Size),
			limits.Timeout.String(), limits.Memory.String(), age})
	}
	terminal.Table(c.stdout, c.paint(c.stdout), []string{"NAME", " VERSION", "LANGUAGE", " SIZE", " TIMEOUT", " MEMORY", " AGE"}, rows)
}
