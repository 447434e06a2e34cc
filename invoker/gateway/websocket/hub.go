// Package websocket keeps the WebSockets of a gateway: clients stay connected, and functions stay stateless processes.
//
// In go a request for an upgrade whose route and access are decided, and messages of NATS; out come calls, one for each
// event of a connection, and messages to clients. Section 16 of the specification says what the events are.
//
// The files are the steps of a connection: serve.go agrees to it, read.go takes its messages, call.go calls the
// function, write.go sends, and end.go ends it. push.go and topic.go bring what is published, ping.go finds peers that
// are gone. An idle connection has one goroutine, which reads, and neither a buffer for writing nor a timer. Those that
// call and write come and go with what there is to do.
package websocket

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gorilla "github.com/gorilla/websocket"
	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/denials"
	"github.com/polyvoke/polyvoke/protocol"
)

// Config says how a Hub keeps connections. The zero value of each field but Caller and Conn is good.
type Config struct {
	// Caller runs the functions. It must not be nil.
	Caller protocol.Caller
	// Conn brings what is published for clients. It must not be nil, and its ErrorHandler must not be set afterwards.
	// The hub does not close it.
	Conn *nats.Conn
	// ID is the gateway's part of a connection's id, one token of a subject that no other gateway has. Empty means a
	// random one.
	ID string
	// Observer is told what happens. Nil means nobody.
	Observer Observer
	// Ping is the time between two pings of a connection. A peer of which nothing has come in that time is gone. 0
	// means DefaultPing.
	Ping time.Duration
	// Patience is how long a client may take for a message, besides a second for each 64 KiB of it. 0 means
	// DefaultPatience.
	Patience time.Duration
	// Most is how many connections there may be at a time. 0 means as many as come.
	Most int
	// Log takes what operators should know. Nil discards it.
	Log *slog.Logger
}

// Defaults of a Config.
const (
	DefaultPing     = 30 * time.Second
	DefaultPatience = 10 * time.Second
)

// Buffers of a connection, in bytes. Those for writing are shared.
const (
	readBuffer  = 512
	writeBuffer = 4096
)

// Observer counts what happens to connections. Its methods must not wait, and may be called from several goroutines.
type Observer interface {
	Opened()   // a connection is open
	Closed()   // one that was open has ended
	Received() // a client has sent a message
	Sent()     // a message goes to a client
	Dropped()  // a client was too slow for a message
	Rejected() // a request has become no connection
}

// nobody is told nothing.
type nobody struct{}

// Opened implements Observer.
func (nobody) Opened() {}

// Closed implements Observer.
func (nobody) Closed() {}

// Received implements Observer.
func (nobody) Received() {}

// Sent implements Observer.
func (nobody) Sent() {}

// Dropped implements Observer.
func (nobody) Dropped() {}

// Rejected implements Observer.
func (nobody) Rejected() {}

// Hub keeps connections. Its methods may be called from several goroutines. It costs nothing until the first one.
type Hub struct {
	config   Config
	id       string
	upgrader gorilla.Upgrader
	denials  *denials.Watch
	buffers  sync.Pool // *bytes.Buffer, of messages that are read
	workers  workers
	relay    relay
	closes   chan struct{} // has an element for each event "close" that is called for now

	// calls is the context of calls, which outlive the request that their connection came by. It ends when the time
	// of Drain does.
	calls context.Context
	kill  context.CancelFunc

	mu      sync.Mutex
	push    *topic // what is published for single connections; nil until there is one
	topics  map[string]*topic
	control controls
	leaving bool           // no more connections
	beating bool           // the goroutine of pings runs
	running sync.WaitGroup // connections, and what waits for topics
	pinging sync.WaitGroup

	next   atomic.Uint64
	shards [shards]shard
	count  counters
}

// shards is how many parts the connections are kept in: pings go to one after the other.
const shards = 30

// shard keeps some of the connections.
type shard struct {
	mu    sync.RWMutex
	conns map[uint64]*conn
}

// counters count what has happened.
type counters struct {
	open, opened, refused, in, out, dropped atomic.Int64
}

// Stats is what a hub has done since it was made.
type Stats struct {
	Open    int   // connections now
	Opened  int64 // connections
	Refused int64 // requests that became none
	In, Out int64 // messages from clients, and to them
	Dropped int64 // messages for clients that were too slow
}

// New returns a hub. It panics if Caller or Conn is nil.
func New(c Config) *Hub {
	if c.Caller == nil || c.Conn == nil {
		panic("websocket: a Config needs a Caller and a Conn")
	}
	if c.ID == "" {
		c.ID = strings.ToLower(rand.Text()[:16])
	}
	if c.Ping <= 0 {
		c.Ping = DefaultPing
	}
	if c.Patience <= 0 {
		c.Patience = DefaultPatience
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Observer == nil {
		c.Observer = nobody{}
	}
	h := &Hub{config: c, id: c.ID, denials: denials.On(c.Conn, nil), topics: map[string]*topic{}}
	h.closes = make(chan struct{}, mostCloses)
	h.upgrader = gorilla.Upgrader{ReadBufferSize: readBuffer, WriteBufferSize: writeBuffer,
		WriteBufferPool: &sync.Pool{}, HandshakeTimeout: c.Patience,
		CheckOrigin: func(*http.Request) bool { return true }, // done before
		Error:       func(http.ResponseWriter, *http.Request, int, error) {},
	}
	h.calls, h.kill = context.WithCancel(context.Background())
	for i := range h.shards {
		h.shards[i].conns = map[uint64]*conn{}
	}
	return h
}

// ID returns the gateway's part of the ids of connections.
func (h *Hub) ID() string { return h.id }

// Stats returns what the hub has done so far.
func (h *Hub) Stats() Stats {
	c := &h.count
	return Stats{Open: int(c.open.Load()), Opened: c.opened.Load(), Refused: c.refused.Load(),
		In: c.in.Load(), Out: c.out.Load(), Dropped: c.dropped.Load()}
}

// Connection describes a connection to people.
type Connection struct {
	ID       string // what is published on protocol.SocketSubject(ID) gets to its client
	Function protocol.Ref
	Route    string
	Client   string // the client's address
	Since    time.Time
	Topics   []string // in the order in which it got them
	Waiting  int      // messages that the client has not taken yet
}

// Connections returns at most so many of the connections, those of one shard after the other.
func (h *Hub) Connections(most int) (all []Connection) {
	for i := range h.shards {
		for _, c := range h.shards[i].list() {
			if len(all) >= most {
				return all
			}
			all = append(all, c.describe())
		}
	}
	return all
}

// Remove ends the connections of a function that is gone.
func (h *Hub) Remove(name string) {
	for i := range h.shards {
		for _, c := range h.shards[i].list() {
			if c.ref.Name == name {
				c.leave("function " + name + " is gone")
			}
		}
	}
}

// list returns the connections of a shard.
func (s *shard) list() []*conn {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]*conn, 0, len(s.conns))
	for _, c := range s.conns {
		all = append(all, c)
	}
	return all
}

// shard returns the part in which connection n is.
func (h *Hub) shard(n uint64) *shard { return &h.shards[n%shards] }

// find returns the connection with the number in the last token of a subject, or nil.
func (h *Hub) find(subject string) *conn {
	token := subject[strings.LastIndexByte(subject, '.')+1:]
	n, err := strconv.ParseUint(token, 10, 64)
	if err != nil || strconv.FormatUint(n, 10) != token {
		return nil
	}
	s := h.shard(n)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.conns[n]
}

// add takes a connection in. The error's code is 503.
func (h *Hub) add(c *conn) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.leaving:
		return protocol.Errorf(protocol.CodeUnavailable, "", "this gateway ends: connect to another one, or try again")
	case h.config.Most > 0 && h.count.open.Load() >= int64(h.config.Most):
		return protocol.Errorf(protocol.CodeUnavailable, "", "this gateway has %d WebSockets, its limit: try again later",
			h.config.Most)
	}
	h.running.Add(1)
	h.count.open.Add(1)
	s := h.shard(c.n)
	s.mu.Lock()
	s.conns[c.n] = c
	s.mu.Unlock()
	h.beat()
	return nil
}

// remove takes a connection out, after which nothing that is published finds it.
func (h *Hub) remove(c *conn) {
	s := h.shard(c.n)
	s.mu.Lock()
	delete(s.conns, c.n)
	s.mu.Unlock()
	for _, t := range c.dropTopics() {
		h.leave(t, c)
	}
}

// Drain ends all connections with code 1001, and returns when their calls have ended, those of events "close" among
// them. There are no new connections. When ctx ends first, calls are cancelled and connections cut; then the error is
// that of ctx.
func (h *Hub) Drain(ctx context.Context) error {
	h.mu.Lock()
	h.leaving = true
	h.mu.Unlock()
	all := func(end func(*conn)) {
		for i := range h.shards {
			for _, c := range h.shards[i].list() {
				end(c)
			}
		}
	}
	all(func(c *conn) { c.leave("the gateway ends") })
	done := make(chan struct{})
	go func() {
		h.running.Wait()
		close(done)
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
		h.kill()
		all((*conn).cut)
		<-done
	}
	h.kill()
	h.pinging.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.push != nil && h.push.sub != nil {
		_ = h.push.sub.Unsubscribe() // it fails only if the connection is closed
		h.push = nil
	}
	return err
}
