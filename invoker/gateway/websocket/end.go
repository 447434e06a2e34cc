package websocket

import (
	"errors"
	"io"
	"net"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/polyvoke/polyvoke/protocol"
)

// Times of an end.
const (
	closeWait  = 5 * time.Second // for the client's close frame
	lingerWait = time.Second     // for the client to read why it was cut off
)

// end ends the connection from this side.
func (c *conn) end(code int, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.close(code, reason)
}

// close queues a close frame, behind what is queued. The client has closeWait for its own one. The caller holds the
// mutex.
func (c *conn) close(code int, reason string) {
	if c.gone || c.code != 0 {
		return
	}
	c.code, c.reason = code, reasonOf(reason)
	c.put(message{data: gorilla.FormatCloseMessage(code, c.reason), kind: gorilla.CloseMessage})
	c.startWriting()
	c.turn.Broadcast()
}

// leave ends the connection as soon as no call runs: what a call that runs answers still reaches the client.
func (c *conn) leave(why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaving == "" {
		c.leaving = why
	}
	if !c.busy {
		c.close(protocol.SocketGoingAway, why)
	}
	c.turn.Broadcast()
}

// cut ends the connection without a word.
func (c *conn) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop()
}

// drop is cut for a caller that holds the mutex.
func (c *conn) drop() {
	c.gone, c.queue, c.queued = true, nil, 0
	if c.ws != nil {
		_ = c.ws.NetConn().Close() // the goroutine that reads is told
	}
	c.turn.Broadcast()
}

// finish ends a connection that cannot be read any more: it lets the last calls end, then tells the function.
func (c *conn) finish(err error) {
	code, reason, polite := verdict(err)
	c.mu.Lock()
	polite = polite || c.code != 0
	c.mu.Unlock()
	if polite {
		c.part(code, reason)
	}
	c.mu.Lock()
	if c.code != 0 {
		code, reason = c.code, c.reason
	}
	c.gone, c.queue, c.queued = true, nil, 0
	c.turn.Broadcast()
	c.mu.Unlock()
	c.hub.remove(c)
	if polite {
		c.linger()
	}
	_ = c.ws.Close() // nothing can be done about it
	c.mu.Lock()
	for c.busy || c.writing {
		c.turn.Wait()
	}
	c.calm()
	c.mu.Unlock()
	c.hub.config.Log.Debug("a WebSocket has ended", "function", c.ref.String(), "id", c.id(), "code", code, "err", err)
	c.hub.config.Observer.Closed()
	c.ended(true, code, reason)
}

// part answers a client's close frame, or says why it is ended: when its messages have been answered, but after
// closeWait in any case (RFC 6455, section 5.5.1).
func (c *conn) part(code int, reason string) {
	late := false
	c.mu.Lock()
	defer c.mu.Unlock()
	wake := time.AfterFunc(closeWait, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		late = true
		c.turn.Broadcast()
	})
	defer wake.Stop()
	for c.busy && c.code == 0 && !late && !c.gone {
		c.turn.Wait()
	}
	c.close(code, reason)
	for (c.writing || len(c.queue) > 0) && !late && !c.gone {
		c.turn.Wait()
	}
}

// verdict returns what the error of a read says about the end, and whether the client is still there to be told.
func verdict(err error) (code int, reason string, polite bool) {
	var closed *gorilla.CloseError
	var broken net.Error
	switch {
	case errors.As(err, &closed) && closed.Code == protocol.SocketAbnormal:
		return protocol.SocketAbnormal, "", false
	case errors.As(err, &closed):
		return closed.Code, closed.Text, true
	case errors.Is(err, gorilla.ErrReadLimit):
		return protocol.SocketTooLarge, "a message has at most 1 MiB", true
	case errors.As(err, &broken), errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF):
		return protocol.SocketAbnormal, "", false
	}
	return protocol.SocketProtocol, reasonOf(err.Error()), true
}

// linger reads what the client is still sending, for a moment: to close a connection with something unread would take
// from the client what was sent last.
func (c *conn) linger() {
	nc := c.ws.NetConn()
	if half, ok := nc.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		return
	}
	if nc.SetReadDeadline(time.Now().Add(lingerWait)) == nil {
		_, _ = io.CopyN(io.Discard, nc, 4*protocol.MaxSocketMessage)
	}
}
