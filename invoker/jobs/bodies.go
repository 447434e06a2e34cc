package jobs

import (
	"bytes"
	"context"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// Bodies that are too large for a message are objects of the bucket protocol.BucketJobs, in which our own client puts
// those of jobs. The bucket of calls, in which other clients may, forgets them after an hour, which is less than jobs may
// wait and outcomes are kept.

// spare is what a message needs besides its own headers and its body, in bytes: the headers of JetStream and of those
// who keep and move it.
const spare = 12 << 10

// fetch reads the body of a job from the bucket of jobs, where the function's invoker does not look.
func (j *job) fetch(ctx context.Context) (err error) {
	r := &j.Request
	if r.Claim == nil || r.Claim.Bucket != protocol.BucketJobs {
		return nil
	}
	j.q.mu.Lock()
	most := j.q.most
	j.q.mu.Unlock()
	r.Body, err = j.q.f.bodies.Get(ctx, r.Claim, int64(most))
	if err == nil {
		r.Claim = nil
	}
	return err
}

// carry sees to it that the body of a job is there for as long as the job may wait: an object of the caller's is taken
// over, and what would not fit the message becomes one. It returns the body for the message; the claim is in h.
func (j *job) carry(ctx context.Context, h protocol.Header, body []byte) ([]byte, error) {
	claim, err := protocol.ParseClaim(h)
	switch {
	case err != nil: // it is malformed, and stays as it came
		return body, nil
	case claim != nil && claim.Bucket == protocol.BucketJobs:
		return body, nil
	case claim != nil:
		claim.Bucket = ""
		if body, err = j.q.f.sent.Get(ctx, claim, int64(protocol.MaxBody)); protocol.CodeOf(err) < protocol.CodeFailed {
			return nil, nil // it is not there any more, which the next attempt, or who reads the letter, will find
		}
	case int64(h.Size()+len(body)+spare) <= j.q.f.nc.MaxPayload():
		return body, nil
	}
	if err == nil {
		claim, err = j.q.f.bodies.PutBytes(ctx, body)
	}
	if err != nil {
		return body, err
	}
	claim.Bucket = protocol.BucketJobs
	claim.Put(h)
	return nil, nil
}

// fit sees to it that the record of the job is not larger than a message may be. It returns false if that is not
// possible now: then the job has been given back.
func (j *job) fit() bool {
	r := &j.record.Reply
	most := j.q.f.nc.MaxPayload() - spare
	if r.Claim != nil || int64(len(r.Body)) <= most/2 {
		return true
	}
	h, body := j.record.Message()
	if int64(h.Size()+len(body)) <= most {
		return true
	}
	if r.Err != nil {
		r.Shorten(int(most))
		return true
	}
	return j.insist("store its result", func(ctx context.Context) error {
		claim, err := j.q.f.bodies.PutFor(ctx, j.keeps(), bytes.NewReader(r.Body), int64(len(r.Body)))
		if err == nil {
			claim.Bucket = protocol.BucketJobs
			r.Claim, r.Body = claim, nil
		}
		return err
	})
}

// bodyGrace is how much longer than its record the body of a result is kept: whoever has the record can read it.
const bodyGrace = time.Minute

// keeps returns how long the body of the job's result is kept.
func (j *job) keeps() time.Duration { return time.Duration(j.policy.Result) + bodyGrace }

// owns reports whether the body of the job is an object of the bucket of jobs.
func (j *job) owns() bool {
	return len(j.m.Data) == 0 && protocol.Header(j.m.Header).Get(protocol.HeaderBucket) == protocol.BucketJobs
}

// release deletes the body of a job that is done, if it is an object of the bucket of jobs.
func (j *job) release() {
	h := protocol.Header(j.m.Header)
	if !j.owns() {
		return
	}
	if claim, err := protocol.ParseClaim(h); err == nil && claim != nil {
		ctx, cancel := context.WithTimeout(j.q.f.working, roundTrip)
		defer cancel()
		_ = j.q.f.bodies.Delete(ctx, claim) // else it expires
	}
}
