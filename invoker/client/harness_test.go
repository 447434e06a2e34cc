package client

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// startNATS starts a NATS server without polyvoke that takes messages of so many bytes, or the usual number for 0, and
// returns a client of it. A connection may have so many subscriptions, if maxSubs says so. invokertest cannot be used
// here: it imports this package.
func startNATS(t *testing.T, maxPayload int, maxSubs ...int) *Client {
	t.Helper()
	o := &server.Options{MaxPayload: int32(maxPayload), JetStream: true, StoreDir: t.TempDir()}
	if len(maxSubs) > 0 {
		o.MaxSubs = maxSubs[0]
	}
	nc := connectTo(t, startServer(t, o), nats.MaxReconnects(-1), nats.Timeout(patience))
	return &Client{Conn: nc, Timeout: patience}
}

// startServer starts a NATS server, and returns its address.
func startServer(t *testing.T, o *server.Options) (url string) {
	t.Helper()
	o.Host, o.Port, o.NoSigs, o.NoLog = "127.0.0.1", -1, true, true
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("the NATS server did not start")
	}
	return s.ClientURL()
}

// connectTo connects to a NATS server.
func connectTo(t *testing.T, url string, options ...nats.Option) *nats.Conn {
	t.Helper()
	quiet := nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})
	nc, err := nats.Connect(url, append(options, quiet)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}
