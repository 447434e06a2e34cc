package console

import (
	"context"
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// fresh is how long a list of functions is shown again without asking for a new one.
	fresh = time.Second
	// patience is how long a page waits for an answer.
	patience = 5 * time.Second
)

// catalog has the list of functions, which many pages need. Its methods may be called from several goroutines.
type catalog struct {
	client *client.Client

	mu   sync.Mutex
	list protocol.ListReply
	err  error
	at   time.Time
}

// get returns the functions, as they were at most a second ago. What could not be had again is as it was, with the
// error that says why.
func (c *catalog) get(ctx context.Context) (protocol.ListReply, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) < fresh {
		return c.list, c.err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	list, err := c.client.ListAll(ctx)
	if ctx.Err() != nil && err != nil && context.Cause(ctx) == context.Canceled {
		return c.list, err // the one who asked has gone; the next one asks again
	}
	if err == nil {
		c.list = list
	}
	c.err, c.at = err, time.Now()
	return c.list, c.err
}

// forget has the next get ask again.
func (c *catalog) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = time.Time{}
}
