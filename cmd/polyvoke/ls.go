package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/protocol"
)

// lsCommand lists the functions.
func (c *cli) lsCommand() *cobra.Command {
	var n connection
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
			functions, err := s.list(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.stdout, protocol.ListReply{Functions: append([]protocol.Function{}, functions...)})
			}
			if len(functions) == 0 {
				fmt.Fprintf(c.stderr, "nothing is deployed on %s yet: polyvoke deploy FILE.wasm\n", s.url)
				return nil
			}
			c.printFunctions(functions)
			return nil
		},
	}
	n.addTo(cmd)
	addJSON(cmd, &asJSON)
	return cmd
}

// printFunctions prints a table of functions, or of versions of one.
func (c *cli) printFunctions(functions []protocol.Function) {
	var rows [][]string
	for _, f := range functions {
		limits := f.Limits.WithDefaults()
		rows = append(rows, []string{f.Name, fmt.Sprint(f.Version), f.Language, bytesText(f.Size),
			limits.Timeout.String(), limits.Memory.String(), age(f.Created)})
	}
	table(c.stdout, c.paint(c.stdout), []string{"NAME", " VERSION", "LANGUAGE", " SIZE", " TIMEOUT", " MEMORY", " AGE"}, rows)
}

// age returns how long ago something was, in the largest unit that says enough.
func age(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	switch d := time.Since(t); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}
