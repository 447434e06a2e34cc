package store

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

// Message is a message as its stream has it.
type Message struct {
	Subject  string
	Sequence uint64
	Time     time.Time // when it was stored
	Header   protocol.Header
	Data     []byte
}

// Range says which messages of a stream are read: those of a subject, at most so many and about so many bytes, in the
// order of the stream.
type Range struct {
	Stream  string
	Subject string // may have wildcards; empty: any
	From    uint64 // sequence of the first one, or of one before it; 0 is 1
	Most    int    // messages
	Bytes   int    // after which no further message comes
}

// Read reads messages by one request (ADR-31, "Batched requests"). left is how many there are behind them. A stream
// that does not exist has none. The stream must allow direct reading.
func (s *Store) Read(ctx context.Context, r Range) (all []Message, left uint64, err error) {
	body, err := json.Marshal(map[string]any{"seq": max(r.From, 1), "next_by_subj": r.Subject, "batch": r.Most,
		"max_bytes": r.Bytes})
	if err != nil {
		return nil, 0, unavailable("read "+r.Stream, err)
	}
	nc := s.js.Conn()
	inbox := nc.NewInbox()
	answers := make(chan *nats.Msg, r.Most+1)
	sub, err := nc.ChanSubscribe(inbox, answers)
	if err != nil {
		return nil, 0, unavailable("read "+r.Stream, err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := nc.PublishRequest(s.api("DIRECT.GET."+r.Stream), inbox, body); err != nil {
		return nil, 0, unavailable("read "+r.Stream, err)
	}
	for {
		select {
		case <-ctx.Done():
			return nil, 0, unavailable("read "+r.Stream, ctx.Err())
		case m := <-answers:
			status := m.Header.Get("Status")
			switch {
			case last(m, jetstream.SequenceHeader) != "": // whoever published it can have put a status there too
				left, _ = strconv.ParseUint(last(m, numPending), 10, 64)
				all = append(all, message(m))
			case status == "204" || status == "404" || status == "503": // the end; no such message; no such stream
				return all, left, nil
			default:
				return nil, 0, unavailable("read "+r.Stream, errors.New(status+" "+m.Header.Get("Description")))
			}
		}
	}
}

// api returns the subject of a request to JetStream's API.
func (s *Store) api(what string) string {
	return objects.APIPrefix(s.js) + what
}

// numPending is the header that says how many messages are behind one.
const numPending = "Nats-Num-Pending"

// last returns the last value of a header: the server adds its own behind those of whoever published the message.
func last(m *nats.Msg, name string) string {
	if values := m.Header[name]; len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}

// message makes a Message of the answer to a direct request.
func message(m *nats.Msg) Message {
	out := Message{Subject: last(m, jetstream.SubjectHeader), Data: m.Data, Header: protocol.Header{}}
	out.Sequence, _ = strconv.ParseUint(last(m, jetstream.SequenceHeader), 10, 64)
	out.Time, _ = time.Parse(time.RFC3339Nano, last(m, jetstream.TimeStampHeaer))
	for name, values := range m.Header {
		switch name {
		case jetstream.SubjectHeader, jetstream.SequenceHeader, jetstream.TimeStampHeaer, jetstream.StreamHeader,
			jetstream.LastSequenceHeader, numPending:
		default:
			out.Header[name] = values
		}
	}
	return out
}

// Count returns how many messages of a subject a stream has. One that does not exist has none.
func (s *Store) Count(ctx context.Context, stream, subject string) (int64, error) {
	all, left, err := s.Read(ctx, Range{Stream: stream, Subject: subject, Most: 1, Bytes: 1})
	return int64(len(all)) + int64(left), err
}

// Last returns the last message of a subject without wildcards. ok is false if there is none.
func (s *Store) Last(ctx context.Context, stream, subject string) (m Message, ok bool, err error) {
	return s.get(ctx, stream, map[string]any{"last_by_subj": subject})
}

// At returns the message with a sequence. ok is false if it is gone, or was never there.
func (s *Store) At(ctx context.Context, stream string, sequence uint64) (m Message, ok bool, err error) {
	if sequence == 0 {
		return m, false, nil
	}
	return s.get(ctx, stream, map[string]any{"seq": sequence})
}

// get reads a message by the leader of its stream, who knows all that has been stored.
func (s *Store) get(ctx context.Context, stream string, which map[string]any) (m Message, ok bool, err error) {
	body, err := json.Marshal(which)
	if err != nil {
		return m, false, unavailable("read "+stream, err)
	}
	answer, err := s.js.Conn().RequestWithContext(ctx, s.api("STREAM.MSG.GET."+stream), body)
	if err != nil {
		return m, false, unavailable("read "+stream, err)
	}
	var r struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Subject string    `json:"subject"`
			Seq     uint64    `json:"seq"`
			Time    time.Time `json:"time"`
			Headers []byte    `json:"hdrs"`
			Data    []byte    `json:"data"`
		} `json:"message"`
	}
	if err := json.Unmarshal(answer.Data, &r); err != nil {
		return m, false, unavailable("read "+stream, err)
	}
	switch {
	case r.Error != nil && r.Error.Code == 404:
		return m, false, nil
	case r.Error != nil:
		return m, false, unavailable("read "+stream, r.Error)
	}
	m = Message{Subject: r.Message.Subject, Sequence: r.Message.Seq, Time: r.Message.Time, Data: r.Message.Data}
	if len(r.Message.Headers) > 0 {
		if m.Header, err = protocol.ParseHeader(r.Message.Headers); err != nil {
			m.Header, err = protocol.Header{}, nil // as far as anybody can tell, it has none
		}
	}
	return m, true, err
}

// Delete takes a message out of a stream. One that is gone is no error.
func (s *Store) Delete(ctx context.Context, stream string, sequence uint64) error {
	answer, err := s.js.Conn().RequestWithContext(ctx, s.api("STREAM.MSG.DELETE."+stream),
		[]byte(`{"seq":`+strconv.FormatUint(sequence, 10)+`,"no_erase":true}`))
	if err != nil {
		return unavailable("delete from "+stream, err)
	}
	var r struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &r); err != nil {
		return unavailable("delete from "+stream, err)
	}
	if r.Error != nil && r.Error.Code != 404 && !deleted(r.Error) {
		return unavailable("delete from "+stream, r.Error)
	}
	return nil
}

// deleted reports whether a message could not be deleted because there is none. How nats-server 2.15.2 says that depends
// on where the message was: of one before the first of a stream, or of an empty stream, it says in words only.
func deleted(e *jetstream.APIError) bool {
	const noMessage, notDeleted = 10043, 10057
	return e.ErrorCode == noMessage ||
		e.ErrorCode == notDeleted && (e.Description == "no message found" || e.Description == "stream store EOF")
}

// Announced calls tell each time that somebody decides about a job, until end is called. The record need not be stored
// yet, nor be the one that is stored in the end.
func (s *Store) Announced(name, id string, tell func()) (end func(), err error) {
	sub, err := s.js.Conn().Subscribe(s.kv+recordSubject(name, id), func(*nats.Msg) { tell() })
	if err != nil {
		return nil, unavailable("wait for an outcome", err)
	}
	return func() { _ = sub.Unsubscribe() }, nil // an error means that the connection is gone
}
