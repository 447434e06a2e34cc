package objects

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// RoundTrip is how long one answer of the store may take.
const RoundTrip = 5 * time.Second

// source reads single messages of a stream. The error for one that is not there is
// jetstream.ErrMsgNotFound.
type source interface {
	last(ctx context.Context, subject string) (*jetstream.RawStreamMsg, error)
	next(ctx context.Context, subject string, seq uint64) (*jetstream.RawStreamMsg, error)
}

// direct reads by direct get: fast, from whichever replica answers, which may be behind.
type direct struct{ stream jetstream.Stream }

func (d direct) last(ctx context.Context, subject string) (*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, RoundTrip)
	defer cancel()
	return d.stream.GetLastMsgForSubject(ctx, subject)
}

func (d direct) next(ctx context.Context, subject string, seq uint64) (*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, RoundTrip)
	defer cancel()
	return d.stream.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(subject))
}

// leader reads from the stream's leader, which knows every change that was confirmed. nats.go
// has no call for that on a stream that allows direct gets.
type leader struct {
	js     jetstream.JetStream
	stream string
}

func (l leader) last(ctx context.Context, subject string) (*jetstream.RawStreamMsg, error) {
	return l.get(ctx, map[string]any{"last_by_subj": subject})
}

func (l leader) next(ctx context.Context, subject string, seq uint64) (*jetstream.RawStreamMsg, error) {
	return l.get(ctx, map[string]any{"next_by_subj": subject, "seq": seq})
}

func (l leader) get(ctx context.Context, what map[string]any) (*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, RoundTrip)
	defer cancel()
	req, err := json.Marshal(what)
	if err != nil {
		return nil, err
	}
	reply, err := l.js.Conn().RequestWithContext(ctx, APIPrefix(l.js)+"STREAM.MSG.GET."+l.stream, req)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Error   *jetstream.APIError
		Message struct {
			Subject string
			Seq     uint64
			Hdrs    []byte
			Data    []byte
			Time    time.Time
		}
	}
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return nil, fmt.Errorf("the server's answer is not JSON: %w", err)
	}
	if e := answer.Error; e != nil && e.ErrorCode == jetstream.JSErrCodeMessageNotFound {
		return nil, jetstream.ErrMsgNotFound
	} else if e != nil {
		return nil, e
	}
	stored := &answer.Message
	m := &jetstream.RawStreamMsg{Subject: stored.Subject, Sequence: stored.Seq, Data: stored.Data, Time: stored.Time}
	if len(answer.Message.Hdrs) > 0 {
		m.Header, err = nats.DecodeHeadersMsg(answer.Message.Hdrs)
	}
	return m, err
}

// APIPrefix returns how the subjects of a JetStream's API begin, which depends on how it is reached: through a
// domain, a prefix of an account's own, or neither.
func APIPrefix(js jetstream.JetStream) string {
	o := js.Options()
	switch {
	case o.Domain != "":
		return "$JS." + o.Domain + ".API."
	case o.APIPrefix != "":
		return strings.TrimSuffix(o.APIPrefix, ".") + "."
	}
	return jetstream.DefaultAPIPrefix
}

// Last returns the last message on a subject of a stream, as the stream's leader knows it: a read
// that follows a confirmed write sees it, with any number of replicas. The error is
// jetstream.ErrMsgNotFound if there is none.
func Last(ctx context.Context, js jetstream.JetStream, stream, subject string) (*jetstream.RawStreamMsg, error) {
	return leader{js, stream}.last(ctx, subject)
}

// Subjects returns the subjects of a stream that match a filter and the number of messages on
// each, as the stream's leader knows them.
func Subjects(ctx context.Context, stream jetstream.Stream, filter string) (map[string]uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, RoundTrip)
	defer cancel()
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return nil, err
	}
	return info.State.Subjects, nil
}

// State is the state of a stream: two states that are equal have the same messages.
type State struct {
	Created  int64  // when the stream was, in nanoseconds since 1970
	Last     uint64 // the last sequence number that was given
	Messages uint64
	Subjects uint64
}

// StateOf asks a stream's leader for its state.
func StateOf(ctx context.Context, stream jetstream.Stream) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, RoundTrip)
	defer cancel()
	info, err := stream.Info(ctx)
	if err != nil {
		return State{}, err
	}
	return State{info.Created.UnixNano(), info.State.LastSeq, info.State.Msgs, info.State.NumSubjects}, nil
}

// Gone reports whether an error says that a stream or bucket does not exist.
func Gone(err error) bool {
	return errors.Is(err, ErrNoBucket) ||
		errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, nats.ErrStreamNotFound) ||
		errors.Is(err, jetstream.ErrBucketNotFound) || errors.Is(err, jetstream.ErrNoStreamResponse)
}

// WrongSequence reports whether a server refused a compare-and-set because the last message on the
// subject is another one.
func WrongSequence(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// Bound returns ctx with a deadline: its own, or one after limit.
func Bound(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, limit)
}
