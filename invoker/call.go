package invoker

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/logs"
	"github.com/polyvoke/polyvoke/invoker/stats"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/deadline"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// call is one request on its way through the steps. Calls are pooled: one goroutine at a
// time has one, and nobody after free.
type call struct {
	request  protocol.Request
	received time.Time
	waited   bool  // for something, since then
	err      error // what was wrong with the message

	msg       *nats.Msg            // nil for Invoke
	triggered bool                 // msg came by a trigger
	answer    chan *protocol.Reply // for Invoke; nil for a message
	caller    context.Context      // of Invoke; nil for a message
	endpoint  *stats.Endpoint      // whose figures the call changes

	function *function // from prepare on
	version  *version
	receiver *receiver   // that runs it; nil for a call that waited, or did not come by message
	expiry   *time.Timer // while it waits
	slot     bool        // it has one
	loaded   bool        // the version's program is, and stays

	process runtimes.Process
	stdin   bytes.Reader
	stdout  bytes.Buffer
	limited runtimes.CapWriter
	log     logs.Writer
	hooks   hooks
	run     *deadline.Context // of the last run
}

// hooks are what a process is given that leads back to its call. They are made once for each call that is pooled.
type hooks struct {
	id    func() string
	files files.Tree
	wait  func(context.Context, <-chan struct{}) error
	yield func(context.Context) error
}

// calls holds calls that are not in use, for what they have allocated.
var calls sync.Pool

// makeCall makes a call for the pool.
func makeCall() *call {
	c := new(call)
	c.hooks = hooks{
		id:    c.id,
		files: files.Static(c.request.Files(c.id)),
		wait:  func(ctx context.Context, done <-chan struct{}) error { return c.function.wait(ctx, c, done) },
		yield: func(ctx context.Context) error { return c.function.yield(ctx, c) },
	}
	return c
}

// keepOutput is the largest output buffer that a pooled call keeps, in bytes.
const keepOutput = 256 << 10

// newCall returns a call that was received at a moment, or now if that is zero.
func newCall(received time.Time) *call {
	c, ok := calls.Get().(*call)
	if !ok {
		c = makeCall()
	}
	if received.IsZero() {
		received = time.Now()
	}
	c.received = received
	return c
}

// free makes the call ready for another request.
func (c *call) free() {
	out := c.stdout
	if out.Cap() > keepOutput {
		out = bytes.Buffer{}
	}
	out.Reset()
	*c = call{stdout: out, hooks: c.hooks, run: c.run}
	calls.Put(c)
}

// id returns the call's id: the caller's, or one that is made when it is first needed. It is a
// UUID of version 7 (RFC 9562), so ids sort by time.
func (c *call) id() string {
	if c.request.ID == "" {
		c.request.ID = newID()
	}
	return c.request.ID
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// setDeadline gives the call the earlier of the function's and the caller's time.
func (c *call) setDeadline(s *version) {
	timeout := time.Duration(s.limits.Timeout)
	if t := c.request.Timeout; t > 0 {
		timeout = min(timeout, t)
	}
	c.request.Deadline = c.received.Add(timeout)
}

// timeout returns how long the call may take.
func (c *call) timeout() time.Duration { return c.request.Deadline.Sub(c.received) }

// timeLimit says how long the call may take, and who says so.
func (c *call) timeLimit() string {
	if t := c.request.Timeout; t > 0 && t == c.timeout() {
		return fmt.Sprintf("%v, the time of its caller (%s)", t, protocol.HeaderTimeout)
	}
	return fmt.Sprintf("%v (limits.timeout)", c.timeout())
}

// context returns the context of the call's run: it ends with the deadline, with the caller, and
// when the invoker gives up what it still runs.
func (c *call) context(giveUp context.Context) deadline.Cancelable {
	if c.caller != nil {
		return deadline.Join(c.caller, giveUp, c.request.Deadline)
	}
	c.run = c.run.Again(giveUp, c.request.Deadline)
	return c.run
}
