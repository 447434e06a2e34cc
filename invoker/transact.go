package invoker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// mostRuns is how often a call is run at most, because others have changed meanwhile what it has read or written.
	mostRuns = 5
	// heldLog is how many bytes of log lines wait for the end of a call that may have to be run again.
	heldLog = 64 << 10
	// mostNotes is how many lines a run's grants can add to its log.
	mostNotes = 100
)

// transact runs the process of a call whose function has grants, as a transaction: after exit 0 what it has written is
// committed. If that is not possible because somebody else has changed what the process has seen, it is run again,
// before anybody has seen its output or its log.
func (c *call) transact() error {
	defer func() { c.timed = nil }() // operations that are left behind may still have it
	if found, err := c.done(); found || err != nil {
		return err
	}
	if c.version.writes {
		c.log.Hold(heldLog)
		defer c.log.Release()
	}
	var t turn
	defer t.leave()
	for again := 0; ; again++ {
		whyNot, err := c.attempt(again)
		var conflict *backend.Conflict
		if err == nil || !errors.As(err, &conflict) {
			return err
		}
		if whyNot != "" {
			return c.conflict(conflict, whyNot)
		}
		if err := c.awaitTurn(&t, conflict.Path, again); err != nil {
			return err
		}
		c.rewind()
	}
}

// attempt runs the process once and commits. If that fails because of a conflict, whyNot says why the call cannot be
// run again, if it cannot.
func (c *call) attempt(again int) (whyNot string, err error) {
	var notes notes
	limits := &c.version.limits
	id := c.id()
	t := c.version.grants.Begin(c.f.svc.ctx, backend.Call{Function: c.version.manifest, Header: c.request.Header,
		ID: func() string { return id }, Hops: c.request.Hops, Deadline: c.request.Deadline, Output: int64(limits.Output),
		Again: again, Log: notes.add, Record: c.newJournal()})
	defer t.End()
	c.process.Mounts, c.log.Hide = t.Mounts(), t.Hider()
	err = c.execute()
	c.process.Mounts = nil
	if err == nil && c.reply.Exit == 0 {
		if err = c.commit(t); err != nil {
			c.uncommitted = protocol.CodeOf(c.asError(err))
		}
	}
	notes.log(c)
	c.seen.Reads, c.seen.Writes = t.Reads(), t.Writes()
	switch {
	case !t.Repeatable():
		whyNot = "it has called others, and so is not run again by itself"
	case c.stream != nil:
		whyNot = "its output is a stream, and so it is not run again by itself"
	case !c.log.Held():
		whyNot = fmt.Sprintf("it has logged more than %d KiB, and so is not run again by itself", heldLog>>10)
	case again+1 == mostRuns:
		whyNot = fmt.Sprintf("that has happened in %d runs", mostRuns)
	}
	return whyNot, err
}

// commit carries out what the process has written, and sends what it wants to be sent, while others use the processor.
func (c *call) commit(t *backend.Transaction) error {
	if !t.Pending() {
		return nil
	}
	c.waited = true
	c.rest()
	defer c.f.queue.Wake()
	if err := t.Commit(t.Context(), c.mark()); err != nil {
		return err
	}
	return t.Send(t.Context())
}

// rewind makes the call ready to be run again.
func (c *call) rewind() {
	c.stdin.Reset(c.request.Body)
	c.stdout.Reset()
	c.limited.N = int64(c.version.limits.Output)
	c.log.Discard(heldLog)
	c.process.Begin = time.Time{}
	c.reply.Exit, c.reply.Body = -1, nil
}

// conflict is the error of a call that could not be committed.
func (c *call) conflict(err *backend.Conflict, whyNot string) error {
	return &protocol.Error{Code: protocol.CodeConflict, Err: err, Msg: fmt.Sprintf(
		"%s has changed nothing: %v, and %s; call it again, or as a job, which is tried again by itself",
		c.version.ref, err, whyNot)}
}

// turn is the turn of a call that is run again, among those of its function that want the same. The first calls do not
// wait for it: it lets those that have lost once not lose to one another.
type turn struct {
	of    *turns
	thing string
	mine  chan struct{}
}

// leave gives the turn back, if there is one.
func (t *turn) leave() {
	if t.mine != nil {
		t.of.leave(t.thing, t.mine)
		t.mine = nil
	}
}

// mostPause is the longest pause before a run, and firstPause that after the first conflict that a turn has not
// prevented.
const (
	firstPause = time.Millisecond
	mostPause  = 50 * time.Millisecond
)

// awaitTurn waits until a call may be run again: for its turn, and if it has had that, for a while, because then it is
// calls of other invokers that it loses to.
func (c *call) awaitTurn(t *turn, thing string, again int) error {
	c.waited = true
	if t.mine == nil || t.thing != thing {
		t.leave()
		*t = turn{&c.version.turns, thing, c.version.turns.enter(thing)}
		return c.wait(c.ctx, t.mine)
	}
	pause := min(mostPause, firstPause<<again)
	over := make(chan struct{})
	timer := time.AfterFunc(rand.N(pause), func() { close(over) })
	defer timer.Stop()
	return c.wait(c.ctx, over)
}

// notes are lines that grants add to the log of a run: its end gets them, since they may come from any goroutine.
type notes struct {
	mu    sync.Mutex
	lines []string
	ended bool
}

// add adds a line.
func (n *notes) add(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.ended && len(n.lines) < mostNotes {
		n.lines = append(n.lines, text)
	}
}

// log writes the lines to the log of a call, and takes no more.
func (n *notes) log(c *call) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended = true
	for _, text := range n.lines {
		c.log.Platform(protocol.CleanValue(text, protocol.MaxLogLine))
	}
}
