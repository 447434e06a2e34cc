package websocket

import "time"

// beat sees to it that pings are sent, as long as there are connections. The caller holds the hub's mutex.
func (h *Hub) beat() {
	if !h.beating {
		h.beating = true
		h.pinging.Add(1)
		go h.pings()
	}
}

// pings sends pings, to one shard after the other: not all at once, and with one timer for all connections.
func (h *Hub) pings() {
	defer h.pinging.Done()
	defer h.workers.rest(true)
	tick := time.NewTicker(max(1, h.config.Ping/shards))
	defer tick.Stop()
	for i := 0; ; i = (i + 1) % shards {
		select {
		case <-tick.C:
		case <-h.calls.Done():
			return
		}
		h.workers.rest(false)
		for _, c := range h.shards[i].list() {
			c.beat()
		}
		h.mu.Lock()
		if h.count.open.Load() == 0 {
			h.beating = false
			h.mu.Unlock()
			return
		}
		h.mu.Unlock()
	}
}

// beat cuts a connection of which nothing has come since the last ping, and sends another ping otherwise. One that is
// not read, or has something to write, is not judged: its calls and writes have times of their own.
func (c *conn) beat() {
	heard := c.heard.Swap(false)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle()
	switch {
	case c.gone || c.code != 0 || c.ws == nil:
	case c.pinged && !heard && !c.stalled:
		c.drop()
	case c.writing || len(c.queue) > 0:
		c.pinged = false
	default:
		c.pinged = !c.stalled
		c.put(ping)
		c.startWriting()
	}
}
