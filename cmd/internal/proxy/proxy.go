// Package proxy is a TCP proxy on loopback for tests of what happens when connections break.
//
// In goes the address of a server; out comes another address of it. What is connected by that can be cut, once or
// again and again, with whatever is under way on it.
package proxy

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// Proxy is a running proxy. Its methods may be called from several goroutines.
type Proxy struct {
	listener net.Listener
	target   string
	copying  sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
	cuts  int
	down  bool
}

// Start starts a proxy of the server at target, HOST:PORT, on a free loopback port.
func Start(target string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: l, target: target, conns: map[net.Conn]bool{}}
	p.copying.Go(p.accept)
	return p, nil
}

// Addr returns HOST:PORT of the proxy.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// accept takes connections until the listener is closed.
func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.copying.Go(func() { p.join(c) })
	}
}

// join connects a client with the server until either ends or the proxy cuts them.
func (p *Proxy) join(c net.Conn) {
	defer c.Close()
	s, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer s.Close()
	if !p.add(c, s) {
		return
	}
	defer p.remove(c, s)
	p.copying.Go(func() {
		_, _ = io.Copy(s, c)
		s.Close()
	})
	_, _ = io.Copy(c, s)
}

// add takes note of connections, unless none is to be there.
func (p *Proxy) add(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return false
	}
	for _, c := range conns {
		p.conns[c] = true
	}
	return true
}

// remove forgets connections.
func (p *Proxy) remove(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
	}
}

// Cut ends all connections, in the middle of whatever is on them. New ones are taken.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0) // what is under way is lost, as when a machine goes away
		}
		c.Close()
	}
	p.cuts++
}

// Cuts returns how often Cut was called.
func (p *Proxy) Cuts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

// Flap cuts all connections again and again, until ctx ends.
func (p *Proxy) Flap(ctx context.Context, every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			p.Cut()
		case <-ctx.Done():
			return
		}
	}
}

// Close cuts all connections, takes no new one, and returns when nothing of the proxy runs any more.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.down = true
	p.mu.Unlock()
	p.listener.Close()
	p.Cut()
	p.copying.Wait()
}
