package kv

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	mathrand "math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
)

// Codes of errors of JetStream that nats.go has no names for.
const (
	errWrongLastID   = 10070
	errTooLarge      = 10054
	errHeaders       = 10097
	errStore         = 10077
	errDuplicateNow  = 10158
	errNoTTL         = 10166
	errNoBatches     = 10174
	errIncomplete    = 10176
	errBatchTooLarge = 10199
	errDuplicate     = 10201
	errTooMany       = 10210
)

// newToken returns the random text by which the messages of one commit are recognised.
func newToken() string { return rand.Text() }

// How long an answer is waited for before the message is sent again, at first and at most.
const (
	firstAnswer = time.Second
	lastAnswer  = 8 * time.Second
)

// answer is what JetStream says to a message.
type answer struct {
	Error     *jetstream.APIError `json:"error"`
	Sequence  uint64              `json:"seq"`
	Duplicate bool                `json:"duplicate"`
}

// is reports whether the answer is an error with one of some codes.
func (a *answer) is(codes ...jetstream.ErrorCode) bool {
	for _, c := range codes {
		if a.Error != nil && a.Error.ErrorCode == c {
			return true
		}
	}
	return false
}

// changed reports whether a check has failed.
func (a *answer) changed() bool {
	return a.is(jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// encode returns a message as NATS has it. i is its number in the commit.
func (c *commit) encode(m *message, i int) *nats.Msg {
	h := nats.Header{headerMessageID: {c.token + "." + strconv.Itoa(i)}}
	if id := protocol.CleanValue(c.id(), protocol.MaxID); id != "" {
		h[protocol.HeaderID] = []string{id}
	}
	if !m.put {
		h[headerOperation] = []string{operationDelete}
	}
	if m.check {
		h[headerExpect] = []string{strconv.FormatUint(m.revision, 10)}
	}
	if m.of != "" {
		h[headerExpectSubject] = []string{c.bucket.subject(m.of)}
	}
	if m.stream {
		h[headerExpectLast] = []string{strconv.FormatUint(m.last, 10)}
	}
	if m.life != "" {
		h[headerTTL] = []string{m.life}
	}
	return &nats.Msg{Subject: c.bucket.subject(m.key), Header: h, Data: m.data}
}

// request sends a message and returns the answer to it.
func (c *commit) request(ctx context.Context, m *nats.Msg, most time.Duration) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	r, err := c.bucket.kind.JetStream.Conn().RequestMsgWithContext(ctx, m)
	if err != nil {
		return nil, err
	}
	a := new(answer)
	if err := json.Unmarshal(r.Data, a); err != nil {
		return nil, err
	}
	return a, nil
}

// attempts repeats something until it says that it is done, or ctx ends. It is told whether an answer was lost before.
// Its error is final, unless it is a lostError.
func (c *commit) attempts(ctx context.Context, try func(lost bool, most time.Duration) (done bool, err error)) error {
	nc := c.bucket.kind.JetStream.Conn()
	if !nc.IsConnected() {
		return protocol.Errorf(protocol.CodeUnavailable, "commit", "%s: NATS is not connected: nothing was written", c.path)
	}
	var last error // of an answer that was lost
	for i := 0; ; i++ {
		most := min(firstAnswer<<min(i, 10), lastAnswer)
		done, err := try(last != nil, most)
		lost, isLost := err.(lostError)
		switch {
		case isLost:
			last = lost.error
		case err != nil, done:
			return err
		}
		pause := time.Duration(mathrand.Int64N(int64(min(time.Millisecond<<min(i, 10), time.Second)))) + time.Millisecond
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			if last != nil {
				return c.unknown(last)
			}
			return protocol.Errorf(protocol.CodeUnavailable, "commit", "%s: NATS is too busy: nothing was written: %w",
				c.path, ctx.Err())
		}
	}
}

// lostError is that of a message to which there is no answer.
type lostError struct{ error }

// unanswered returns what to do about a message that was not answered. It is in doubt only if it can have been written.
func (c *commit) unanswered(err error, lost bool) (done bool, final error) {
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		return true, c.refused(protocol.CodeTooLarge, err)
	case lost:
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, nats.ErrConnectionClosed):
		return true, away("commit", c.bucket.name, err)
	}
	return false, lostError{err}
}

// single writes one message, by a publish of its own. i is its number in the commit.
func (c *commit) single(ctx context.Context, m *message, i int) error {
	allowed := false
	return c.attempts(ctx, func(lost bool, most time.Duration) (bool, error) {
		a, err := c.request(ctx, c.encode(m, i), most)
		switch {
		case err != nil:
			return c.unanswered(err, lost)
		case a.changed():
			return true, c.changed(ctx, m, i, lost)
		case a.is(errDuplicateNow):
			return false, nil
		case a.is(errNoTTL) && !allowed:
			allowed = true
			return false, c.allow(ctx)
		case a.Error != nil:
			return true, c.refusal(a.Error)
		}
		c.done(m, a.Sequence)
		return true, nil
	})
}

// changed returns the conflict of a message whose check has failed, or nil if it was written before, and only the
// answer was lost. Then the server knows its id.
func (c *commit) changed(ctx context.Context, m *message, i int, lost bool) error {
	c.bucket.cache.doubt(m.checked())
	if !lost {
		return c.conflict(m)
	}
	// An id that is known is found before another check, which fails, so the question writes nothing.
	question := c.encode(&message{key: m.key}, i)
	question.Header[headerExpectID] = []string{c.token + ".none"}
	stored := false
	err := c.attempts(ctx, func(_ bool, most time.Duration) (bool, error) {
		a, err := c.request(ctx, question, most)
		switch {
		case err != nil:
			return false, lostError{err}
		case a.is(errDuplicateNow):
			return false, nil
		case a.is(errWrongLastID):
			return true, nil
		case a.Error != nil:
			return true, c.unknown(a.Error)
		}
		if stored = a.Duplicate; stored {
			c.done(m, a.Sequence)
		}
		return true, nil
	})
	switch {
	case err != nil:
		return c.unknown(err)
	case stored:
		return nil
	}
	return c.conflict(m)
}

// batch writes several messages as one (ADR-50).
func (c *commit) batch(ctx context.Context, all []*message) error {
	select {
	case c.bucket.batches <- struct{}{}:
		defer func() { <-c.bucket.batches }()
	case <-ctx.Done():
		return protocol.Errorf(protocol.CodeUnavailable, "commit", "%s: too many calls commit at once: nothing was "+
			"written: %w", c.path, ctx.Err())
	}
	allowed := false
	return c.attempts(ctx, func(lost bool, most time.Duration) (bool, error) {
		a, err := c.sendBatch(ctx, all, most)
		switch {
		case err != nil:
			return c.unanswered(err, lost)
		case a.is(errDuplicate): // it was written before, and the answer was lost
			for _, m := range all {
				c.bucket.cache.doubt(m.key)
			}
			return true, nil
		case a.changed():
			return true, c.find(ctx, all)
		case a.is(errIncomplete, errTooMany, errDuplicateNow):
			return false, nil
		case a.is(errNoBatches, errNoTTL) && !allowed:
			allowed = true
			return false, c.allow(ctx)
		case a.Error != nil:
			return true, c.refusal(a.Error)
		}
		for i, m := range all {
			c.done(m, a.Sequence-uint64(len(all)-1-i))
		}
		return true, nil
	})
}

// sendBatch sends a batch and returns the answer to the last of it.
func (c *commit) sendBatch(ctx context.Context, all []*message, most time.Duration) (*answer, error) {
	nc, id := c.bucket.kind.JetStream.Conn(), newToken()
	for i, m := range all {
		e := c.encode(m, i)
		e.Header[headerBatch] = []string{id}
		e.Header[headerBatchSequence] = []string{strconv.Itoa(i + 1)}
		if i == len(all)-1 {
			e.Header[headerBatchCommit] = []string{"1"}
			return c.request(ctx, e, most)
		}
		if err := nc.PublishMsg(e); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("an empty batch")
}

// allow sets the bucket up again for what somebody has taken from it.
func (c *commit) allow(ctx context.Context) error {
	k := c.bucket.kind
	info, err := c.bucket.state(ctx)
	if err != nil {
		return away("commit", c.bucket.name, err)
	}
	config := info.Config
	if err := k.setUp(ctx, "commit", c.bucket.name, &config, needs{write: true, atomic: true}); err != nil {
		return protocol.Errorf(protocol.CodeUnavailable, "commit", "%w", err)
	}
	c.bucket.settings.Store(settingsOf(info, config))
	return nil
}

// refusal returns the error for what a server refuses to write.
func (c *commit) refusal(err *jetstream.APIError) error {
	code := protocol.CodeUnavailable
	switch err.ErrorCode {
	case errTooLarge, errHeaders, errBatchTooLarge:
		code = protocol.CodeTooLarge
	case errStore:
		if strings.Contains(err.Description, "maximum") {
			code = protocol.CodeMemory
		}
	}
	return c.refused(code, err)
}
