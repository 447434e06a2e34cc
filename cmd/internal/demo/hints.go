package demo

import (
	"fmt"
	"strings"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/protocol"
)

// ByHand says how to call a sample with the official command line and with this one.
func ByHand(server string) string {
	const function, body = "greet-c", `'{"name":"Ada"}'`
	return fmt.Sprintf("  nats%s req %s.%s %s\n  polyvoke call%s %s %s\n  nats%s micro ls\n",
		server, protocol.RootCall, function, body, server, function, body, server)
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
	return &exit.Error{Code: exit.Failed, Msg: "not as it should be: " + strings.Join(wrong, ", ") + "; the table above says why"}
}
