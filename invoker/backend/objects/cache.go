package objects

import (
	"container/list"
	"sync"
)

const (
	maxWhole = 1 << 20  // what is read as a whole, in bytes
	maxCache = 32 << 20 // of content that is kept for runs to come
)

// cache keeps the content of small objects by the NUID of their upload. What has a NUID never changes.
type cache struct {
	mu   sync.Mutex
	all  map[string]*list.Element
	used list.List // of *cached, the last one that was used first
	size int64
}

// cached is the content of an object.
type cached struct {
	nuid    string
	content []byte
}

// get returns the content, which nobody changes, if it is there.
func (c *cache) get(nuid string) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.all[nuid]
	if e == nil {
		return nil, false
	}
	c.used.MoveToFront(e)
	return e.Value.(*cached).content, true
}

// put keeps content, and forgets the content that has not been used for the longest time.
func (c *cache) put(nuid string, content []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[string]*list.Element{}
	}
	if c.all[nuid] != nil || int64(len(content)) > maxWhole {
		return
	}
	c.all[nuid] = c.used.PushFront(&cached{nuid, content})
	c.size += cost(content)
	for c.size > maxCache {
		e := c.used.Back()
		old := c.used.Remove(e).(*cached)
		delete(c.all, old.nuid)
		c.size -= cost(old.content)
	}
}

// cost is what content takes, in bytes.
func cost(content []byte) int64 { return int64(len(content)) + 512 }
