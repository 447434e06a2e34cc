package jobs

import (
	"context"

	"github.com/polyvoke/polyvoke/protocol"
)

// Recorder keeps recordings of attempts, as package recordings does.
type Recorder interface {
	// Keep keeps the recording of an attempt, from 1, if the sampling says so, and returns soon, whether it can or not.
	Keep(ctx context.Context, of protocol.Sampling, attempt int, r *protocol.Recording)
}

// sampling says which attempts of the job are recorded.
func (j *job) sampling() (s protocol.Sampling) {
	if j.q.f.config.Recorder != nil {
		s, _ = protocol.ParseSampling(j.policy.Record) // the manifest has been checked; of one that is wrong nothing is
	}
	return s
}

// recorded hands the recording of an attempt over, if there is one.
func (j *job) recorded(of protocol.Sampling, reply *protocol.Reply) {
	if reply != nil && reply.Recording != nil {
		j.q.f.config.Recorder.Keep(j.q.f.working, of, j.number, reply.Recording)
		reply.Recording = nil
	}
}
