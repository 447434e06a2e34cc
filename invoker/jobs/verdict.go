package jobs

import (
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// judgement is what an attempt comes to.
type judgement int

const (
	succeeded judgement = iota // it is done
	again                      // it is tried again
	failed                     // it is dead
	nothing                    // the attempt says nothing about the job: it does not count
)

// verdict is a judgement, and why.
type verdict struct {
	judgement judgement
	reason    string // of failed: one of protocol's Reason constants
	reply     *protocol.Reply
	pause     time.Duration // of again
}

// verdictOf says what the reply to a job, or the error in its place, means. It knows nothing of earlier attempts.
func verdictOf(reply *protocol.Reply, err error) (judgement, string) {
	if err != nil {
		switch protocol.CodeOf(err) {
		case protocol.CodeNotFound:
			return failed, protocol.ReasonFunction
		case protocol.CodeBadRequest, protocol.CodeForbidden:
			return failed, protocol.ReasonVerdict
		}
		return nothing, "" // nobody knows whether it ran
	}
	if reply.Err == nil {
		return succeeded, ""
	}
	code, begun := reply.Err.Code, reply.Report != nil && reply.Report.Duration > 0
	if exit := protocol.FromExit(uint32(reply.Exit)); reply.Exit > 0 && exit.Chosen {
		return deliver(exit.Delivery)
	}
	switch {
	case reply.Exit >= 0:
	case code == protocol.CodeNotFound && reply.Report == nil:
		return failed, protocol.ReasonFunction // else it is the body that is gone
	case code == protocol.CodeUnavailable, code == protocol.CodeTooMany, code == protocol.CodeTimeout && !begun:
		return nothing, "" // the invoker, not the function, was not able to
	}
	return deliver(protocol.DeliveryOf(code))
}

// deliver returns what the specification's words mean.
func deliver(d protocol.Delivery) (judgement, string) {
	switch d {
	case protocol.Ack:
		return succeeded, ""
	case protocol.Retry:
		return again, ""
	}
	return failed, protocol.ReasonVerdict
}

// judge says what becomes of the job after an attempt, and adds the attempt to its story if it failed.
func (j *job) judge(reply *protocol.Reply, err error) verdict {
	v := j.decision(reply, err)
	j.observed(v)
	return v
}

// decision is judge, and tells nobody.
func (j *job) decision(reply *protocol.Reply, err error) verdict {
	if reply == nil {
		reply = &protocol.Reply{Exit: -1, Err: protocol.ErrorOf(protocol.Failure(nil, err), j.id)}
	}
	v := verdict{reply: reply}
	v.judgement, v.reason = verdictOf(reply, err)
	if v.judgement != again && v.judgement != failed {
		return v
	}
	j.story = protocol.AddAttempt(j.story, j.describe(reply))
	if v.judgement == failed {
		return v
	}
	v.pause = j.policy.Backoff.After(j.number)
	switch {
	case j.number >= j.Most:
		v.judgement, v.reason = failed, protocol.ReasonAttempts
	case j.tooLate(time.Now().Add(v.pause)):
		v.judgement, v.reason = failed, protocol.ReasonAge
	}
	return v
}

// describe returns what the story says about an attempt that failed.
func (j *job) describe(reply *protocol.Reply) protocol.Attempt {
	a := protocol.Attempt{Number: j.number, Time: time.Now().UTC(), Invoker: j.q.f.config.Invoker, Exit: reply.Exit,
		Code: reply.Err.Code, Error: reply.Err.Error(), Stderr: string(reply.Body)}
	if r := reply.Report; r != nil {
		a.Version, a.Duration, a.Fuel = r.Function.Version, r.Duration, r.Fuel
	}
	return a
}
