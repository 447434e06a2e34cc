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
		m, err := direct{b.stream}.next(ctx, b.metaSubject("")+">", next) // mostly there is none
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return next, nil
		}
		if err == nil {
			err = take(m)
		}
		for more := b.stream.CachedInfo().Config.AllowDirect; more && err == nil; {
			more, err = b.page(ctx, next, take)
		}
		if err != nil {
			return next, err
		}
	}
}

// page asks for the next descriptions, and reports whether there may be more. A server before 2.11 sends one at a time.
func (b *Bucket) page(
	ctx context.Context, seq uint64, take func(*jetstream.RawStreamMsg) error,
) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, RoundTrip)
	defer cancel()
	ask, err := json.Marshal(map[string]any{"batch": batch, "seq": seq, "next_by_subj": b.metaSubject("") + ">"})
	if err != nil {
		return false, err
	}
	nc := b.js.Conn()
	inbox, replies := nc.NewInbox(), make(chan *nats.Msg, batch+1)
	sub, err := nc.ChanSubscribe(inbox, replies)
	if err != nil {
		return false, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := nc.PublishRequest(APIPrefix(b.js)+"DIRECT.GET.OBJ_"+b.name, inbox, ask); err != nil {
		return false, err
	}
	for {
		var m *nats.Msg
		select {
		case m = <-replies:
		case <-ctx.Done():
			return false, ctx.Err()
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
