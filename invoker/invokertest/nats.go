package invokertest

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// natsOptions returns the default options of a NATS server.
func natsOptions(o owner) *server.Options {
	return &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: o.TempDir(),
		NoSigs: true, NoLog: true}
}

// StartNATS starts a NATS server alone, for tests that need no invoker. It ends with the test. The functions change its
// options, whose defaults are those of Config.NATS.
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

// startNATS starts a NATS server, and waits until it accepts connections.
func startNATS(o owner, options *server.Options) *server.Server {
	o.Helper()
	s, err := server.NewServer(options)
	if err != nil {
		o.Fatalf("NATS server: %v", err)
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		stopNATS(s)
		o.Fatalf("the NATS server accepted no connection within %s", patience)
	}
	return s
}

// stopNATS ends a NATS server and waits for it.
func stopNATS(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// Connect connects to a NATS server. The connection reconnects quickly, logs asynchronous errors in the test's output,
// and ends with the test.
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

// connectOptions returns the options of all connections, and after them those that are given.
func connectOptions(out *output, options []nats.Option) []nats.Option {
	return append([]nats.Option{
		nats.MaxReconnects(-1), nats.ReconnectWait(10 * time.Millisecond), nats.Timeout(patience),
		nats.ReconnectJitter(time.Millisecond, time.Millisecond),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			if sub != nil {
				out.printf("connection: %s: %v\n", sub.Subject, err)
				return
			}
			out.printf("connection: %v\n", err)
		}),
	}, options...)
}
