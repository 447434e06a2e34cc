package invoker

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/protocol"
)

// outcome is the reply to a request that was committed, as it is kept for whoever gets the request again.
type outcome struct {
	Body []byte `json:"body,omitempty"`
	Gone int    `json:"gone,omitempty"` // how many bytes the body had, if there was no room for it; -1: nobody knows
}

// mostOutcome is how large a body is kept, in bytes: in base64, with what is around it, it is below what a mark takes
// (kv.MaxMark).
const mostOutcome = 47 << 10

// parseOutcome reads what was kept. Nothing is what a bucket keeps that has no room for it.
func parseOutcome(value []byte) (o outcome, err error) {
	if len(value) == 0 {
		return outcome{Gone: -1}, nil
	}
	return o, json.Unmarshal(value, &o)
}

// mark returns what is to be written with what the call writes, or nil if its request does not come again.
func (c *call) mark() *backend.Mark {
	if c.request.Once.IsZero() {
		return nil
	}
	o := outcome{Body: c.reply.Body}
	if len(o.Body) > mostOutcome {
		o = outcome{Gone: len(o.Body)}
	}
	value, err := json.Marshal(o)
	if err != nil {
		panic(err) // it has bytes and a number
	}
	return &backend.Mark{ID: c.markID(), Value: value}
}

// markID returns what tells the request of a call from all others: ids are their callers', and those of several
// functions, and of several times, may be the same.
func (c *call) markID() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%s", c.f.name, c.request.Once.UnixNano(), c.id()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// done looks whether the request of a call was committed when it came before. Then the reply is the one that it had
// then.
func (c *call) done() (found bool, err error) {
	if c.request.Once.IsZero() || !c.request.Repeated {
		return false, nil
	}
	c.waited = true
	c.rest()
	defer c.f.queue.Wake()
	value, found, err := c.version.grants.Find(c.ctx, c.markID())
	if !found || err != nil {
		return false, err
	}
	o, err := parseOutcome(value)
	if err != nil {
		return false, protocol.Errorf(protocol.CodeFailed, "",
			"what was kept of the first run of %s cannot be read: %w", c.version.ref, err)
	}
	c.reply.Exit, c.reply.Body = 0, o.Body
	if o.Gone != 0 {
		c.log.Platform("the call was committed before; its output was too large to be kept")
	}
	return true, nil
}
