package invokertest

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// natsOptions are the options of a NATS server that others do not see.
func natsOptions(o owner) *server.Options {
	return &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: o.TempDir(), NoSigs: true, NoLog: true}
}

// StartNATS starts a NATS server alone, which ends with the test, for tests of what needs no invoker. Its options are
// those of Config.NATS, and each change may change them.
func StartNATS(t testing.TB, change ...func(*server.Options)) *server.Server {
	t.Helper()
	options := natsOptions(t)
	for _, c := range change {
		c(options)
	}
	s := startNATS(t, options)
	t.Cleanup(func() { stopNATS(s) })
	return s
}

// startNATS starts a NATS server, and waits until it takes connections.
func startNATS(o owner, options *server.Options) *server.Server {
	o.Helper()
	s, err := server.NewServer(options)
	if err != nil {
		o.Fatalf("NATS server: %v", err)
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		stopNATS(s)
		o.Fatalf("the NATS server took no connections within %s", patience)
	}
	return s
}

// stopNATS ends a NATS server and waits for it.
func stopNATS(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// Connect connects to a NATS server until the test ends. The connection is made anew if it breaks, soon, and what goes
// wrong on it is in the test's output.
func Connect(t testing.TB, s *server.Server, options ...nats.Option) *nats.Conn {
	t.Helper()
	out := newOutput(t)
	nc, err := nats.Connect(s.ClientURL(), connectOptions(out, options)...)
	if err != nil {
		t.Fatalf("connect to %s: %v", s.ClientURL(), err)
	}
	t.Cleanup(func() {
		nc.Close()
		out.close()
	})
	return nc
}

// connectOptions puts options behind those that all connections have.
func connectOptions(out *output, options []nats.Option) []nats.Option {
	return append([]nats.Option{
		nats.MaxReconnects(-1), nats.ReconnectWait(10 * time.Millisecond), nats.ReconnectJitter(time.Millisecond, time.Millisecond),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			if sub != nil {
				out.printf("connection: %s: %v\n", sub.Subject, err)
				return
			}
			out.printf("connection: %v\n", err)
		}),
	}, options...)
}
