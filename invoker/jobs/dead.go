package jobs

import (
	"context"
	"encoding/json"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// bury does what follows from the record of a job that is dead: its letter, the message to on_failure, the event. Each
// can be done again. It returns false if that has to be left to somebody else, to whom the job was given back.
func (j *job) bury(r store.Stored) bool {
	l := j.letter(r)
	if !j.insist("store its dead letter", func(ctx context.Context) (err error) {
		if l.Body, err = j.carry(ctx, l.Header, l.Body); err != nil {
			return err
		}
		return j.q.f.store.Bury(ctx, l)
	}) {
		return false
	}
	j.q.f.after("letter")
	if to := j.policy.OnFailure; to != "" && !j.insist("publish on job.on_failure", func(ctx context.Context) error {
		h := l.Message()
		h[nats.MsgIdHdr] = []string{l.Function + "." + l.ID + ".dead"}
		if err := j.q.f.nc.PublishMsg(&nats.Msg{Subject: to, Header: nats.Header(h), Data: l.Body}); err != nil {
			return err
		}
		return j.q.f.nc.FlushWithContext(ctx)
	}) {
		return false
	}
	j.announce(l)
	return true
}

// letter returns the dead letter of the job.
func (j *job) letter(r store.Stored) *store.Letter {
	return &store.Letter{Function: j.q.name, ID: j.id, Subject: j.Request.Subject, Reason: r.Reason, Err: r.Reply.Err,
		Attempts: r.Attempts, Accepted: j.Accepted, Story: j.story, Revision: r.Revision, Header: j.headers(),
		Body: j.m.Data}
}

// eventDead is where operators hear of dead jobs.
const eventDead = protocol.RootEvent + ".dead"

// announce tells operators of a dead job.
func (j *job) announce(l *store.Letter) {
	event := struct {
		Function string `json:"function"`
		ID       string `json:"id"`
		Reason   string `json:"reason"`
		Attempts int    `json:"attempts"`
		Code     int    `json:"code,omitempty"`
		Error    string `json:"error,omitempty"`
	}{l.Function, l.ID, l.Reason, l.Attempts, protocol.CodeOf(errorOf(l.Err)), protocol.MessageOf(errorOf(l.Err))}
	b, _ := json.Marshal(event) // of plain data, it cannot fail
	_ = j.q.f.nc.Publish(eventDead, b)
	j.q.f.log.Warn("a job is dead", "function", l.Function, "id", l.ID, "reason", l.Reason, "attempts", l.Attempts,
		"err", errorOf(l.Err))
}

// errorOf keeps no error from becoming one.
func errorOf(e *protocol.Error) error {
	if e == nil {
		return nil
	}
	return e
}
