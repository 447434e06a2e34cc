package invokertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker"
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

// Config says what Start starts. Start fills it with what the comments of its fields say, and has it changed then.
type Config struct {
	// NATS are the options of the NATS server. They are: loopback, a free port, JetStream in a folder of the test, no
	// log, and the server's own defaults for the rest.
	NATS *server.Options
	// Connect are options of all connections, such as the user of a server that wants one. None.
	Connect []nats.Option
	// Invokers is how many invokers serve. 1; StartInvoker adds more.
	Invokers int
	// Memory keeps functions in memory, for all invokers, in place of JetStream. There are no scripts then. False.
	Memory bool
	// Drain is how long an invoker goes on with calls after it was told to end. 10 s.
	Drain time.Duration
	// Sandbox is the configuration of the sandbox, which all invokers share. Its CacheDir keeps compiled modules for
	// other tests. The zero value.
	Sandbox wasi.Config
	// Runtime runs functions in place of the sandbox, and is not closed: one for all tests compiles a module once.
	// There are no scripts then, unless Invoker brings them. Nil.
	Runtime runtimes.Runtime
	// Invoker, if not nil, changes each invoker before it serves. Nil.
	Invoker func(*invoker.Invoker)
	// Stderr shows what functions write to stderr in the test's output. True.
	Stderr bool
}

// Server is a NATS server, invokers that serve on it, and a client of both. Its methods that have a test fail must be
// called by the goroutine that runs the test; others call with Client.
type Server struct {
	// URL is the address of the NATS server.
	URL string
	// NATS is the NATS server, so that a test can look into it or shut it down.
	NATS *server.Server
	// Conn is a client's connection. It is made anew if it breaks.
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

// Start starts a NATS server and invokers that serve on it, and returns when calls are taken. They end with the test.
// Each change may change the configuration. The test fails if anything cannot be started or ended.
func Start(t testing.TB, change ...func(*Config)) *Server {
	t.Helper()
	return start(t, newOutput(t), change)
}

// New is Start where there is no test, as in an Example or in TestMain. It panics where a test would fail, and Close
// must be called.
func New(change ...func(*Config)) *Server {
	return start(&program{}, &output{}, change)
}

// start starts a server that belongs to a test or a program.
func start(o owner, out *output, change []func(*Config)) *Server {
	o.Helper()
	s := &Server{owner: o, out: out, config: Config{NATS: natsOptions(o), Invokers: 1, Drain: 10 * time.Second, Stderr: true}}
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

// later has something done at the end, before what was put there earlier.
func (s *Server) later(end func()) { s.ends = append(s.ends, end) }

// Close ends invokers, connections and the NATS server, in this order, and returns when they have ended. It is called
// at the end of the test, and may be called before, also twice.
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

// Connect returns a further connection to the NATS server, which ends with the test. It is made anew if it breaks, and
// what goes wrong on it is in the test's output.
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

// showStderr has the lines that functions write to stderr in the log.
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
