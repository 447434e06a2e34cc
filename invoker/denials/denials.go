// Package denials knows what a NATS server does not let a connection do.
//
// A publication or a subscription that is not permitted is no error of the call that made it. The server reports it a
// moment later, and nats.go hands that to the connection's ErrorHandler; a goroutine that waits for an answer waits in
// vain. In goes a connection; out comes, for each goroutine that waits, an error that names the subject.
package denials

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// Denial is one thing that a server has not let a connection do.
type Denial struct {
	Subject      string // as it was published on or subscribed to; empty if the server does not say
	Queue        string // of a subscription
	Subscription bool   // it was one
	Err          error  // as nats.go has it
}

// quoted finds what the server puts in quotes: the subject, then the queue group if there is one.
var quoted = regexp.MustCompile(
	`(for Publish to|for Publish with Reply of|for Subscription to|using queue) ("(?:[^"\\]|\\.)*")`)

// Parse reads an error that a connection's ErrorHandler is given, and reports whether it is a denial.
func Parse(err error) (d Denial, ok bool) {
	d.Err = err
	if errors.Is(err, nats.ErrMaxSubscriptionsExceeded) {
		d.Subscription = true
		return d, true
	}
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return d, false
	}
	for _, m := range quoted.FindAllStringSubmatch(err.Error(), 2) {
		text, _ := strconv.Unquote(m[2])
		switch m[1] {
		case "using queue":
			d.Queue = text
		case "for Subscription to":
			d.Subscription = true
			fallthrough
		default:
			d.Subject = text
		}
	}
	return d, true
}

// Refusal returns the error for whoever waits: its code is 403.
func (d Denial) Refusal() *protocol.Error {
	what := "publish on " + clip(d.Subject)
	switch {
	case errors.Is(d.Err, nats.ErrMaxSubscriptionsExceeded):
		return protocol.Errorf(protocol.CodeForbidden, "",
			"NATS lets this user make no more subscriptions (%w): raise its limit", d.Err)
	case d.Queue != "":
		what = fmt.Sprintf("subscribe to %s in queue group %s", clip(d.Subject), clip(d.Queue))
	case d.Subscription:
		what = "subscribe to " + clip(d.Subject)
	}
	return &protocol.Error{Code: protocol.CodeForbidden, Err: d.Err, Msg: "NATS does not permit this user to " + what +
		": use other credentials, or change its permissions (docs/permissions.md)"}
}

// clip shortens a subject to what an error has room for.
func clip(s string) string {
	if len(s) > 200 {
		return s[:200] + "..."
	}
	return s
}

// settleTimeout bounds Settle.
const settleTimeout = time.Second

// Watch takes note of what a connection is denied. Its methods may be called from several goroutines.
type Watch struct {
	nc *nats.Conn

	mu       sync.Mutex
	standing map[Denial]bool // of subscriptions, until the connection is made anew
	renewals uint64          // how often it had been, when standing was begun
	waiting  map[*waiter]bool
	handled  error // the last error that the handler was given
	changed  chan struct{}
}

// waiter is a goroutine that waits for an answer.
type waiter struct {
	concerns func(Denial) bool
	end      context.CancelCauseFunc
}

// On begins to watch a connection. Its ErrorHandler, which must not be set again afterwards, still gets every error.
// then, if it is not nil, is called for each denial, one at a time.
func On(nc *nats.Conn, then func(Denial)) *Watch {
	w := &Watch{nc: nc, standing: map[Denial]bool{}, waiting: map[*waiter]bool{}, changed: make(chan struct{})}
	before := nc.ErrorHandler()
	nc.SetErrorHandler(func(nc *nats.Conn, sub *nats.Subscription, err error) {
		d, denied := Parse(err)
		if denied {
			w.tell(d)
			if then != nil {
				then(d)
			}
		}
		w.note(err)
		if before != nil {
			before(nc, sub, err)
		}
	})
	return w
}

// maxStanding is how many denied subscriptions are remembered.
const maxStanding = 1000

// tell ends the waiting of those whom a denial concerns.
func (w *Watch) tell(d Denial) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.renew()
	if d.Subscription && d.Subject != "" && len(w.standing) < maxStanding {
		w.standing[Denial{Subject: d.Subject, Queue: d.Queue, Subscription: true}] = true
	}
	for one := range w.waiting {
		if one.concerns(d) {
			one.end(d.Refusal())
		}
	}
}

// renew forgets what was denied before the connection was made anew. The caller holds the mutex.
func (w *Watch) renew() {
	if n := w.nc.Stats().Reconnects; n != w.renewals {
		clear(w.standing)
		w.renewals = n
	}
}

// note takes note of an error that has been handled.
func (w *Watch) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handled = err
	close(w.changed)
	w.changed = make(chan struct{})
}

// Settle returns when all that the server denied before the last round trip has been reported. nats.go reports errors
// one after the other, a moment later.
func (w *Watch) Settle() {
	limit := time.NewTimer(settleTimeout)
	defer limit.Stop()
	for {
		w.mu.Lock()
		handled, changed := w.handled, w.changed
		w.mu.Unlock()
		last := w.nc.LastError()
		if _, denied := Parse(last); !denied || last == handled {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			return
		}
	}
}

// Standing returns the refusal of a subscription that the connection has been denied, and that concerns the caller, or
// nil. It is for those who are told of denials by On, and need no context.
func (w *Watch) Standing(concerns func(Denial) bool) *protocol.Error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.standing) == 0 {
		return nil
	}
	w.renew()
	for d := range w.standing {
		if concerns(d) {
			return d.Refusal()
		}
	}
	return nil
}

// During returns a context that ends when the connection is denied something that concerns the caller, or has been
// denied such a subscription before. The function, which must be called, ends the watch. It returns the denial, if
// there was one, or else the error that it is given.
func (w *Watch) During(ctx context.Context, concerns func(Denial) bool) (context.Context, func(error) error) {
	ctx, end := context.WithCancelCause(ctx)
	one := &waiter{concerns: concerns, end: end}
	w.mu.Lock()
	w.waiting[one] = true
	w.renew()
	for d := range w.standing {
		if concerns(d) {
			end(d.Refusal())
		}
	}
	w.mu.Unlock()
	return ctx, func(err error) error {
		w.mu.Lock()
		delete(w.waiting, one)
		w.mu.Unlock()
		end(nil)
		if err == nil {
			return nil
		}
		if refusal, ok := errors.AsType[*protocol.Error](context.Cause(ctx)); ok && refusal.Code == protocol.CodeForbidden {
			return refusal
		}
		return err
	}
}
