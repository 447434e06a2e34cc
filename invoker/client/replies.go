package client

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/denials"
	"github.com/polyvoke/polyvoke/protocol"
)

// replies takes the answers to all requests of a client by one subscription, as nats.go does for its own. A
// subscription for each request would cost two lines of the protocol and, with nats.SubscribeSync, half a megabyte for
// its channel.
type replies struct {
	mu      sync.Mutex
	nc      *nats.Conn
	sub     *nats.Subscription // nil until the first request
	prefix  string             // of the subjects of answers, with a dot at its end
	count   uint64
	waiting map[string]*inbox // by the last token of their subjects
	closed  chan struct{}     // closed when sub takes no more
}

// inbox is where the answer to one request comes.
type inbox struct {
	subject string
	all     *replies
	asks    string          // the subject of the request; empty: somebody else sees to what is denied
	refusal *protocol.Error // what NATS has denied; set before nil is sent to answer
	answer  chan *nats.Msg  // the first one
	hear    func(*nats.Msg) // if not nil, is called for each, in their order; it must not wait
	closed  <-chan struct{} // that of the subscription
}

// inbox opens an inbox, which must be closed, for the answer to a request on a subject. hear may be nil.
func (r *replies) inbox(asks string, hear func(*nats.Msg)) (*inbox, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sub == nil || !r.sub.IsValid() {
		if err := r.subscribe(); err != nil {
			return nil, err
		}
	}
	r.count++
	var room [128]byte
	subject := string(strconv.AppendUint(append(room[:0], r.prefix...), r.count, 36))
	token := subject[len(r.prefix):]
	in := &inbox{subject: subject, all: r, asks: asks, answer: make(chan *nats.Msg, 1), hear: hear, closed: r.closed}
	r.waiting[token] = in
	return in, nil
}

// subscribe makes the subscription. The caller holds the mutex.
func (r *replies) subscribe() error {
	prefix, waiting, closed := r.nc.NewInbox()+".", map[string]*inbox{}, make(chan struct{})
	sub, err := r.nc.Subscribe(prefix+"*", func(m *nats.Msg) {
		r.mu.Lock()
		in := waiting[strings.TrimPrefix(m.Subject, prefix)]
		r.mu.Unlock()
		if in == nil { // it comes too late, or nobody has asked
			cancelStream(r.nc, m.Reply)
			return
		}
		if in.hear != nil {
			in.hear(m)
		}
		select {
		case in.answer <- m:
		default: // there is one already
		}
	})
	if err != nil {
		return err
	}
	end := sync.OnceFunc(func() { close(closed) })
	sub.SetClosedHandler(func(string) { end() })
	if !sub.IsValid() {
		end()
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil { // an answer is handed on at once, however long it is
		return err
	}
	r.sub, r.prefix, r.waiting, r.closed = sub, prefix, waiting, closed
	return nil
}

// refused makes the next request subscribe again if an error says that NATS did not permit the subscription: then the
// server does not have it.
func (r *replies) refused(err error) {
	if err == nil {
		return
	}
	e, ok := errors.AsType[*protocol.Error](err)
	if !ok || e.Code != protocol.CodeForbidden {
		return
	}
	if d, ok := denials.Parse(e.Err); !ok || !d.Subscription {
		return
	}
	r.mu.Lock()
	sub := r.sub
	r.sub = nil
	r.mu.Unlock()
	if sub != nil {
		_ = sub.Unsubscribe()
	}
}

// concerns reports whether a denial is of a subscription to answers, or may be.
func (r *replies) concerns(d denials.Denial) bool {
	inbox := cmp.Or(r.nc.Opts.InboxPrefix, "_INBOX")
	return d.Subscription && (d.Subject == "" || len(d.Subject) > len(inbox) && d.Subject[len(inbox)] == '.' &&
		strings.HasPrefix(d.Subject, inbox))
}

// denied ends the waiting of those whom a denial concerns.
func (r *replies) denied(d denials.Denial) {
	all := r.concerns(d)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, in := range r.waiting {
		mine := all || !d.Subscription && d.Subject == in.asks
		if mine && in.asks != "" && in.refusal == nil {
			in.refusal = d.Refusal()
			select {
			case in.answer <- nil:
			default: // the answer is there
			}
		}
	}
}

// close closes the inbox: what comes there from now on is dropped.
func (in *inbox) close() {
	in.all.mu.Lock()
	defer in.all.mu.Unlock()
	if token, ok := strings.CutPrefix(in.subject, in.all.prefix); ok {
		delete(in.all.waiting, token)
	}
}

// next waits for the answer for a while. The error of a while that has passed is nats.ErrTimeout, and that of a request
// that nobody got nats.ErrNoResponders; that of one which NATS denies is a *protocol.Error.
func (in *inbox) next(ctx context.Context, wait time.Duration) (*nats.Msg, error) {
	timer := timers.Get().(*time.Timer)
	timer.Reset(wait)
	defer func() {
		timer.Stop()
		timers.Put(timer)
	}()
	var err error
	select {
	case m := <-in.answer:
		return in.answered(m)
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = nats.ErrTimeout
	case <-in.closed:
		err = nats.ErrConnectionClosed
	}
	select {
	case m := <-in.answer: // it came at the same time
		return in.answered(m)
	default:
		return nil, err
	}
}

// timers are used again: one that was stopped has nothing in its channel.
var timers = sync.Pool{New: func() any { return time.NewTimer(time.Hour) }}

// answered returns an answer, or the error for that of a server which says that nobody got the request, or denies it.
func (in *inbox) answered(m *nats.Msg) (*nats.Msg, error) {
	if m == nil {
		return nil, in.refusal
	}
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return nil, nats.ErrNoResponders
	}
	return m, nil
}
