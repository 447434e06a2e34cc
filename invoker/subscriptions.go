package invoker

import (
	"errors"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/denials"
	"github.com/polyvoke/polyvoke/invoker/subjects"
)

// subscriptions are those of one function. NATS may deny any of them, and says so later, or not which.
type subscriptions struct {
	make func(subjects.Subject) (*nats.Subscription, error)

	mu     sync.Mutex
	subs   map[subjects.Subject]*nats.Subscription
	asking bool    // become is under way
	denied []error // why subscriptions of it are not there
	unsure bool    // NATS has denied it something, and did not say what
}

// become makes the subscriptions those that are wanted: first the new ones, confirmed by a round trip, since only then
// does the next message arrive; then the old ones go.
func (l *subscriptions) become(want map[subjects.Subject]bool, roundTrip func() error) error {
	made, gone, errs := l.change(want)
	errs = append(errs, roundTrip())
	errs = append(errs, l.heard(made)...)
	for _, sub := range gone {
		errs = append(errs, sub.Drain())
	}
	return errors.Join(errs...)
}

// change makes the subscriptions that are wanted and not there, and returns those that are there and not wanted.
func (l *subscriptions) change(want map[subjects.Subject]bool) (
	made []subjects.Subject, gone []*nats.Subscription, errs []error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asking, l.denied = true, nil
	if l.subs == nil {
		l.subs = map[subjects.Subject]*nats.Subscription{}
	}
	for s := range want {
		if l.subs[s] != nil {
			continue
		}
		sub, err := l.make(s)
		if err == nil {
			l.subs[s] = sub
		}
		errs = append(errs, err)
		made = append(made, s)
	}
	for s, sub := range l.subs {
		if !want[s] {
			gone = append(gone, sub)
			delete(l.subs, s)
		}
	}
	return made, gone, errs
}

// heard returns why subscriptions that were just made are not there. If nobody knows which those are, none is.
func (l *subscriptions) heard(made []subjects.Subject) []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	why := l.denied
	for _, s := range made {
		if sub := l.subs[s]; sub != nil && l.unsure {
			_ = sub.Unsubscribe() // an error means that the connection is gone
			delete(l.subs, s)
		}
	}
	l.asking, l.denied, l.unsure = false, nil, false
	return why
}

// miss takes note that a subscription is not there, if it was one of these, and reports whether nobody makes it again.
func (l *subscriptions) miss(d denials.Denial) (lost bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := subjects.Subject{Name: d.Subject, Queue: d.Queue}
	sub := l.subs[s]
	if sub == nil && (d.Subject != "" || !l.asking) {
		return false
	}
	if sub != nil {
		_ = sub.Unsubscribe() // an error means that it is gone already
		delete(l.subs, s)
	}
	if l.asking {
		l.denied = append(l.denied, d.Refusal())
		l.unsure = l.unsure || d.Subject == ""
		return false
	}
	return true
}

// drain ends all subscriptions. What the server had sent before still comes.
func (l *subscriptions) drain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, sub := range l.subs {
		_ = sub.Drain() // an error means that the connection is gone, and with it the callers
	}
	clear(l.subs)
}
