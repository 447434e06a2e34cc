package protocol_test

import (
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/protocol"
)

// TestNoMessage makes messages of requests that can be none: whoever receives one would refuse it, and a client library
// may write the name of a header as it is.
func TestNoMessage(t *testing.T) {
	many := protocol.Header{}
	for i := range protocol.MaxHeaders + 1 {
		many[strings.Repeat("h", i+1)] = []string{"v"}
	}
	for what, tt := range map[string]struct {
		r    protocol.Request
		code int // 0: it can be one
	}{
		"a header":            {protocol.Request{Header: protocol.Header{"Mine": {"a", "b"}}}, 0},
		"a value with blanks": {protocol.Request{Header: protocol.Header{"Mine": {" a\t"}}}, 0},
		"a name with a line":  {protocol.Request{Header: protocol.Header{"A\r\nFn-Hops": {"0"}}}, protocol.CodeBadRequest},
		"a name with a colon": {protocol.Request{Header: protocol.Header{"A:B": {"0"}}}, protocol.CodeBadRequest},
		"no name":             {protocol.Request{Header: protocol.Header{"": {"0"}}}, protocol.CodeBadRequest},
		"many headers":        {protocol.Request{Header: many}, protocol.CodeHeaders},
		"a long header": {protocol.Request{
			Header: protocol.Header{"A": {strings.Repeat("x", protocol.MaxHeaderBytes)}}}, protocol.CodeHeaders},
		"an argument of dots":   {protocol.Request{Args: []string{"a.b"}}, protocol.CodeBadRequest},
		"an argument of a line": {protocol.Request{Args: []string{"a\r\nPUB b 0"}}, protocol.CodeBadRequest},
		"a long argument": {protocol.Request{
			Args: []string{strings.Repeat("x", protocol.MaxCall)}}, protocol.CodeBadRequest},
	} {
		tt.r.Function.Name = "f"
		if _, _, _, err := tt.r.Message(); protocol.CodeOf(err) != tt.code {
			t.Errorf("%s: %v, want code %d", what, err, tt.code)
		}
	}
}
