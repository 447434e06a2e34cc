package demo

import (
	"fmt"
	"io"
	"strings"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/protocol"
)

// byHand says how to call a sample with the official command line and with this one.
func byHand() string {
	const function, body = "greet-c", `'{"name":"Ada"}'`
	return fmt.Sprintf("  nats req %s.%s %s\n  polyvoke call %s %s\n  nats micro ls\n",
		protocol.RootCall, function, body, function, body)
}

// Verdict is the error for a demonstration in which something was wrong.
func Verdict(results []Result) error {
	var wrong []string
	for _, r := range results {
		if !r.Right() {
			wrong = append(wrong, r.Function)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return &exit.Error{Code: exit.Failed,
		Msg: "wrong replies from " + strings.Join(wrong, ", ") + ": the table above says why"}
}

// NextSteps prints how to go on by hand, on the server at url if it stays, which has lists of Todo if lists says so. The
// commands go through paste, which completes them.
func NextSteps(w io.Writer, url string, stay, lists bool, paste func(string) string) error {
	if !stay {
		_, err := fmt.Fprint(w, "\nTo call them yourself: polyvoke demo --stay, and then\n"+byHand())
		return err
	}
	_, err := fmt.Fprintf(w, "\nThey stay on %s until Ctrl-C. Call them yourself:\n%s", url, paste(byHand()))
	if err == nil {
		_, err = fmt.Fprintln(w, "Chat with others, where HTTP is answered:\n"+
			"  websocat 'ws://HOST:PORT/chat/red?name=Ada'")
	}
	if err == nil && lists {
		_, err = fmt.Fprintln(w, "Open a list of things to do in two windows:\n  http://HOST:PORT/todo/home")
	}
	return err
}
