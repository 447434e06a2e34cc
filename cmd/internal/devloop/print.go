package devloop

import (
	"fmt"
	"io"
	"strings"

	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/protocol"
)

// defaultServer is where clients go that are not told where.
const defaultServer = "nats://127.0.0.1:4222"

// Print says what became of a change: what is live now on out, what is wrong on talk. It names the function, the
// server that it is on, and a file with a request to try it with.
func (e Event) Print(out, talk io.Writer, p terminal.Paint, name, server, request string) {
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
		fmt.Fprintf(out, "%s is not deployed yet: fix the error and save\n", name)
	case e.Err != nil:
		fmt.Fprintf(out, "%s stays\n", live)
	case e.First:
		fmt.Fprintf(out, "%s live on %s; Ctrl-C ends it. Call it:\n", live, server)
		flag := ""
		if server != defaultServer {
			flag = " -s " + server
		}
		fmt.Fprintf(out, "  nats%s req %s.%s '...'\n  polyvoke call%[1]s %[3]s @%s\n", flag, protocol.RootCall, name, request)
	case !e.New:
		fmt.Fprintf(out, "%s unchanged\n", live)
	default:
		fmt.Fprintf(out, "%s live, %d ms after a build of %.1f s\n", live, e.Swapped.Milliseconds(), e.Built.Seconds())
	}
}
