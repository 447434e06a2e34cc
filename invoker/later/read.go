package later

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

// Waiting is a message that waits for its time.
type Waiting struct {
	Name     string    // of the function, or of the kind
	ID       string    // under which it was put
	At       time.Time // when it is due
	Due      bool      // it is, and nobody has moved it yet
	Sequence uint64    // in the stream; a later Put gives a later one
	Msg      *nats.Msg // as it was put, with the subject on which it is published; of a kind: none
}

// Get returns the message that waits under a name and an id, or that is due and has not been moved. ok is false if
// there is none.
func (s *Store) Get(ctx context.Context, name, id string) (w Waiting, ok bool, err error) {
	if err := checkPlace(name, id); err != nil {
		return w, false, err
	}
	for _, subject := range []string{protocol.LaterSubject(name, id), protocol.DueSubject(name, id)} {
		m, err := objects.Last(ctx, s.js, protocol.StreamLater, subject)
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
			continue
		case objects.Gone(err):
			return w, false, nil
		case err != nil:
			return w, false, unavailable("look what waits of "+name, err)
		}
		w, ok = readWaiting(m.Subject, m.Header, m.Data)
		w.Sequence = m.Sequence
		if w.Due {
			w.At = m.Time
		}
		return w, ok, nil
	}
	return w, false, nil
}

// Bounds of a page of List.
const (
	MaxPage      = 1000    // messages
	maxPageBytes = 4 << 20 // after which an answer of the server ends
)

// List returns messages that wait under a name, in the order in which they were put: at most limit, and at most
// MaxPage, beginning behind the one whose sequence is after; 0 means the first. An empty name means all functions.
// next is what a further call must be given as after, and 0 if there is no more.
func (s *Store) List(ctx context.Context, name string, after uint64, limit int) (page []Waiting, next uint64,
	err error) {
	if name == "" {
		name = "*"
	} else if err := checkPlace(name, "x"); err != nil {
		return nil, 0, err
	}
	limit = min(max(limit, 1), MaxPage)
	for more := true; more && len(page) < limit; {
		var some []Waiting
		if some, more, err = s.fetch(ctx, protocol.LaterSubject(name, "*"), after+1, limit-len(page)); err != nil {
			return nil, 0, unavailable("list what waits", err)
		}
		for _, w := range some {
			after = w.Sequence
			if name != "*" || !Kind(w.Name) {
				page = append(page, w)
			}
		}
		if next = after; !more || len(some) == 0 {
			next, more = 0, false
		}
	}
	return page, next, nil
}

// fetch reads messages in one request ("NATS ADR-31", batched direct get).
func (s *Store) fetch(ctx context.Context, filter string, from uint64, limit int) (some []Waiting, more bool,
	err error) {
	ctx, cancel := context.WithTimeout(ctx, roundTrip)
	defer cancel()
	nc := s.js.Conn()
	sub, err := nc.SubscribeSync(nc.NewInbox())
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	request, err := json.Marshal(map[string]any{"seq": from, "batch": limit, "next_by_subj": filter,
		"max_bytes": maxPageBytes})
	if err != nil {
		return nil, false, err
	}
	api := objects.APIPrefix(s.js) + "DIRECT.GET." + protocol.StreamLater
	if err := nc.PublishRequest(api, sub.Subject, request); err != nil {
		return nil, false, err
	}
	for {
		m, err := sub.NextMsgWithContext(ctx)
		switch {
		case errors.Is(err, nats.ErrNoResponders) || err == nil && m.Header.Get("Status") == "404":
			return some, false, nil // there is no stream, or nothing in it
		case err != nil:
			return nil, false, err
		case m.Header.Get("Status") == "204":
			return some, m.Header.Get("Nats-Num-Pending") != "0", nil
		case m.Header.Get("Status") != "":
			return nil, false, errors.New(m.Header.Get("Status") + " " + m.Header.Get("Description"))
		}
		w, ok := readWaiting(m.Header.Get(jetstream.SubjectHeader), m.Header, m.Data)
		w.Sequence, err = strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
		if ok && err == nil {
			some = append(some, w)
		}
	}
}

// readWaiting reads a message of the stream. ok is false if its subject is none of the stream's.
func readWaiting(subject string, h nats.Header, body []byte) (w Waiting, ok bool) {
	tokens := strings.Split(subject, ".")
	if len(tokens) != 3 || tokens[0] != protocol.RootLater && tokens[0] != protocol.RootDue {
		return w, false
	}
	w = Waiting{Name: tokens[1], ID: tokens[2], Due: tokens[0] == protocol.RootDue}
	at, _ := strings.CutPrefix(h.Get(jetstream.ScheduleHeader), "@at ")
	w.At, _ = time.Parse(time.RFC3339Nano, at)
	w.Msg = &nats.Msg{Subject: h.Get(protocol.HeaderTarget), Header: nats.Header(plainHeader(h)), Data: body}
	return w, true
}
