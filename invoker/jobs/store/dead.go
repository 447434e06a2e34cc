package store

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

// Letter is a dead letter: a job that failed for good, as it came, and why.
type Letter struct {
	Function string
	ID       string
	Subject  string             // of the job, see protocol.ParseJobSubject
	Reason   string             // one of protocol's Reason constants
	Err      *protocol.Error    // of the last attempt, or why there was none
	Attempts int                // verdicts
	Accepted time.Time          // when the job was accepted
	Story    []protocol.Attempt // its attempts
	Revision uint64             // of the record that says that the job is dead
	Header   protocol.Header    // of the job, as it came
	Body     []byte             // of the job; empty if Header has a claim
	Stored   time.Time          // when the letter was stored, if it was
	Sequence uint64             // in the stream of dead letters, if it was stored
}

// headersOfLetters are those that a dead letter has beside those of its job.
var headersOfLetters = []string{protocol.HeaderReason, protocol.HeaderSubject, protocol.HeaderStory,
	protocol.HeaderAccepted, protocol.HeaderAttempt, protocol.HeaderError, protocol.HeaderErrorCode,
	protocol.HeaderRevision, protocol.HeaderID}

// Message returns the letter as headers: those of the job, and what became of it.
func (l *Letter) Message() protocol.Header {
	h := protocol.Header{}
	for name, values := range l.Header {
		if !strings.HasPrefix(strings.ToLower(name), "nats-") { // they would mean something to JetStream
			h[name] = values
		}
	}
	set := func(name, value string) {
		h.Delete(name)
		if value != "" {
			h[name] = []string{value}
		}
	}
	set(protocol.HeaderID, l.ID)
	set(protocol.HeaderReason, l.Reason)
	set(protocol.HeaderSubject, l.Subject)
	set(protocol.HeaderRevision, strconv.FormatUint(l.Revision, 10))
	set(protocol.HeaderAttempt, strconv.Itoa(l.Attempts))
	if len(l.Story) > 0 {
		set(protocol.HeaderStory, protocol.FormatStory(l.Story))
	}
	if !l.Accepted.IsZero() {
		set(protocol.HeaderAccepted, l.Accepted.UTC().Format(time.RFC3339Nano))
	}
	if l.Err != nil {
		set(protocol.HeaderError, protocol.CleanValue(l.Err.Error(), protocol.MaxErrorText))
		set(protocol.HeaderErrorCode, strconv.Itoa(l.Err.Code))
	}
	return h
}

// ParseLetter reads a dead letter. ok is false for a message that is none.
func ParseLetter(m *jetstream.RawStreamMsg) (l Letter, ok bool) {
	name, id, err := protocol.ParseJobKey(strings.TrimPrefix(m.Subject, protocol.RootDead+"."))
	if err != nil {
		return l, false
	}
	h := protocol.Header(m.Header)
	l = Letter{Function: name, ID: id, Subject: h.Get(protocol.HeaderSubject), Reason: h.Get(protocol.HeaderReason),
		Story: protocol.ParseStory(h.Get(protocol.HeaderStory)), Body: m.Data, Stored: m.Time, Sequence: m.Sequence}
	l.Attempts, _ = strconv.Atoi(h.Get(protocol.HeaderAttempt))
	l.Accepted, _ = time.Parse(time.RFC3339Nano, h.Get(protocol.HeaderAccepted))
	l.Revision, _ = strconv.ParseUint(h.Get(protocol.HeaderRevision), 10, 64)
	if text := h.Get(protocol.HeaderError); text != "" {
		code, err := strconv.Atoi(h.Get(protocol.HeaderErrorCode))
		if err != nil {
			code = protocol.CodeFailed
		}
		l.Err = &protocol.Error{Code: code, Msg: text}
	}
	l.Header = protocol.Header{}
	for name, values := range h {
		if !strings.HasPrefix(strings.ToLower(name), "nats-") {
			l.Header[name] = values
		}
	}
	for _, name := range headersOfLetters {
		l.Header.Delete(name)
	}
	return l, true
}

// Bury stores a dead letter, once: a letter that is there and belongs to the same record, or a later one, stays.
func (s *Store) Bury(ctx context.Context, l *Letter) error {
	const op = "store a dead letter"
	for {
		h := l.Message()
		h[jetstream.ExpectedLastSubjSeqHeader] = []string{"0"}
		_, refused := s.js.PublishMsg(ctx, &nats.Msg{Subject: protocol.DeadSubject(l.Function, l.ID), Header: nats.Header(h),
			Data: l.Body}, jetstream.WithRetryAttempts(0))
		if !there(refused) {
			return unavailable(op, refused)
		}
		old, ok, err := s.Letter(ctx, l.Function, l.ID)
		switch {
		case err != nil:
			return err
		case !ok:
			return unavailable(op, refused)
		case old.Revision >= l.Revision:
			return nil
		}
		if err := s.Delete(ctx, protocol.StreamDead, old.Sequence); err != nil { // it is of an earlier life
			return err
		}
	}
}

// there reports whether a letter could not be stored because there is one.
func there(err error) bool {
	var api *jetstream.APIError
	return objects.WrongSequence(err) || errors.As(err, &api) && api.ErrorCode == 10077
}

// Letter returns the dead letter of a job. ok is false if there is none.
func (s *Store) Letter(ctx context.Context, name, id string) (l Letter, ok bool, err error) {
	m, err := objects.Last(ctx, s.js, protocol.StreamDead, protocol.DeadSubject(name, id))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return l, false, nil
	case err != nil:
		return l, false, unavailable("read a dead letter", err)
	}
	l, ok = ParseLetter(m)
	return l, ok, nil
}

// DropLetter deletes the dead letter of a job, and reports whether there was one. With a revision other than 0 it must
// belong to that record.
func (s *Store) DropLetter(ctx context.Context, name, id string, revision uint64) (found bool, err error) {
	l, ok, err := s.Letter(ctx, name, id)
	if err != nil || !ok || revision != 0 && l.Revision != revision {
		return false, err
	}
	return true, s.Delete(ctx, protocol.StreamDead, l.Sequence)
}
