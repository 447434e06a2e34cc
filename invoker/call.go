package invoker

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/backend/journal"
	"github.com/polyvoke/polyvoke/invoker/logs"
	"github.com/polyvoke/polyvoke/invoker/queue"
	"github.com/polyvoke/polyvoke/invoker/stats"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/deadline"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// call is one request on its way through the steps. Calls are pooled: one goroutine at a time has one, and nobody
// after free.
type call struct {
	// What it begins with.
	request  protocol.Request
	received time.Time
	f        *function
	source   source
	message  message         // the source, unless direct is
	direct   direct          // the source of a call that a caller in this process makes
	endpoint *stats.Endpoint // whose figures the call changes
	stream   *stream         // nil if both bodies are whole in memory
	receiver *receiver       // whose goroutine carries the call; nil if no message waits for that

	// What admit adds.
	version *version
	share   *share // of an alias, that the call is counted for; nil without one
	loaded  bool   // the version's program is, and stays
	place   queue.Place
	started bool  // it is one of the running calls
	waited  bool  // for something, since it was received
	err     error // why it does not run

	// What run adds.
	ctx     deadline.Cancelable
	process runtimes.Process
	stdin   bytes.Reader
	stdout  bytes.Buffer
	limited runtimes.CapWriter
	log     logs.Writer
	slot    bool // it has one
	cold    bool // its version had to be loaded
	reply   protocol.Reply

	journal     *journal.Record // takes down what the run does with what it is granted, if it is recorded
	uncommitted int             // why what it has written was not committed: an error code

	seen  stats.Call // what observers are shown
	hooks hooks
	timed *deadline.Context // of the last run, to be used again
}

// source is where a call comes from, and where its reply goes: a message, or a caller in this process.
type source interface {
	// context returns the context of the call's run: it ends with the deadline, with the caller if that can be seen,
	// and when the invoker gives up what it still runs.
	context(c *call, giveUp context.Context) deadline.Cancelable
	// deliver counts the call and hands its reply over.
	deliver(c *call)
	// resume lets a goroutine that waits for the call carry it on, and reports whether there is one. Then the call is
	// not to be touched.
	resume() bool
}

// message is the source of a call that came by message.
type message struct{ *nats.Msg }

// context implements source. Whoever sent a message cannot be seen to go away.
func (m *message) context(c *call, giveUp context.Context) deadline.Cancelable {
	c.timed = c.timed.Again(giveUp, c.request.Deadline)
	return c.timed
}

// resume implements source.
func (m *message) resume() bool { return false }

// direct is the source of a call that a caller in this process makes.
type direct struct {
	caller context.Context
	answer chan *protocol.Reply // takes one without waiting: the reply, or nil when the call may start
	visit  uint64               // of all calls of this kind, this one only
}

// context implements source.
func (d *direct) context(c *call, giveUp context.Context) deadline.Cancelable {
	c.timed = c.timed.For(d.caller, giveUp, c.request.Deadline)
	return c.timed
}

// resume implements source. The caller waits, or is about to.
func (d *direct) resume() bool {
	d.answer <- nil
	return true
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
	c.hooks = hooks{id: c.id, files: files.Static(c.request.Files(c.id)), wait: c.wait, yield: c.yield}
	return c
}

// keepOutput is the largest output buffer that a pooled call keeps, in bytes.
const keepOutput = 256 << 10

// newCall returns a call of a function that was received at a moment, or now if that is zero. It is one of the
// function's tasks until it has left.
func (f *function) newCall(received time.Time) *call {
	c, ok := calls.Get().(*call)
	if !ok {
		c = makeCall()
	}
	if received.IsZero() {
		received = time.Now()
	}
	c.f, c.received = f, received
	return c
}

// free makes the call ready for another request.
func (c *call) free() {
	out := c.stdout
	if out.Cap() > keepOutput {
		out = bytes.Buffer{}
	}
	out.Reset()
	*c = call{stdout: out, hooks: c.hooks, timed: c.timed, place: c.place.Again()}
	calls.Put(c)
}

// Place implements queue.Call.
func (c *call) Place() *queue.Place { return &c.place }

// id returns the call's id: the caller's, or one that is made when it is first needed. It is a
// UUID of version 7 (RFC 9562), so ids sort by time.
func (c *call) id() string {
	if c.request.ID == "" {
		c.request.ID = newID()
	}
	return c.request.ID
}

func newID() string { return protocol.NewID() }

// setDeadline gives the call the earlier of its version's and its caller's time.
func (c *call) setDeadline() {
	timeout := time.Duration(c.version.limits.Timeout)
	if c.request.Limit > 0 {
		timeout = c.request.Limit
	}
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
	key := "limits.timeout"
	if c.request.Limit > 0 {
		key = "job.timeout"
	}
	return fmt.Sprintf("%v (%s)", c.timeout(), key)
}
