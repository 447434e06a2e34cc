package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/inspect"
)

// inspectCommand shows what is in a module, without running it.
func (c *cli) inspectCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect FILE.wasm",
		Short: "Show what is in a module, and whether it can be a function",
		Long: `Show what is in a module, and whether it can be a function: what it imports and exports, its memory,
what its code can change, what metering adds, and what keeps a sandbox from being used for more than one
call. Nothing of it runs. The exit code is 126 if it cannot be a function.`,
		Args: argsBetween(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := os.ReadFile(args[0])
			if err != nil {
				return missing(args[0], err)
			}
			r, problem := inspect.Inspect(args[0], b)
			if asJSON {
				err = printJSON(c.stdout, r)
			} else {
				r.Print(c.stdout, c.paint(c.stdout))
			}
			if err == nil && problem != nil {
				err = &exitError{exitNotRunnable, fmt.Sprintf("%s: %v", args[0], problem), problem}
			}
			return err
		},
	}
	addJSON(cmd, &asJSON)
	return cmd
}
