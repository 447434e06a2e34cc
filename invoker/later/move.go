package later

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

// Due is a message whose time has come.
type Due struct {
	Name, ID  string    // under which it was put
	Msg       *nats.Msg // as it was put
	Delivered uint64    // how often invokers have got it, this time included
}

// ErrAgain says that a handler cannot do with a message just now, and that this is nothing to report.
var ErrAgain = errors.New("not now")

// Mover moves what is due. Its methods may be called from several goroutines, Handle and the setting of its fields
// before Move.
type Mover struct {
	// Lost is given what has no queue any more, or cannot be a job. reason is protocol.ReasonFunction or
	// protocol.ReasonMalformed. When it returns nil the message goes; with an error it comes again.
	Lost func(ctx context.Context, d *Due, reason string) error

	store *Store
	kinds map[string]func(context.Context, *Due) error

	mu      sync.Mutex
	failing map[string]bool // names of which a message could not be moved, and that have been reported
}

// NewMover returns a mover of what waits in s.
func NewMover(s *Store) *Mover {
	return &Mover{store: s, kinds: map[string]func(context.Context, *Due) error{}, failing: map[string]bool{}}
}

// Handle gives the due messages of a kind to handle, many at a time. One that returns nil has done with the message;
// with an error the message comes again, perhaps to another invoker: at first soon, and then up to half a minute later.
func (m *Mover) Handle(kind string, handle func(context.Context, *Due) error) {
	if !Kind(kind) {
		panic("later: the kind " + kind + " does not begin with _")
	}
	m.kinds[kind] = handle
}

const (
	moving    = 256                    // messages that one invoker moves at a time
	fetched   = 64                     // messages that it has got besides; they are lost with it for moverWait
	progress  = moverWait / 3          // how often it says that it works on one
	heartbeat = 2 * time.Second        // of the server to who waits for messages: without two of them we ask anew
	lookAgain = 250 * time.Millisecond // how long after trouble with the consumer we look whether it is there
	longest   = 30 * time.Second       // between two tries with one message
)

// Move moves what is due until ctx ends, from when the store's Make has succeeded. All invokers do that at the same
// time, each with messages of its own. It returns when it has done with all that it has begun, and what else it has
// got has been given back.
func (m *Mover) Move(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-m.store.made:
	}
	for ctx.Err() == nil {
		err := m.consume(ctx)
		if err != nil && ctx.Err() == nil && m.report("", true) {
			m.store.config.Log.Warn("delayed jobs do not move until JetStream answers", "err", err)
		}
		wait(ctx, lookAgain)
	}
	return ctx.Err()
}

// wait waits for a time, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// consume moves messages until ctx ends, or there is trouble with the consumer.
func (m *Mover) consume(ctx context.Context) error {
	making, cancel := context.WithTimeout(ctx, roundTrip)
	defer cancel()
	if err := m.store.makeStream(making); err != nil {
		return err
	}
	consumer, err := m.store.js.Consumer(making, protocol.StreamLater, mover)
	if err != nil {
		return err
	}
	trouble := make(chan error, 1)
	slots := make(chan struct{}, moving)
	var running sync.WaitGroup
	// What is being moved when ctx ends is moved: that takes a round trip, and giving it back another one.
	working := context.WithoutCancel(ctx)
	consuming, err := consumer.Consume(func(got jetstream.Msg) {
		if ctx.Err() != nil {
			_ = got.Nak()
			return
		}
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			m.one(working, got)
		})
	}, jetstream.PullMaxMessages(fetched), jetstream.PullHeartbeat(heartbeat),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			if errors.Is(err, jetstream.ErrConsumerLeadershipChanged) {
				return // it has asked anew
			}
			select {
			case trouble <- err:
			default:
			}
		}))
	if err != nil {
		return err
	}
	m.report("", false)
	select {
	case <-ctx.Done():
	case err = <-trouble:
	case <-consuming.Closed():
		err = errors.New("the consumer has ended")
	}
	consuming.Drain()
	select {
	case <-consuming.Closed():
	case <-time.After(2 * roundTrip): // nobody answers, so nothing comes any more
	}
	running.Wait()
	return err
}

// one moves a message, and says to JetStream what became of it.
func (m *Mover) one(ctx context.Context, got jetstream.Msg) {
	meta, err := got.Metadata()
	w, ok := readWaiting(got.Subject(), got.Headers(), got.Data())
	if err != nil || !ok {
		_ = got.Term() // what is this? nobody else would know it either
		return
	}
	defer keep(got)()
	d := &Due{Name: w.Name, ID: w.ID, Msg: w.Msg, Delivered: meta.NumDelivered}
	if err = m.move(ctx, d); err == nil {
		m.report(d.Name, false)
		_ = got.Ack()
		return
	}
	if !errors.Is(err, ErrAgain) && m.report(d.Name, true) {
		m.store.config.Log.Warn("a message that is due does not get where it should; it is tried again", "function", d.Name,
			"id", d.ID, "err", err)
	}
	var refused *jetstream.APIError
	if errors.As(err, &refused) && !Kind(d.Name) && m.putBack(ctx, d, got.Headers()) == nil {
		_ = got.Ack()
		return
	}
	_ = got.NakWithDelay(backoff(d.Delivered))
}

// keep says again and again that a message is worked on, until stop is called.
func keep(got jetstream.Msg) (stop func()) {
	var mu sync.Mutex
	stopped := false
	var t *time.Timer
	mu.Lock()
	defer mu.Unlock()
	t = time.AfterFunc(progress, func() {
		mu.Lock()
		defer mu.Unlock()
		if !stopped {
			_ = got.InProgress()
			t.Reset(progress)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		t.Stop()
	}
}

// backoff returns the pause before the next try after n tries.
func backoff(n uint64) time.Duration {
	return min(100*time.Millisecond<<min(n, 20), longest)
}

// move publishes a message where it goes, or gives it to its handler.
func (m *Mover) move(ctx context.Context, d *Due) error {
	if Kind(d.Name) {
		handle := m.kinds[d.Name]
		if handle == nil {
			return fmt.Errorf("this invoker does not know the kind %s; a newer one does", d.Name)
		}
		return handle(ctx, d)
	}
	if err := checkTarget(d.Name, d.Msg.Subject); err != nil {
		return m.lost(ctx, d, protocol.ReasonMalformed)
	}
	moved := *d.Msg
	moved.Header = nats.Header(plainHeader(d.Msg.Header))
	moved.Header[jetstream.MsgIDHeader] = []string{moveID(d)}
	err := m.store.publish(ctx, &moved)
	if errors.Is(err, jetstream.ErrNoStreamResponse) && m.toQueue(ctx, d, &moved) {
		err = m.store.publish(ctx, &moved)
	}
	if errors.Is(err, jetstream.ErrNoStreamResponse) {
		return m.noQueue(ctx, d, err)
	}
	return err
}

// toQueue sends a job back to its queue if it has its turn in a line that is gone, with all others. It reports whether it
// does.
func (m *Mover) toQueue(ctx context.Context, d *Due, moved *nats.Msg) bool {
	if !protocol.IsTurn(moved.Subject) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, roundTrip)
	defer cancel()
	if _, err := m.store.js.Stream(ctx, protocol.TurnStream(d.Name)); !objects.Gone(err) {
		return false
	}
	subject := protocol.RedoSubject(protocol.Header(moved.Header).Get(protocol.HeaderSubject))
	if protocol.IsTurn(subject) || checkTarget(d.Name, subject) != nil {
		return false
	}
	moved.Subject = subject
	return true
}

// moveID returns the id by which a queue knows that it has got a message already: of a job, of its attempt, and of its
// life, since a job that was redriven has the same attempts again.
func moveID(d *Due) string {
	h := protocol.Header(d.Msg.Header)
	attempt := h.Get(protocol.HeaderAttempt)
	if attempt == "" {
		attempt = "0"
	}
	return strings.Join([]string{d.ID, attempt, h.Get(protocol.HeaderRevision), h.Get(protocol.HeaderAccepted)}, "/")
}

// putBack lets a message wait that its queue refuses, as a full one does. Messages that are not acknowledged would
// count against what all invokers may have at once, and keep others from moving.
func (m *Mover) putBack(ctx context.Context, d *Due, h nats.Header) error {
	moves, _ := strconv.ParseUint(h.Get(protocol.HeaderMoves), 10, 31)
	put := plainHeader(d.Msg.Header)
	put.Set(protocol.HeaderTarget, d.Msg.Subject)
	put.Set(protocol.HeaderMoves, strconv.FormatUint(moves+1, 10))
	return m.store.put(ctx, d.Name, d.ID, time.Now().Add(backoff(moves)), put, d.Msg.Data)
}

// noQueue decides about a message whose queue did not answer: it is gone, or has no leader just now.
func (m *Mover) noQueue(ctx context.Context, d *Due, err error) error {
	ctx, cancel := context.WithTimeout(ctx, roundTrip)
	defer cancel()
	if _, looked := m.store.js.Stream(ctx, protocol.QueueStream(d.Name)); !objects.Gone(looked) {
		return err
	}
	return m.lost(ctx, d, protocol.ReasonFunction)
}

func (m *Mover) lost(ctx context.Context, d *Due, reason string) error {
	if m.Lost == nil {
		return fmt.Errorf("it has no queue (%s), and nobody takes what is lost", reason)
	}
	return m.Lost(ctx, d, reason)
}

// report notes whether something fails, and returns true when that is news.
func (m *Mover) report(name string, failing bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	news := failing && !m.failing[name]
	if failing {
		m.failing[name] = true
	} else {
		delete(m.failing, name)
	}
	return news
}
