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

// NextSteps prints how to go on by hand, on the server at url if it stays, with the pages that it has. The commands go
// through paste, which completes them.
func NextSteps(w io.Writer, url string, stay bool, pages Pages, paste func(string) string) error {
	if !stay {
		_, err := fmt.Fprint(w, "\nTo call them yourself: polyvoke demo --stay, and then\n"+byHand())
		return err
	}
	_, err := fmt.Fprintf(w, "\nThey stay on %s until Ctrl-C. Call them yourself:\n%s", url, paste(byHand()))
	if err == nil && len(pages.Chats) > 0 {
		_, err = fmt.Fprintln(w, "Chat with others, where HTTP is answered; all are in one room:\n"+chatHints(pages.Chats))
	}
	if err == nil && pages.Lists {
		_, err = fmt.Fprintln(w, "Open a list of things to do in two windows:\n  http://HOST:PORT/todo/home")
	}
	return err
}

// chatHints says how to talk with the chat in each language.
func chatHints(chats []protocol.Function) string {
	var lines []string
	for i, f := range chats {
		path := strings.ReplaceAll(f.WebSocket[0].Route, "{room}", "red")
		who := talkers[i%len(talkers)]
		lines = append(lines, fmt.Sprintf("  websocat 'ws://HOST:PORT%s?name=%s'  # %s", path, who, f.Language))
	}
	return strings.Join(lines, "\n")
}

// talkers are names to chat by.
var talkers = [...]string{"Ada", "Bob", "Eve"}
