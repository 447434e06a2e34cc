package websocket

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/polyvoke/polyvoke/protocol"
)

// Serve answers a request for a WebSocket, of a route that has been matched and whose client may use it. header is what
// a call gets of the request (section 14 of the specification). Serve returns when the connection is open; from then on
// it does not need net/http's goroutine. It keeps neither the request nor its headers.
//
// # Errors
//
// An error says why there is no connection, and has not been answered: it has a code of protocol, or 426 for a request
// that is no handshake. Headers that belong to the answer are set.
func (h *Hub) Serve(
	w http.ResponseWriter, r *http.Request, ref protocol.Ref, route *protocol.WebSocketRoute, header protocol.Header,
) error {
	err := checkHandshake(w, r)
	if err == nil {
		err = checkOrigin(r, route.Origins)
	}
	if err == nil {
		err = newConn(h, ref, route, header).accept(w, r, header)
	}
	if err == nil {
		return nil
	}
	h.count.refused.Add(1)
	h.config.Observer.Rejected()
	if errors.Is(err, errLost) {
		return nil // there is nobody to be told
	}
	return err
}

// param returns what a wildcard of the route stands for. What is no escape cannot be in a path that a server has read.
func param(header protocol.Header, name string) string {
	value, err := url.PathUnescape(header.Get(protocol.HeaderParam + name))
	if err != nil {
		return ""
	}
	return value
}

// accept opens the connection: the topics, the function's consent, the upgrade. An error has not been answered yet.
func (c *conn) accept(w http.ResponseWriter, r *http.Request, header protocol.Header) error {
	value := func(name string) string { return param(header, name) }
	topics, err := c.route.TopicsOf(value)
	if err == nil {
		c.to, err = c.route.Destination(value)
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(c.hub.calls, cancel)()
	if err := c.hub.listen(ctx); err != nil {
		return err
	}
	if err := c.hub.add(c); err != nil {
		return err
	}
	err = c.join(ctx, topics)
	if err == nil {
		err = c.open(ctx, header)
	}
	if err != nil {
		c.abandon(false)
		return err
	}
	if err := c.upgrade(w, r); err != nil {
		c.abandon(true)
		return err
	}
	c.hub.count.opened.Add(1)
	c.hub.config.Observer.Opened()
	go c.read()
	return nil
}

// upgrade agrees to the connection. What has been queued since it was added goes out first. After errLost nobody can be
// answered.
func (c *conn) upgrade(w http.ResponseWriter, r *http.Request) error {
	c.mu.Lock()
	leaving := c.leaving
	c.mu.Unlock()
	if leaving != "" {
		return protocol.Errorf(protocol.CodeUnavailable, "", "%s: connect again", leaving)
	}
	upgrader := c.hub.upgrader
	upgrader.Subprotocols = c.route.Protocols
	taken := &hijacker{ResponseWriter: w}
	ws, err := upgrader.Upgrade(taken, r, nil)
	switch {
	case err != nil && taken.done:
		return errLost
	case err != nil:
		return &protocol.Error{Code: protocol.CodeFailed, Err: err, Msg: "this server cannot give its connections away"}
	}
	ws.SetReadLimit(protocol.MaxSocketMessage)
	pong := ws.PingHandler()
	ws.SetPingHandler(func(data string) error {
		c.heard.Store(true)
		return pong(data)
	})
	ws.SetPongHandler(func(string) error {
		c.heard.Store(true)
		return nil
	})
	ws.SetCloseHandler(func(int, string) error { return nil }) // see part
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ws, c.busy, c.writing = ws, false, false
	if c.leaving != "" {
		c.close(protocol.SocketGoingAway, c.leaving)
	}
	c.startWriting()
	return nil
}

// abandon ends a connection that was never open to its client. consented says that the function has agreed to it.
func (c *conn) abandon(consented bool) {
	c.mu.Lock()
	c.gone, c.busy, c.writing = true, false, false
	c.queue = nil
	c.mu.Unlock()
	c.hub.remove(c)
	c.ended(consented, protocol.SocketAbnormal, "")
}

// checkHandshake returns what is wrong with a request for an upgrade (RFC 6455, section 4.2.1).
func checkHandshake(w http.ResponseWriter, r *http.Request) error {
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-Websocket-Key"))
	switch {
	case r.Method != http.MethodGet || !r.ProtoAtLeast(1, 1) || !gorilla.IsWebSocketUpgrade(r):
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		return protocol.Errorf(http.StatusUpgradeRequired, "",
			"%s is for WebSockets: connect to it by a GET of HTTP/1.1 with Upgrade: websocket", clean(r.URL.Path))
	case r.ContentLength != 0:
		w.Header().Set("Connection", "close") // the answer does not wait for a body that may never come
		return protocol.Errorf(protocol.CodeBadRequest, "", "the handshake must have no body")
	case !slices.ContainsFunc(r.Header.Values("Sec-Websocket-Version"), isVersion):
		w.Header().Set("Sec-Websocket-Version", "13")
		return protocol.Errorf(http.StatusUpgradeRequired, "", "the handshake must have Sec-WebSocket-Version: 13")
	case err != nil || len(key) != 16:
		return protocol.Errorf(protocol.CodeBadRequest, "",
			"the handshake must have a Sec-WebSocket-Key of 16 bytes in Base64")
	}
	return nil
}

// isVersion reports whether a header's value names the version of RFC 6455.
func isVersion(value string) bool {
	for v := range strings.SplitSeq(value, ",") {
		if strings.TrimSpace(v) == "13" {
			return true
		}
	}
	return false
}

// checkOrigin returns nil if a page of the request's origin may connect: browsers send it, and do not apply the rules
// of CORS to WebSockets. A request without one comes from no browser.
func checkOrigin(r *http.Request, more []string) error {
	values := r.Header.Values("Origin")
	if len(values) == 0 {
		return nil
	}
	if len(values) == 1 {
		for _, o := range more {
			if o == "*" || strings.EqualFold(o, values[0]) {
				return nil
			}
		}
		u, err := url.Parse(values[0])
		if err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host) {
			return nil
		}
	}
	return protocol.Errorf(protocol.CodeForbidden, "",
		"pages of %s may not connect here: list it in origins of the [[websocket]] table", clean(strings.Join(values, ", ")))
}

// clean makes what a client chose fit for a message.
func clean(s string) string { return protocol.CleanValue(strings.ToValidUTF8(s, "?"), 80) }

// hijacker is a ResponseWriter that gives its connection away even if it is wrapped.
type hijacker struct {
	http.ResponseWriter
	done bool // it has
}

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	h.done = err == nil
	return nc, rw, err
}

// errLost says that a client has gone between its request and the answer.
var errLost = errors.New("the connection was lost before it was open")

// deadline returns the time until which a client must have taken a message of so many bytes.
func (h *Hub) deadline(size int) time.Time {
	return time.Now().Add(h.config.Patience + time.Duration(size/(64<<10))*time.Second)
}
