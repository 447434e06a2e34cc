package recordings

import (
	"context"

	"github.com/polyvoke/polyvoke/protocol"
)

// Modules is where the code of functions is, for whoever runs a recording again.
type Modules struct {
	// Module returns a module, or a packed script, by its digest.
	Module func(ctx context.Context, digest string) ([]byte, error)
	// Bundle returns the bundle of an interpreter, by NAME or NAME@VERSION. Nil means that there are none.
	Bundle func(ctx context.Context, ref string) ([]byte, error)
	// Put stores what is too large for a message, and returns the claim.
	Put func(ctx context.Context, body []byte) (*protocol.Claim, error)
}

// Verbs returns the control verbs of recordings.
func (s *Store) Verbs(m Modules) map[protocol.APIVerb]protocol.APIHandler {
	return map[protocol.APIVerb]protocol.APIHandler{
		protocol.APIRecording:  {Answer: s.answerOne},
		protocol.APIRecordings: {Answer: s.answerList},
		protocol.APIModule:     {Answer: m.answer},
	}
}

// answerOne answers with the recording of a job.
func (s *Store) answerOne(ctx context.Context, r *protocol.APIRequest) (any, error) {
	name, id, err := protocol.ParseJobRequest(r.Body)
	if err != nil {
		return nil, err
	}
	b, err := s.Get(ctx, name, id)
	return &protocol.APIReply{Body: b}, err
}

// answerList answers with the jobs of a function that have a recording.
func (s *Store) answerList(ctx context.Context, r *protocol.APIRequest) (any, error) {
	q, err := protocol.ParseRecordingsRequest(r.Body)
	if err != nil {
		return nil, err
	}
	ids, err := s.List(ctx, q.Function, q.Last)
	out := protocol.RecordingsReply{Jobs: make([]string, len(ids))}
	for i, id := range ids {
		out.Jobs[i] = protocol.ResultKey(q.Function, id)
	}
	return out, err
}

// answer answers with a module or a bundle, or with where it is.
func (m Modules) answer(ctx context.Context, r *protocol.APIRequest) (any, error) {
	q, err := protocol.ParseModuleRequest(r.Body)
	if err != nil {
		return nil, err
	}
	var b []byte
	switch {
	case q.Digest != "":
		b, err = m.Module(ctx, q.Digest)
	case m.Bundle == nil:
		err = protocol.Errorf(protocol.CodeNotFound, "", "there are no runtimes here")
	default:
		b, err = m.Bundle(ctx, q.Runtime)
	}
	if err != nil {
		return nil, err
	}
	if len(b) <= r.Room {
		return &protocol.APIReply{Body: b}, nil
	}
	claim, err := m.Put(ctx, b)
	if err != nil {
		return nil, err
	}
	h := protocol.Header{}
	claim.Put(h)
	return &protocol.APIReply{Header: h}, nil
}
