package jobs

import (
	"context"
	"time"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// unsure reports whether the job may have its outcome already, or be one that there is: then something is read before
// it runs. The usual job pays nothing.
func (j *job) unsure() bool {
	return j.named() || j.place.delivered > 1 || j.Before > 0 || j.Revision > 0 || j.cancelled
}

// begin finds out whether the job is to run now. Otherwise it sees to what becomes of it.
func (j *job) begin() bool {
	now := time.Now()
	switch {
	case j.malformed != nil:
		j.die(protocol.ReasonMalformed, protocol.Errorf(protocol.CodeOf(j.malformed), "",
			"the message cannot be a job: %w", j.malformed))
	case j.unsure() && !j.look():
	case !j.Redo && j.from().After(now):
		j.wait(j.from())
	case j.tooLate(now):
		j.die(protocol.ReasonAge, protocol.Errorf(protocol.CodeTimeout, "",
			"the job is older than %s (job.max_age): look for what its queue had to wait for", j.policy.MaxAge))
	case j.number > j.Most:
		j.die(protocol.ReasonAttempts, protocol.Errorf(protocol.CodeFailed, "",
			"the job has had %d attempts, and may have %d", j.Before, j.Most))
	default:
		return true
	}
	return false
}

// look reads what is known of the job, and reports whether it is to run.
func (j *job) look() bool {
	if j.named() && !j.Redo {
		first := false
		if !j.insist("find out whether the job is the first of its id", func(ctx context.Context) (err error) {
			first, err = j.q.f.store.First(ctx, j.q.name, j.id, protocol.NewJobID(j.place.sequence, j.q.created()),
				time.Duration(j.policy.Unique))
			return err
		}) {
			return false
		}
		if !first {
			j.done()
			return false
		}
	}
	r, ok, told := j.read()
	if !told {
		return false
	}
	if !ok {
		j.Revision = r.Revision
		return true
	}
	if r.State == protocol.StateRedriven && r.Revision == j.Revision {
		return true
	}
	j.follow(r, j.Redo || j.place.delivered > 1)
	return false
}

// read reads the record of the job. told is false if that is not possible: then the job has been given back.
func (j *job) read() (r store.Stored, ok, told bool) {
	told = j.insist("read the outcome of the job", func(ctx context.Context) (err error) {
		r, ok, err = j.q.f.store.Record(ctx, j.q.name, j.id)
		return err
	})
	return r, ok, told
}

// longestInsisting is the longest pause between tries of something.
const longestInsisting = 5 * time.Second

// insist does something that JetStream is needed for, until it succeeds. It returns false if jobs are to end before
// that: then the job has been given back.
func (j *job) insist(what string, do func(context.Context) error) bool {
	f := j.q.f
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, longestInsisting) {
		ctx, cancel := context.WithTimeout(f.working, roundTrip)
		err := do(ctx)
		cancel()
		if err == nil {
			return true
		}
		if pause == 50*time.Millisecond {
			f.log.Warn("a job waits", "function", j.q.name, "id", j.id, "for", what, "err", err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-f.serving.Done():
			timer.Stop()
			j.giveBack()
			return false
		}
	}
}
