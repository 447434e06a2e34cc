package gateway

import (
	"crypto/tls"
	"net"
	"net/http"
)

// cut ends the connection of an answer that has begun and will not be whole. An answer of HTTP/1.0 ends with its
// connection: there only a reset tells the client that something is missing.
func (s *streamed) cut() {
	if !s.x.r.ProtoAtLeast(1, 1) {
		if nc, _, err := s.control.Hijack(); err == nil {
			reset(nc)
		}
	}
	panic(http.ErrAbortHandler)
}

// reset closes a connection in such a way that its peer reads an error instead of an end. TLS's own end is left out.
func reset(nc net.Conn) {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	defer nc.Close()
	for inner := nc; ; {
		switch c := inner.(type) {
		case interface{ SetLinger(seconds int) error }:
			_ = c.SetLinger(0)
			return
		case interface{ NetConn() net.Conn }:
			inner = c.NetConn()
		default:
			return
		}
	}
}
