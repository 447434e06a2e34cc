package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// split has parts of a batch that has failed tried again, each as a job of its own, see protocol.SplitBatch. The batch
// then has no outcome: its parts have. It returns false for a job that is no batch, or whose verdict is one of the whole.
func (j *job) split(v verdict) bool {
	if v.judgement != again && v.judgement != failed || v.reason == protocol.ReasonFunction || !j.Redo {
		return false
	}
	parts := protocol.SplitBatch(j.id, j.m.Data, v.reply, j.Before, j.Most)
	if parts == nil {
		return false
	}
	j.q.settles(j)
	for _, p := range parts {
		at := time.Now()
		if p.Wait {
			at = at.Add(j.policy.Backoff.After(j.number))
		}
		if !j.insist("try part of a batch again", func(ctx context.Context) error {
			m, err := j.part(ctx, p)
			if err == nil {
				err = j.q.f.config.Later.Put(ctx, j.q.name, p.ID, at, m) // which waits for a queue that is full
			}
			return err
		}) {
			return true
		}
	}
	j.q.f.after("split")
	j.done()
	return true
}

// part returns the message that a part of the batch is as a job.
func (j *job) part(ctx context.Context, p protocol.Part) (*nats.Msg, error) {
	one := &job{JobMessage: j.JobMessage, q: j.q, id: p.ID, story: j.story,
		m: &nats.Msg{Subject: protocol.RedoSubject(j.Request.Subject), Header: j.m.Header, Data: p.Body}}
	one.Before, one.Revision = p.Attempts, 0
	m, err := one.later(ctx)
	if err != nil {
		return nil, err
	}
	var first protocol.Event
	if err := json.NewDecoder(bytes.NewReader(p.Body)).Decode(&first); err != nil {
		return nil, err
	}
	for name, value := range map[string]string{
		protocol.HeaderBatch:          strconv.Itoa(p.Count),
		protocol.HeaderSourceSubject:  protocol.CleanValue(first.Subject, protocol.MaxCall),
		protocol.HeaderSourceSequence: strconv.FormatUint(first.Sequence, 10),
		protocol.HeaderSourceTime:     first.Time.UTC().Format(time.RFC3339Nano),
	} {
		m.Header[name] = []string{value}
	}
	return m, nil
}
