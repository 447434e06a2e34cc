package websocket

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/polyvoke/polyvoke/protocol"
)

// conn is one connection. Many are idle, so that every byte of it counts.
type conn struct {
	hub    *Hub
	n      uint64
	ref    protocol.Ref
	route  *protocol.WebSocketRoute
	to     string   // the subject on which answers are published; empty: they are sent back
	kept   []string // names and values of the headers that come with every event, in pairs
	since  int64    // seconds since 1970
	allows int64    // when the rate allows a message that follows its predecessors closely, in ns since 1970

	heard atomic.Bool // something has come since the last ping

	mu      sync.Mutex
	turn    sync.Cond     // something below has changed; L is mu
	ws      *gorilla.Conn // nil until the upgrade
	queue   []message     // for the client, the next one first
	queued  int           // their bytes
	topics  []*topic      // whose messages it gets
	pending *event        // that is called for next
	code    int           // with which this side has ended the connection; 0: it has not
	reason  string        // beside code
	leaving string        // why it ends when no call runs; empty: it stays
	lively  *lively       // of a lively connection, else nil
	lately  uint8         // messages since the last beat, up to livelyAfter

	busy    bool // a goroutine calls, or the connection is not open yet
	writing bool // a goroutine writes, or the connection is not open yet
	stalled bool // the goroutine that reads waits for its turn
	pinged  bool // the last beat sent a ping
	gone    bool // nothing can be sent any more
}

// message is one frame for the client.
type message struct {
	data []byte
	kind int // gorilla.TextMessage and so on
}

// newConn returns a connection that is not open yet.
func newConn(h *Hub, ref protocol.Ref, route *protocol.WebSocketRoute, header protocol.Header) *conn {
	c := &conn{hub: h, n: h.next.Add(1), ref: ref, route: route, since: time.Now().Unix(), busy: true, writing: true}
	c.turn.L = &c.mu
	c.keep(header)
	c.kept = slices.Clip(c.kept)
	return c
}

// id returns what the connection is called.
func (c *conn) id() string { return c.hub.id + "." + strconv.FormatUint(c.n, 10) }

// keep takes the headers that come with every event: those that the gateway made, and those that the route names. The
// id of the handshake's call is not that of others, and the method is always the same.
func (c *conn) keep(header protocol.Header) {
	for name, values := range header {
		named := len(name) > 3 && strings.EqualFold(name[:3], "Fn-") && name != protocol.HeaderID &&
			name != protocol.HeaderMethod
		for _, wanted := range c.route.Headers {
			if strings.EqualFold(wanted, name) {
				named, name = true, wanted
			}
		}
		for _, v := range values {
			if named {
				c.kept = append(c.kept, name, strings.Clone(v))
			}
		}
	}
}

// header returns the headers of a call for an event.
func (c *conn) header(event string) protocol.Header {
	h := make(protocol.Header, len(c.kept)/2+3)
	values := make([]string, 0, len(c.kept)/2+2)
	for i := 0; i < len(c.kept); i += 2 {
		if name := c.kept[i]; h[name] != nil {
			h[name] = append(h[name], c.kept[i+1])
		} else {
			values = append(values, c.kept[i+1])
			h[name] = values[len(values)-1 : len(values) : len(values)]
		}
	}
	values = append(values, event, c.id())
	n := len(values)
	h[protocol.HeaderSocket], h[protocol.HeaderSocketID] = values[n-2:n-1:n-1], values[n-1:n:n]
	return h
}

// describe returns what people want to know of the connection.
func (c *conn) describe() Connection {
	h := c.header("")
	d := Connection{ID: c.id(), Function: c.ref, Route: c.route.Route, Since: time.Unix(c.since, 0),
		Client: h.Get(protocol.HeaderClient)}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.topics {
		d.Topics = append(d.Topics, t.name)
	}
	d.Waiting = len(c.queue)
	return d
}
