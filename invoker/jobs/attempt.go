package jobs

import (
	"context"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// attempt calls the function. The call ends with the job's time, with a cancellation, or when the front gives up.
func (j *job) attempt() (*protocol.Reply, error) {
	q := j.q
	ctx, cancel := context.WithCancel(q.f.working)
	defer cancel()
	q.mu.Lock()
	j.cancel = cancel
	if j.cancelled {
		cancel()
	}
	q.mu.Unlock()
	j.observe()
	if err := j.fetch(ctx); err != nil {
		return &protocol.Reply{ID: j.id, Exit: -1, Err: protocol.ErrorOf(err, j.id), Report: new(protocol.Report)}, nil
	}
	j.Request.Once, j.Request.Repeated = j.Accepted, j.place.delivered > 1 || j.Before > 0 || j.Revision > 0
	sampling := j.sampling()
	j.Request.Record = sampling.Draw()
	began := time.Now()
	reply, err := q.f.config.Caller.Call(ctx, &j.Request)
	now := time.Now()
	took := now.Sub(began)
	waited := time.Duration(0)
	if reply != nil && reply.Report != nil {
		waited = took - reply.Report.Duration
	}
	q.mu.Lock()
	q.pace.add(took, waited, now, len(q.hand)-q.settling > 1)
	j.cancel = nil
	q.mu.Unlock()
	j.recorded(sampling, reply)
	q.f.after("run")
	return reply, err
}

// stop ends the attempt of a job that has been cancelled.
func (q *queue) stopJob(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, j := range q.hand {
		if j.id != id {
			continue
		}
		j.cancelled = true
		if j.cancel != nil {
			j.cancel()
		}
	}
}
