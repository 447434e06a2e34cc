package client

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// TestCallSaysHowLongItWaits checks the header Fn-Timeout of calls: the caller's own remaining time.
func TestCallSaysHowLongItWaits(t *testing.T) {
	c := startNATS(t, 0)
	sub, err := c.Conn.Subscribe("fn.f", func(m *nats.Msg) { _ = m.Respond([]byte(m.Header.Get(protocol.HeaderTimeout))) })
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	for _, tt := range []struct {
		what         string
		own, context time.Duration
		least, most  time.Duration
	}{
		{"says nothing", 0, 0, time.Duration(protocol.MaxTimeout), time.Duration(protocol.MaxTimeout)},
		{"has a time", 7 * time.Second, 0, 7 * time.Second, 7 * time.Second},
		{"has a context", 0, patience, time.Second, patience},
		{"has a shorter context", time.Hour, patience, time.Second, patience},
		{"has a longer context", 7 * time.Second, time.Hour, 7 * time.Second, 7 * time.Second},
	} {
		ctx, cancel := t.Context(), context.CancelFunc(func() {})
		if tt.context > 0 {
			ctx, cancel = context.WithTimeout(ctx, tt.context)
		}
		r, err := c.Call(ctx, &protocol.Request{Function: protocol.Ref{Name: "f"}, Timeout: tt.own})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if d, err := time.ParseDuration(string(r.Body)); err != nil || d < tt.least || d > tt.most {
			t.Errorf("a caller that %s: %q, want %v to %v", tt.what, r.Body, tt.least, tt.most)
		}
	}
}

// TestTimeOutIsTheCallers checks that a caller's own time-out is called that.
func TestTimeOutIsTheCallers(t *testing.T) {
	c := startNATS(t, 0)
	sub, err := c.Conn.SubscribeSync("fn.f") // which never answers
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	_, err = c.Call(t.Context(), &protocol.Request{Function: protocol.Ref{Name: "f"}, Timeout: 50 * time.Millisecond})
	if protocol.CodeOf(err) != protocol.CodeTimeout ||
		!strings.Contains(err.Error(), "the time that the caller gave it") ||
		strings.Contains(err.Error(), "limits.timeout") {
		t.Errorf("got %v", err)
	}
	if n, _, err := sub.Pending(); err != nil || n != 1 {
		t.Errorf("%d messages were sent, want 1: a call is sent at most once (%v)", n, err)
	}
}
