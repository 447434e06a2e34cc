package jobs

import (
	"context"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/protocol/cloudevents"
)

// pass publishes the result of a job that is done where its trigger says, if it says so. That can be done again: a
// stream knows the message by its id. It returns false if that has to be left to somebody else, to whom the job was
// given back.
func (j *job) pass(r store.Stored) bool {
	if j.To == "" {
		return true
	}
	hops := j.Request.Hops + 1
	if hops > protocol.MaxHops {
		j.q.f.log.Error("result not passed on: there is a loop", "function", j.q.name, "id", j.id, "to",
			protocol.CleanValue(j.To, protocol.MaxErrorText), "hops", hops)
		return true
	}
	h := protocol.Header{protocol.HeaderID: {j.id}, protocol.HeaderHops: {strconv.Itoa(hops)},
		nats.MsgIdHdr: {j.q.name + "." + j.id + "." + strconv.FormatUint(r.Revision, 36)}}
	j.Request.Header.PassTrace(h)
	if r.Reply.Exit > 0 {
		h[protocol.HeaderExit] = []string{strconv.Itoa(r.Reply.Exit)}
	}
	if j.isEvent() {
		h = cloudevents.New(j.q.name, j.id, time.Now(), nil).Message(h)
	}
	return j.insist("pass its result on", func(ctx context.Context) error {
		body, err := j.result(ctx, r, h)
		if err == nil {
			err = j.q.f.nc.PublishMsg(&nats.Msg{Subject: j.To, Header: nats.Header(h), Data: body})
		}
		if err == nil {
			err = j.q.f.nc.FlushWithContext(ctx)
		}
		return err
	})
}

// isEvent reports whether the job is a CloudEvent. Then its result is one too.
func (j *job) isEvent() bool {
	r := &j.Request
	return r.Event || r.Header.Get(cloudevents.Prefix+cloudevents.SpecVersion) == cloudevents.Version
}

// result returns the result of a job for a message: what does not fit becomes an object, and a claim in h.
func (j *job) result(ctx context.Context, r store.Stored, h protocol.Header) (body []byte, err error) {
	body = r.Reply.Body
	if r.Reply.Claim != nil {
		if body, err = j.q.f.bodies.Get(ctx, r.Reply.Claim, int64(protocol.MaxBody)); err != nil {
			return nil, err
		}
	}
	if int64(h.Size()+len(body)) <= j.q.f.nc.MaxPayload() {
		return body, nil
	}
	claim, err := j.q.f.sent.PutBytes(ctx, body)
	if err == nil {
		claim.Put(h)
	}
	return nil, err
}
