package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
)

// usageError says what is wrong with a command line, and how it is meant.
func usageError(cmd *cobra.Command, format string, a ...any) error {
	msg := fmt.Sprintf(format, a...)
	msg += fmt.Sprintf("\nusage: %s\n%s --help shows all flags", cmd.UseLine(), cmd.CommandPath())
	return &exit.Error{Code: exit.Usage, Msg: msg}
}

// exit prints an error, if there is one to print, and returns the exit code.
func (c *cli) exit(err error) int {
	if err == nil {
		return 0
	}
	msg := err.Error()
	if exit.Of(err) == exit.Interrupted {
		msg = "interrupted"
	}
	if msg != "" {
		p := c.paint(c.stderr)
		fmt.Fprintf(c.stderr, "%s %s\n", p.Red("polyvoke:"), c.pasteable(strings.TrimSpace(msg)))
	}
	return exit.Of(err)
}
