package main

import (
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
)

// paint returns the colours for what is written to w.
func (c *cli) paint(w io.Writer) terminal.Paint {
	return terminal.PaintFor(w, c.color, c.env)
}

// progress shows on stderr how much of r has been read.
func (c *cli) progress(r io.Reader, what string, total int64) io.Reader {
	return terminal.Progress(c.stderr, r, what, total)
}

// waiting shows on stderr how long something takes.
func (c *cli) waiting(what string) (done func()) { return terminal.Waiting(c.stderr, what) }

// addJSON adds the flag --json.
func addJSON(cmd *cobra.Command, v *bool) {
	cmd.Flags().BoolVar(v, "json", false, "print the result as JSON")
}

// printJSON prints v as a document for programs.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
