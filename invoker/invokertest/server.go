package invokertest

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/backend/secrets"
	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/invoker/interpreters"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/script"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// patience is how long what must happen is waited for.
const patience = time.Minute

// Config configures Start and New. The functions that they are given may change it; before that each field has the
// default that its comment names.
type Config struct {
	// NATS has the options of the NATS server. By default it listens on loopback, on a free port, keeps JetStream in a
	// folder of the test and logs nothing; the other options have the server's own defaults.
	NATS *server.Options
	// Connect has options of all connections, such as a user and a password. There are none by default.
	Connect []nats.Option
	// Invokers is the number of invokers to begin with. The default is 1; StartInvoker adds more.
	Invokers int
	// Memory keeps functions in memory instead of on JetStream. All invokers share them, and scripts cannot be
	// deployed. The default is false.
	Memory bool
	// Jobs runs durable calls and answers the control verbs about them. It needs JetStream. The default is false.
	Jobs bool
	// Secrets has what functions can be granted as secrets. The default is nil: there are none.
	Secrets secrets.Source
	// Private are addresses that functions may ask by HTTP although they are none of the internet, such as those of a
	// test's own server. The default is nil: there are none.
	Private []netip.Prefix
	// Drain is how long an invoker that ends goes on with calls. The default is 10 s.
	Drain time.Duration
	// Sandbox configures the sandbox, which all invokers share. Set its CacheDir to keep compiled modules for other
	// tests. The default is the zero value, with a Log in the test's output.
	Sandbox wasi.Config
	// Runtime runs functions instead of the sandbox, and stays open: tests that share one compile a module once.
	// Scripts cannot be deployed then, unless Invoker sets Interpreters. The default is nil.
	Runtime runtimes.Runtime
	// Invoker, if not nil, changes each invoker before it serves. The default is nil.
	Invoker func(*invoker.Invoker)
	// Stderr shows what functions write to stderr in the test's output. The default is true.
	Stderr bool
}

// Server is a NATS server, the invokers on it, and a client. Its methods may make the test fail, so only the goroutine
// of the test may call them. Other goroutines use Client.
type Server struct {
	// URL is the address of the NATS server.
	URL string
	// NATS is the NATS server, so that a test can look into it or shut it down.
	NATS *server.Server
	// Conn is a client's connection, which reconnects.
	Conn *nats.Conn
	// Client deploys and calls on Conn.
	Client *client.Client

	config Config
	owner  owner
	out    *output
	memory registry.Memory // of functions, if the configuration says so
	closed bool
	ends   []func() // what ends the rest, the last one first
}

// Start starts a NATS server and invokers on it, and returns when they serve. They end with the test. The functions
// change the configuration, in order. The test fails if anything cannot be started or ended.
func Start(t testing.TB, change ...func(*Config)) *Server {
	t.Helper()
	return start(t, newOutput(t), change)
}

// New is Start for an Example or TestMain, where there is no test. It panics where a test would fail. The caller must
// call Close.
func New(change ...func(*Config)) *Server {
	return start(&program{}, &output{}, change)
}

// start starts a server that belongs to a test or a program.
func start(o owner, out *output, change []func(*Config)) *Server {
	o.Helper()
	config := Config{NATS: natsOptions(o), Invokers: 1, Drain: 10 * time.Second, Stderr: true}
	s := &Server{owner: o, out: out, config: config}
	for _, c := range change {
		c(&s.config)
	}
	o.Cleanup(s.Close)
	s.NATS = startNATS(o, s.config.NATS)
	s.later(func() { stopNATS(s.NATS) })
	s.URL = s.NATS.ClientURL()
	s.Conn = s.Connect()
	s.Client = &client.Client{Conn: s.Conn, URL: s.URL}
	if s.config.Stderr {
		s.showStderr()
	}
	for range s.config.Invokers {
		s.StartInvoker()
	}
	return s
}

// later adds something to do at the end, before what was added earlier.
func (s *Server) later(end func()) { s.ends = append(s.ends, end) }

// Close ends the invokers, the connections and the NATS server, in this order, and waits for them. The end of the test
// calls it; a test may call it earlier, and more than once.
func (s *Server) Close() {
	if s.closed {
		return
	}
	s.closed = true
	for len(s.ends) > 0 {
		last := len(s.ends) - 1
		end := s.ends[last]
		s.ends = s.ends[:last]
		end()
	}
	s.out.close()
	if p, ok := s.owner.(*program); ok {
		p.end()
	}
}

// Connect returns another connection to the NATS server. It reconnects, logs asynchronous errors in the test's output,
// and ends with the test.
func (s *Server) Connect(options ...nats.Option) *nats.Conn {
	s.owner.Helper()
	nc, err := nats.Connect(s.URL, connectOptions(s.out, append(s.config.Connect, options...))...)
	if err != nil {
		s.owner.Fatalf("connect to %s: %v", s.URL, err)
	}
	s.later(nc.Close)
	return nc
}

// Logged returns what the invokers have logged and functions have written to stderr so far.
func (s *Server) Logged() string { return s.out.String() }

// showStderr copies what functions write to stderr to the log.
func (s *Server) showStderr() {
	s.owner.Helper()
	_, err := s.Conn.Subscribe(protocol.LogSubject(">"), func(m *nats.Msg) {
		l := protocol.ParseLogLine(protocol.Header(m.Header), m.Data)
		s.out.printf("%s %s: %s\n", l.Function, l.ID, l.Text)
	})
	if err = errors.Join(err, s.Conn.FlushTimeout(patience)); err != nil {
		s.owner.Fatalf("subscribe to log lines: %v", err)
	}
}

// openRuntime makes what runs functions, for the first invoker, unless there is one.
func (s *Server) openRuntime() {
	s.owner.Helper()
	if s.config.Runtime != nil {
		return
	}
	if s.config.Sandbox.Log == nil {
		s.config.Sandbox.Log = logTo(s.out)
	}
	sandbox, err := wasi.New(context.Background(), s.config.Sandbox)
	if err != nil {
		s.owner.Fatalf("sandbox: %v", err)
	}
	s.later(func() {
		if err := sandbox.Close(context.Background()); err != nil {
			s.owner.Errorf("close the sandbox: %v", err)
		}
	})
	s.config.Runtime = sandbox
	if s.config.Memory || !s.config.NATS.JetStream {
		return
	}
	store := &interpreters.Store{Registry: open(s.owner, s.Conn, registry.Config{Runtimes: true}), Describe: describe}
	s.config.Runtime = script.New(sandbox, store)
	change := s.config.Invoker
	s.config.Invoker = func(v *invoker.Invoker) {
		v.Interpreters = store
		if change != nil {
			change(v)
		}
	}
}

// describe says of the runtime of a script what an invoker keeps.
func describe(bundle []byte) (protocol.Function, error) {
	b, err := script.ParseBundle(bundle)
	if err != nil {
		return protocol.Function{}, err
	}
	return protocol.Function{Name: b.Name, Language: b.Language}, nil
}
