package frontdoor

import (
	"container/list"
	"crypto/tls"
	"log"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// stdLog is the logger that net/http takes.
type stdLog = log.Logger

// writePiece is how many bytes a client must take within WriteTime: so a slow one is not cut off, and one that reads
// nothing is.
const writePiece = 256 << 10

// conns is a listener whose connections are counted. When there are too many, of all or of one address, the one goes
// that has waited longest without a whole request: a half-open one, or one between two requests. If there is none, the
// new one goes. So a thousand clients that send nothing keep nobody out.
type conns struct {
	net.Listener
	all, each int // bounds
	write     time.Duration
	exempt    func(netip.Addr) bool // from the bound of one address

	mu    sync.Mutex
	total int
	of    map[netip.Addr]*share
	spare list.List      // of *conn: those that can go, the one first that has waited longest
	taken map[*conn]bool // those that a handler has taken over
}

// share is what one address has.
type share struct {
	n     int
	spare list.List // of *conn, as in conns
}

// newConns makes a listener count its connections.
func newConns(l net.Listener, c Config) *conns {
	return &conns{Listener: l, all: c.Connections, each: c.OfAddress, write: c.WriteTime, exempt: c.Trust.proxy,
		of: map[netip.Addr]*share{}, taken: map[*conn]bool{}}
}

// Accept implements net.Listener. Connections that are one too many are closed here.
func (l *conns) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: nc, l: l, addr: addrOf(nc.RemoteAddr())}
		if victim, ok := l.add(c); !ok {
			_ = nc.Close()
		} else {
			if victim != nil {
				_ = victim.Close()
			}
			return c, nil
		}
	}
}

// add counts a connection. It returns one that must go for it, or false if there is no room.
func (l *conns) add(c *conn) (victim *conn, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.of[c.addr]
	if s == nil {
		s = &share{}
	}
	switch {
	case s.n >= l.each && !l.exempt(c.addr):
		victim = first(&s.spare)
		ok = victim != nil
	case l.total >= l.all:
		victim = first(&l.spare)
		ok = victim != nil
	default:
		ok = true
	}
	if !ok {
		return nil, false
	}
	if victim != nil {
		l.drop(victim)
	}
	l.total++
	s.n++
	l.of[c.addr] = s // the victim's end may have removed it
	c.counted = true
	l.spared(c)
	return victim, true
}

// first returns what has waited longest, or nil.
func first(waiting *list.List) *conn {
	if e := waiting.Front(); e != nil {
		return e.Value.(*conn)
	}
	return nil
}

// spared marks a connection as one that can go.
func (l *conns) spared(c *conn) {
	if c.counted && c.inAll == nil {
		c.inAll = l.spare.PushBack(c)
		c.inShare = l.of[c.addr].spare.PushBack(c)
	}
}

// needed marks a connection as one that answers a request.
func (l *conns) needed(c *conn) {
	if c.inAll != nil {
		l.spare.Remove(c.inAll)
		l.of[c.addr].spare.Remove(c.inShare)
		c.inAll, c.inShare = nil, nil
	}
}

// drop counts a connection no more.
func (l *conns) drop(c *conn) {
	if !c.counted {
		return
	}
	l.needed(c)
	c.counted = false
	delete(l.taken, c)
	l.total--
	s := l.of[c.addr]
	if s.n--; s.n == 0 {
		delete(l.of, c.addr)
	}
}

// state implements http.Server.ConnState.
func (l *conns) state(nc net.Conn, now http.ConnState) {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	c, ok := nc.(*conn)
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch now {
	case http.StateIdle:
		l.spared(c)
	case http.StateHijacked:
		c.taken.Store(true)
		l.needed(c)
		if c.counted {
			l.taken[c] = true
		}
	case http.StateActive:
		l.needed(c)
	}
}

// open returns how many connections there are.
func (l *conns) open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// closeTaken closes the connections that handlers have taken over.
func (l *conns) closeTaken() {
	l.mu.Lock()
	left := slices.Collect(maps.Keys(l.taken))
	l.mu.Unlock()
	for _, c := range left {
		_ = c.Close()
	}
}

// addrOf returns the address of a peer, in one form for both ways of writing one of IPv4.
func addrOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// conn is a connection that is counted until it is closed, and whose writes are bounded in time.
type conn struct {
	net.Conn
	l     *conns
	addr  netip.Addr
	taken atomic.Bool // a handler has it now, which sets its own deadlines

	// Under the lock of l:
	counted        bool
	inAll, inShare *list.Element // nil while a request is answered
}

// Write implements net.Conn. Each piece has its own deadline.
func (c *conn) Write(p []byte) (n int, err error) {
	if c.taken.Load() {
		return c.Conn.Write(p)
	}
	for {
		piece := p[n:min(len(p), n+writePiece)]
		if err := c.SetWriteDeadline(time.Now().Add(c.l.write)); err != nil {
			return n, err
		}
		m, err := c.Conn.Write(piece)
		if n += m; err != nil || n == len(p) {
			return n, err
		}
	}
}

// NetConn returns the connection below, as tls.Conn does: a gateway resets it to cut an answer short.
func (c *conn) NetConn() net.Conn { return c.Conn }

// Close implements net.Conn.
func (c *conn) Close() error {
	c.l.mu.Lock()
	c.l.drop(c)
	c.l.mu.Unlock()
	return c.Conn.Close()
}
