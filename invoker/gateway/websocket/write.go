package websocket

import (
	"errors"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/polyvoke/polyvoke/protocol"
)

// Bounds of what waits for a client, besides the message that is being sent. One message is always taken.
const (
	mostQueued = protocol.MaxSocketQueue
	mostBytes  = 8 << 20
)

// full reports whether there is no room for another message. The caller holds the mutex.
func (c *conn) full(size int) bool {
	return len(c.queue) >= mostQueued || len(c.queue) > 0 && c.queued+size > mostBytes
}

// send queues what was published for the client. A client that is too slow for it is ended, rather than that others
// wait for it. The error's code is 404 or 503.
func (c *conn) send(m message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || c.code != 0 {
		return errNoConnection
	}
	if c.full(len(m.data)) {
		for range len(c.queue) + 1 {
			c.hub.count.dropped.Add(1)
			c.hub.config.Observer.Dropped()
		}
		c.queue, c.queued = nil, 0
		c.close(protocol.SocketTryAgain, "you are too slow for what is sent to you")
		if c.ws != nil { // whatever is being sent ends soon
			_ = c.ws.NetConn().SetWriteDeadline(time.Now().Add(closeWait))
		}
		return errSlow
	}
	c.put(m)
	c.startWriting()
	return nil
}

// answer sends what the function answers. It waits for room: a client that does not read is not read either. It writes
// itself if nobody else does.
func (c *conn) answer(m message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.full(len(m.data)) && !c.gone && c.code == 0 {
		c.turn.Wait()
	}
	if c.gone || c.code != 0 {
		return
	}
	c.put(m)
	if !c.writing {
		c.writing = true
		c.writeNext()
		c.writing = false
		c.startWriting() // what others have queued meanwhile
		c.turn.Broadcast()
	}
}

// put adds a message to the queue. The caller holds the mutex.
func (c *conn) put(m message) {
	c.queue = append(c.queue, m)
	c.queued += len(m.data)
}

// startWriting has the queue written, unless somebody does or there is nothing. The caller holds the mutex.
func (c *conn) startWriting() {
	if !c.writing && len(c.queue) > 0 && !c.gone {
		c.writing = true
		go c.write()
	}
}

// write writes the queue, until it is empty.
func (c *conn) write() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) > 0 && !c.gone {
		c.writeNext()
	}
	c.writing = false
	c.turn.Broadcast()
}

// writeNext writes the first message of the queue. The caller holds the mutex, and is the only one that writes.
func (c *conn) writeNext() {
	m := c.queue[0]
	c.queue[0] = message{}
	if c.queue = c.queue[1:]; len(c.queue) == 0 {
		c.queue = nil
	}
	c.queued -= len(m.data)
	c.mu.Unlock()
	err := c.frame(m)
	c.mu.Lock()
	if err != nil {
		c.drop()
	}
	c.turn.Broadcast()
}

// frame sends one frame, and returns when the system has taken it.
func (c *conn) frame(m message) error {
	deadline := c.hub.deadline(len(m.data))
	switch m.kind {
	case gorilla.PingMessage:
		return c.ws.WriteControl(m.kind, nil, deadline)
	case gorilla.CloseMessage:
		err := c.ws.WriteControl(m.kind, m.data, deadline)
		_ = c.ws.NetConn().SetReadDeadline(time.Now().Add(closeWait)) // for the client's own close frame
		if errors.Is(err, gorilla.ErrCloseSent) {
			err = nil // by gorilla, which says 1002 and 1009 itself
		}
		return err
	}
	c.hub.count.out.Add(1)
	c.hub.config.Observer.Sent()
	if err := c.ws.SetWriteDeadline(deadline); err != nil {
		return err
	}
	return c.ws.WriteMessage(m.kind, m.data)
}
