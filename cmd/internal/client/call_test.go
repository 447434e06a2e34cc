package client_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/cmd/internal/client"
	"github.com/polyvoke/polyvoke/cmd/internal/natsd"
	"github.com/polyvoke/polyvoke/protocol"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// connect starts a NATS server without polyvoke and connects to it.
func connect(t *testing.T) *client.Session {
	t.Helper()
	server, err := natsd.Start(natsd.Config{Listen: "127.0.0.1:0", Store: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	s, err := client.Connect(&client.Settings{Server: server.URL(), Timeout: patience}, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// TestCallSaysHowLongItWaits checks the header Fn-Timeout of calls: the caller's own remaining time.
func TestCallSaysHowLongItWaits(t *testing.T) {
	s := connect(t)
	sub, err := s.Subscribe("fn.f", func(m *nats.Msg) { _ = m.Respond([]byte(m.Header.Get(protocol.HeaderTimeout))) })
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	for _, c := range []struct {
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
		if c.context > 0 {
			ctx, cancel = context.WithTimeout(ctx, c.context)
		}
		r, err := s.Call(ctx, &protocol.Request{Function: protocol.Ref{Name: "f"}, Timeout: c.own})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if d, err := time.ParseDuration(string(r.Body)); err != nil || d < c.least || d > c.most {
			t.Errorf("a caller that %s: %q, want %v to %v", c.what, r.Body, c.least, c.most)
		}
	}
}

// TestTimeOutIsTheCallers checks that a caller's own time-out is called that.
func TestTimeOutIsTheCallers(t *testing.T) {
	s := connect(t)
	sub, err := s.SubscribeSync("fn.f") // which never answers
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	_, err = s.Call(t.Context(), &protocol.Request{Function: protocol.Ref{Name: "f"}, Timeout: 50 * time.Millisecond})
	if protocol.CodeOf(err) != protocol.CodeTimeout || !strings.Contains(err.Error(), "the caller's time") || strings.Contains(err.Error(), "limits.timeout") {
		t.Errorf("got %v", err)
	}
	if n, _, err := sub.Pending(); err != nil || n != 1 {
		t.Errorf("%d messages were sent, want 1: a call is sent at most once (%v)", n, err)
	}
}
