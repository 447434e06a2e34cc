package service

import (
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/frontdoor"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
)

// TestGatewayWithoutConnection checks that a gateway ends whose connection was closed for good before it could ask to
// be told of that.
func TestGatewayWithoutConnection(t *testing.T) {
	s := invokertest.Start(t, func(c *invokertest.Config) { c.Invokers = 0 })
	js, err := jetstream.New(s.Conn)
	if err != nil {
		t.Fatal(err)
	}
	s.Conn.Close()
	c := Config{Log: slog.New(slog.DiscardHandler), HTTP: HTTP{Server: frontdoor.Config{Addr: "127.0.0.1:0"}}}
	ended := make(chan error, 1)
	go func() { ended <- Gateway(t.Context(), &connect.Session{Conn: s.Conn, Client: s.Client, JS: js}, c) }()
	select {
	case err := <-ended:
		if protocol.CodeOf(err) != protocol.CodeUnavailable {
			t.Errorf("it ends with %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("it does not end")
	}
}
