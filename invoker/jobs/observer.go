package jobs

import (
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// Observer sees what becomes of jobs. Its methods must not wait, and may be called from several goroutines. None may
// keep what it is shown.
type Observer interface {
	// Begin tells of an attempt that is about to be made. It may give its request other headers: a map of its own.
	Begin(a *Attempt)
	// End tells what has come of it. It is called once for each Begin.
	End(a *Attempt)
	// Dead tells of a job that is dead for good, and why: one of protocol's Reason constants.
	Dead(function, reason string)
}

// Attempt is what can be seen of an attempt to do a job.
type Attempt struct {
	Function string
	Request  *protocol.Request
	Number   int       // from 1
	Due      time.Time // when the first attempt could have begun
	Began    time.Time
	Took     time.Duration
	Code     int    // of the error; 0 for a success
	Failure  string // its text
	Outcome  string // one of the Outcome constants; empty until the end

	Trace  protocol.Trace // for observers: its place in a trace
	Parent protocol.Trace // for observers: that of what has made the job
}

// What an attempt comes to.
const (
	OutcomeDone    = "done"    // the job is done
	OutcomeRetry   = "retry"   // there will be another attempt
	OutcomeDead    = "dead"    // the job is dead
	OutcomeNothing = "nothing" // the function was not able to begin: it does not count
)

// observe tells of an attempt that is about to be made.
func (j *job) observe() {
	if o := j.q.f.config.Observer; o != nil {
		j.seen = &Attempt{Function: j.q.name, Request: &j.Request, Number: j.number, Due: j.from(), Began: time.Now()}
		o.Begin(j.seen)
	}
}

// observed tells what has come of it.
func (j *job) observed(v verdict) {
	a := j.seen
	if a == nil {
		return
	}
	j.seen = nil
	a.Took = time.Since(a.Began)
	a.Outcome = [...]string{
		succeeded: OutcomeDone, again: OutcomeRetry, failed: OutcomeDead, nothing: OutcomeNothing,
	}[v.judgement]
	if err := v.reply.Err; err != nil {
		a.Code, a.Failure = err.Code, protocol.CleanValue(err.Error(), protocol.MaxErrorText)
	}
	j.q.f.config.Observer.End(a)
}

// buried tells of the record of a job that says that it is dead.
func (j *job) buried() {
	if o := j.q.f.config.Observer; o != nil && j.record.State == protocol.StateDead {
		o.Dead(j.q.name, j.record.Reason)
	}
}
