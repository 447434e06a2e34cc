// Package control answers what people and programs ask about durable calls: the control verbs of protocol/jobapi.go.
//
// In goes a request; out comes what the queues, the outcomes and the dead letters on JetStream say, or a change of them.
// queue.go opens and pauses queues, find.go finds a job, list.go lists jobs, result.go waits for an outcome, cancel.go
// cancels, dead.go gives dead letters back. The package knows no invoker: what has the verbs answered is given a
// [Service]'s handlers, and nothing that is asked here runs in this process.
//
// Each change decides first, by the record of the job, and has its effects after that. So a change that is cut short can
// be asked for again, and does then what is left to do.
package control

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// limit bounds every verb that does not wait.
	limit = 10 * time.Second
	// portionTime is when a portion ends that is not done: its caller asks for the next one.
	portionTime = 3 * time.Second
)

// Service answers the verbs. Its fields are set before the first request and not changed afterwards.
type Service struct {
	// Store has the jobs. It must not be nil.
	Store *store.Store
	// Find returns the latest version of a function. The error's code is 404 if there is none. It must not be nil.
	Find func(ctx context.Context, name string) (*protocol.Function, error)
	// Opened, if not nil, is told of each function whose queue was asked for. Other invokers learn of it by a mark, or when
	// they look: before the first queue there is nothing that they could watch.
	Opened func(function string)
	// Lags, if not nil, returns how far the triggers of a function are behind.
	Lags func(ctx context.Context, f *protocol.Function) []protocol.TriggerLag
	// Log takes what operators should know. It must not be nil.
	Log *slog.Logger
}

// Verbs returns the handlers of the verbs.
func (s *Service) Verbs() map[protocol.APIVerb]protocol.APIHandler {
	verbs := map[protocol.APIVerb]protocol.APIHandler{
		protocol.APIJobResult: {Answer: s.result, Waits: true},
	}
	for verb, answer := range map[protocol.APIVerb]func(context.Context, *protocol.APIRequest) (any, error){
		protocol.APIJobOpen: s.open, protocol.APIPause: s.pause, protocol.APIResume: s.resume,
		protocol.APIJobs: s.list, protocol.APIJob: s.job, protocol.APIJobCancel: s.cancel, protocol.APIJobPurge: s.purge,
		protocol.APIDead: s.listDead, protocol.APIDeadShow: s.showDead, protocol.APIDeadRedrive: s.redrive,
		protocol.APIDeadDrop: s.drop,
	} {
		verbs[verb] = protocol.APIHandler{Answer: func(ctx context.Context, r *protocol.APIRequest) (any, error) {
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			return answer(ctx, r)
		}}
	}
	return verbs
}

// manifest returns how jobs of a function are made. One that does not exist, which known says, has the defaults.
func (s *Service) manifest(ctx context.Context, name string) (job protocol.Job, known bool, err error) {
	f, err := s.Find(ctx, name)
	switch {
	case protocol.CodeOf(err) == protocol.CodeNotFound:
		return job.WithDefaults(protocol.Limits{}), false, nil
	case err != nil:
		return job, false, err
	}
	if f.Job != nil {
		job = *f.Job
	}
	return job.WithDefaults(f.Limits), true, nil
}

// missing reports whether an error says that there is no such stream or consumer.
func missing(err error) bool {
	return errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrConsumerNotFound)
}

// unavailable says that JetStream could not be asked.
func unavailable(op string, err error) error {
	if err == nil {
		return nil
	}
	return protocol.Errorf(protocol.CodeUnavailable, op, "JetStream does not do what was asked for: %w: try again", err)
}
