package objects

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// batch is how many descriptions the server is asked for at a time.
const batch = 1000

// Since calls each for what the bucket says about all objects from a sequence on, in its order, and returns the
// sequence to go on from. Objects that are not Live any more are among them. It asks whichever replica answers. If
// each returns an error, Since ends with it. It costs one request if there is nothing new.
func (b *Bucket) Since(ctx context.Context, seq uint64, each func(Object) error) (next uint64, err error) {
	next = max(seq, 1)
	take := func(m *jetstream.RawStreamMsg) error {
		next = m.Sequence + 1
		name, err := base64.URLEncoding.DecodeString(strings.TrimPrefix(m.Subject, b.metaSubject("")))
		if err != nil {
			return nil // no Object Store client wrote this
		}
		o := Object{Seq: m.Sequence, Stored: m.Time}
		if json.Unmarshal(m.Data, &o.Info) != nil {
			o.Info = jetstream.ObjectInfo{}
		}
		o.Info.Name = string(name)
		return each(o)
	}
	for {
		more, err := b.page(ctx, next, take)
		if err != nil || !more {
			return next, err
		}
	}
}

// page asks for the next descriptions, and reports whether there may be more. A server before 2.11 sends one at a time,
// as one does whose stream allows no direct gets.
func (b *Bucket) page(ctx context.Context, seq uint64, take func(*jetstream.RawStreamMsg) error) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, RoundTrip)
	defer cancel()
	if !b.stream.CachedInfo().Config.AllowDirect {
		return b.one(ctx, seq, take)
	}
	ask, err := json.Marshal(map[string]any{"batch": batch, "seq": seq, "next_by_subj": b.metaSubject("") + ">"})
	if err != nil {
		return false, err
	}
	nc := b.js.Conn()
	replies, err := nc.SubscribeSync(nc.NewInbox())
	if err != nil {
		return false, err
	}
	defer func() { _ = replies.Unsubscribe() }()
	if err := replies.SetPendingLimits(-1, -1); err != nil {
		return false, err
	}
	if err := nc.PublishRequest(APIPrefix(b.js)+"DIRECT.GET.OBJ_"+b.name, replies.Subject, ask); err != nil {
		return false, err
	}
	for {
		m, err := replies.NextMsgWithContext(ctx)
		if err != nil {
			return false, err
		}
		if status := m.Header.Get("Status"); status != "" {
			return more && m.Header.Get(numPending) != "0", refusal(m.Header)
		}
		seq, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
		if err != nil {
			return false, errors.New("the server's answer has no sequence")
		}
		at, _ := time.Parse(time.RFC3339Nano, m.Header.Get(jetstream.TimeStampHeaer))
		more = true
		got := &jetstream.RawStreamMsg{Subject: m.Header.Get(jetstream.SubjectHeader), Sequence: seq, Time: at, Data: m.Data}
		if err := take(got); err != nil || m.Header.Get(numPending) == "" {
			return more, err // the server does not know what a batch is
		}
	}
}

// numPending is the header that says how many messages follow the last of a batch.
const numPending = "Nats-Num-Pending"

// refusal returns the error of an answer with a status, if it is no end.
func refusal(h nats.Header) error {
	switch h.Get("Status") {
	case "404", "204":
		return nil
	case "503":
		return nats.ErrNoResponders
	}
	return errors.New("the server refused: " + h.Get("Description"))
}

// one asks the leader for one description.
func (b *Bucket) one(ctx context.Context, seq uint64, take func(*jetstream.RawStreamMsg) error) (more bool, err error) {
	m, err := leader{b.js, "OBJ_" + b.name}.next(ctx, b.metaSubject("")+">", seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, take(m)
}
