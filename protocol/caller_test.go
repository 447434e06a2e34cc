package protocol_test

import (
	"context"
	"testing"

	"github.com/polyvoke/polyvoke/protocol"
)

func TestFailure(t *testing.T) {
	for what, tt := range map[string]struct {
		r    *protocol.Reply
		err  error
		code int
	}{
		"success": {&protocol.Reply{}, nil, 0},
		"a failed reply": {&protocol.Reply{Err: protocol.Errorf(protocol.CodeTooMany, "", "busy")},
			nil, protocol.CodeTooMany},
		"no reply": {nil, context.DeadlineExceeded, protocol.CodeTimeout},
		"nothing":  {nil, nil, protocol.CodeFailed},
	} {
		err := protocol.Failure(tt.r, tt.err)
		if code := protocol.CodeOf(err); code != tt.code || (err == nil) != (code == 0) {
			t.Errorf("%s: %v, code %d, want %d", what, err, code, tt.code)
		}
	}
}
