// Package later keeps messages until their time.
//
// In goes a message with a subject and a time. When the time has come, JetStream gives it to one of the invokers, which
// publishes it on its subject: a delayed job, or the next attempt of one, on its function's queue. A message whose name
// begins with _ goes to the handler of that kind instead: schedules have their next run wait here.
//
// A queue that refuses when it is full cannot have message schedules itself (err_code 10052), so all of them wait in
// one stream, FN_LATER. store.go puts and cancels, read.go shows what waits, move.go moves what is due.
package later

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

// Config configures a store. The zero value is for a single server.
type Config struct {
	Replicas int          // copies that a cluster keeps of the stream; 0: 1
	Log      *slog.Logger // nil: nowhere
}

// Store is the messages that wait. Its methods may be called from several goroutines. Their errors are *protocol.Error,
// with code 503 if JetStream does not answer.
type Store struct {
	js     jetstream.JetStream
	config Config
	once   sync.Once
	made   chan struct{} // closed when this process has made the stream
}

// New returns the store on js. It makes nothing; see Make. The connection stays the caller's.
func New(js jetstream.JetStream, c Config) *Store {
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Store{js: js, config: c, made: make(chan struct{})}
}

// Bounds of what waits.
const (
	// MaxAhead is the longest that a message of a kind waits. The longest gap between two 29ths of February is 8 years.
	MaxAhead = 10 * 366 * 24 * time.Hour
	// maxID is the length of the longest id. Those of jobs have protocol.MaxJobID bytes at most; those of kinds may be
	// made of a function's name and something else.
	maxID = 2 * protocol.MaxJobID
)

// mover is the name of the one durable consumer, which all invokers share.
const mover = "mover"

// moverWait is how long JetStream waits for a word about a message that is due. Moving one is one round trip, and who
// takes longer says so in between; what is not heard of was lost with its invoker.
const moverWait = time.Second

// maxMoving is how many due messages all invokers have at once. Those that a handler has refused and that wait for
// their next try count too.
const maxMoving = 10_000

// Make makes the stream where it is missing. What exists keeps its settings. From then on Move of this store moves what
// is due.
func (s *Store) Make(ctx context.Context) error {
	if err := s.makeStream(ctx); err != nil {
		return unavailable("prepare delays", err)
	}
	s.once.Do(func() { close(s.made) })
	return nil
}

func (s *Store) makeStream(ctx context.Context) error {
	_, err := s.js.CreateStream(ctx, jetstream.StreamConfig{Name: protocol.StreamLater,
		Description: "polyvoke: jobs that wait for their time", Retention: jetstream.WorkQueuePolicy,
		Subjects:          []string{protocol.LaterSubject("*", "*"), protocol.DueSubject("*", "*")},
		AllowMsgSchedules: true, AllowDirect: true, Replicas: s.config.Replicas})
	if err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return err
	}
	_, err = s.js.CreateOrUpdateConsumer(ctx, protocol.StreamLater, jetstream.ConsumerConfig{Durable: mover,
		FilterSubject: protocol.DueSubject("*", "*"), AckPolicy: jetstream.AckExplicitPolicy, AckWait: moverWait,
		MaxDeliver: -1, MaxAckPending: maxMoving, MaxWaiting: 4096})
	return err
}

// Kind reports whether a name is that of a kind of messages, and not of a function: it begins with _.
func Kind(name string) bool { return strings.HasPrefix(name, "_") }

// Put lets m wait until at, under a function's name and an id. What waits there already is replaced, unless it is the
// same job and has got further: then that stays, and the error is nil. m.Subject is where it goes then: a subject of the
// function's queue on which invokers publish, see protocol.RedoSubject. If the name is a kind, m goes to the kind's
// handler, and m.Subject means nothing. Its body and its headers are kept, but for those of NATS: what they ask of a
// server was for the message that a caller sent. A time that has passed means at once. The server looks four times a
// second.
//
// # Errors
//
// The code is 400 for a name, an id, a subject or a time that cannot be, 413 for a message that is too large with the
// headers that it needs while it waits, and 503 if JetStream does not take it. m is not changed.
func (s *Store) Put(ctx context.Context, name, id string, at time.Time, m *nats.Msg) error {
	if err := checkPlace(name, id); err != nil {
		return err
	}
	most := time.Duration(protocol.MaxJobAge)
	if Kind(name) {
		most = MaxAhead
	} else if err := checkTarget(name, m.Subject); err != nil {
		return err
	}
	if at.IsZero() || time.Until(at) > most {
		return protocol.Errorf(protocol.CodeBadRequest, "", "a message of %s cannot wait until %s: the longest is %s", name,
			at.UTC().Format(time.RFC3339), most)
	}
	h := plainHeader(m.Header)
	if !Kind(name) {
		h.Set(protocol.HeaderTarget, m.Subject)
	}
	return s.put(ctx, name, id, at, h, m.Data)
}

// put lets a message wait whose headers plainHeader has returned. A job that waits already and has got further stays:
// one that is delivered again, since its invoker ended before JetStream heard that it was to wait, would take the place
// of what came of it, and its queue would take it for the copy that it has seen.
func (s *Store) put(ctx context.Context, name, id string, at time.Time, h protocol.Header, body []byte) error {
	if Kind(name) {
		return s.replace(ctx, name, id, at, h, body)
	}
	var err error
	for range mostReplacing {
		var waits *jetstream.RawStreamMsg
		waits, err = objects.Last(ctx, s.js, protocol.StreamLater, protocol.LaterSubject(name, id))
		sequence := uint64(0)
		switch {
		case err == nil && further(protocol.Header(waits.Header), h):
			return nil
		case err == nil:
			sequence = waits.Sequence
		case !errors.Is(err, jetstream.ErrMsgNotFound) && !objects.Gone(err):
			return unavailable("delay a message of "+name, err)
		}
		h[jetstream.ExpectedLastSubjSeqHeader] = []string{strconv.FormatUint(sequence, 10)}
		if err = s.replace(ctx, name, id, at, h, body); !objects.WrongSequence(err) {
			return err
		}
	}
	return err // others replace it all the time
}

// mostReplacing is how often a message is tried to be put while others put the same.
const mostReplacing = 20

// further reports whether a job has got further than another message of it: it was redriven later, or has had more
// verdicts.
func further(h, than protocol.Header) bool {
	number := func(h protocol.Header, name string) uint64 {
		n, _ := strconv.ParseUint(h.Get(name), 10, 64)
		return n
	}
	life, other := number(h, protocol.HeaderRevision), number(than, protocol.HeaderRevision)
	if life != other {
		return life > other
	}
	return number(h, protocol.HeaderAttempt) > number(than, protocol.HeaderAttempt)
}

// replace publishes a message that waits.
func (s *Store) replace(ctx context.Context, name, id string, at time.Time, h protocol.Header, body []byte) error {
	h[jetstream.ScheduleHeader] = []string{"@at " + at.UTC().Format(time.RFC3339Nano)}
	h[jetstream.ScheduleTargetHeader] = []string{protocol.DueSubject(name, id)}
	m := &nats.Msg{Subject: protocol.LaterSubject(name, id), Header: nats.Header(h), Data: body}
	err := s.publish(ctx, m)
	if errors.Is(err, jetstream.ErrNoStreamResponse) {
		if err = s.Make(ctx); err == nil {
			err = s.publish(ctx, m)
		}
	}
	if errors.Is(err, nats.ErrMaxPayload) {
		return protocol.Errorf(protocol.CodeTooLarge, "delay a message of "+name,
			"its body of %d bytes leaves no room for the headers that it needs while it waits: %w", len(body), err)
	}
	return unavailable("delay a message of "+name, err)
}

func (s *Store) publish(ctx context.Context, m *nats.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, roundTrip)
	defer cancel()
	_, err := s.js.PublishMsg(ctx, m, jetstream.WithRetryAttempts(0))
	return err
}

// roundTrip is how long one answer of JetStream may take.
const roundTrip = 5 * time.Second

// Cancel lets the message of a name and an id not come. found is false if none waits, and none is due and has not been
// moved.
func (s *Store) Cancel(ctx context.Context, name, id string) (found bool, err error) {
	if err := checkPlace(name, id); err != nil {
		return false, err
	}
	n, err := s.purge(ctx, name, id)
	return n > 0, err
}

// Purge cancels all messages of a name, and returns how many there were.
func (s *Store) Purge(ctx context.Context, name string) (n int, err error) {
	if err := checkPlace(name, "x"); err != nil {
		return 0, err
	}
	return s.purge(ctx, name, "*")
}

// purge takes messages out of the stream: first those that wait, since they become due.
func (s *Store) purge(ctx context.Context, name, id string) (n int, err error) {
	for _, subject := range []string{protocol.LaterSubject(name, id), protocol.DueSubject(name, id)} {
		var answer struct {
			Error  *jetstream.APIError `json:"error"`
			Purged int                 `json:"purged"`
		}
		err := s.ask(ctx, "STREAM.PURGE.", jetstream.StreamPurgeRequest{Subject: subject}, &answer)
		switch {
		case err == nil && answer.Error != nil && answer.Error.ErrorCode == jetstream.JSErrCodeStreamNotFound:
			return n, nil
		case err == nil && answer.Error != nil:
			err = answer.Error
		}
		if err != nil {
			return n, unavailable("cancel what waits of "+name, err)
		}
		n += answer.Purged
	}
	return n, nil
}

// ask asks JetStream about the stream. The library's own Purge does not say how many messages there were.
func (s *Store) ask(ctx context.Context, what string, request, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, roundTrip)
	defer cancel()
	b, err := json.Marshal(request)
	if err != nil {
		return err
	}
	m, err := s.js.Conn().RequestWithContext(ctx, objects.APIPrefix(s.js)+what+protocol.StreamLater, b)
	if err != nil {
		return err
	}
	return json.Unmarshal(m.Data, answer)
}

// checkPlace checks the name and the id of a message.
func checkPlace(name, id string) error {
	if err := protocol.CheckName(strings.TrimPrefix(name, "_")); err != nil {
		return err
	}
	if rest := strings.TrimPrefix(id, "_"); rest == "" || len(id) > maxID || strings.Trim(rest, plain) != "" {
		return protocol.Errorf(protocol.CodeBadRequest, "", "id %.40q of a message that waits: use letters, digits, - and _",
			id)
	}
	return nil
}

const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

// checkTarget checks where a job goes: only into its own queue, on the subjects that are the invokers'.
func checkTarget(name, subject string) error {
	function, _, redo, err := protocol.ParseJobSubject(subject)
	if err == nil && (function != name || !redo) {
		err = protocol.Errorf(protocol.CodeBadRequest, "",
			"subject %.80q is not in the queue of %s: use protocol.RedoSubject", subject, name)
	}
	return err
}

// plainHeader returns a copy of headers without those that NATS, or this package, gives a meaning.
func plainHeader(h nats.Header) protocol.Header {
	kept := make(protocol.Header, len(h)+3)
	for name, values := range h {
		lower := strings.ToLower(name)
		if !strings.HasPrefix(lower, "nats-") && lower != lowerTarget && lower != lowerMoves {
			kept[name] = values
		}
	}
	return kept
}

var lowerTarget, lowerMoves = strings.ToLower(protocol.HeaderTarget), strings.ToLower(protocol.HeaderMoves)

// unavailable says that JetStream could not be asked.
func unavailable(op string, err error) error {
	var known *protocol.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	}
	return protocol.Errorf(protocol.CodeUnavailable, op, "JetStream does not do what was asked for: %w", err)
}
