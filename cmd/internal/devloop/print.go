package devloop

import (
	"fmt"
	"io"
	"strings"

	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/protocol"
)

// Place is where a function is that is developed.
type Place struct {
	Name    string              // of the function
	Server  string              // that it is on
	Request string              // a file with a request to try it with
	Paste   func(string) string // completes a command in a text, so that it reaches the server
}

// Print says what became of a change: what is live now on out, what is wrong on talk.
func (e Event) Print(out, talk io.Writer, p terminal.Paint, at Place) {
	for _, w := range e.Warnings {
		fmt.Fprintf(talk, "warning: %s\n", w)
	}
	if e.Err != nil {
		fmt.Fprintf(talk, "polyvoke: %v\n", e.Err)
	}
	if len(e.Changed) > 0 {
		fmt.Fprintln(out, p.Dim(strings.Join(e.Changed, ", ")+" changed"))
	}
	live := p.Bold(e.Live.String())
	switch {
	case e.Err != nil && e.Live.Name == "":
		fmt.Fprintf(out, "%s is not deployed yet: fix the error and save\n", at.Name)
	case e.Err != nil:
		fmt.Fprintf(out, "%s stays\n", live)
	case e.First:
		fmt.Fprintf(out, "%s live on %s; Ctrl-C ends it. Call it:\n  %s\n  %s\n", live, at.Server,
			at.Paste(fmt.Sprintf("nats req %s.%s '...'", protocol.RootCall, at.Name)),
			at.Paste(fmt.Sprintf("polyvoke call %s @%s", at.Name, at.Request)))
	case !e.New:
		fmt.Fprintf(out, "%s unchanged\n", live)
	default:
		fmt.Fprintf(out, "%s live, %d ms after a build of %.1f s\n", live, e.Swapped.Milliseconds(), e.Built.Seconds())
	}
}
