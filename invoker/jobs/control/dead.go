package control

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// showDead answers with a dead letter.
func (s *Service) showDead(ctx context.Context, r *protocol.APIRequest) (any, error) {
	function, id, err := protocol.ParseJobRequest(r.Body)
	if err != nil {
		return nil, err
	}
	m, err := s.letter(ctx, function, id)
	if err != nil {
		return nil, err
	}
	out := protocol.LetterReply{Body: m.Data}
	out.JobInfo, out.Story = letterInfo(function, id, &m)
	out.Header = jobHeaders(m.Header)
	room := (r.Room - m.Header.Size()*2 - protocol.MaxStory*2) / 4 * 3 // base64
	if len(out.Body) > max(room, 0) {
		out.Body, out.Cut = out.Body[:max(room, 0)], true
	}
	return out, nil
}

// letter returns the dead letter of a job. The error's code is 404 if there is none.
func (s *Service) letter(ctx context.Context, function, id string) (store.Message, error) {
	m, ok, err := s.Store.Last(ctx, protocol.StreamDead, protocol.DeadSubject(function, id))
	if err == nil && !ok {
		err = protocol.Errorf(protocol.CodeNotFound, "", "there is no dead letter of job %s: polyvoke dead ls lists all, "+
			"polyvoke job show says what has become of the job", protocol.ResultKey(function, id))
	}
	return m, err
}

// ofLetter are the headers that a dead letter has besides those of its job.
var ofLetter = []string{protocol.HeaderReason, protocol.HeaderSubject, protocol.HeaderStory, protocol.HeaderAttempt,
	protocol.HeaderAccepted, protocol.HeaderRevision, protocol.HeaderState, protocol.HeaderError, protocol.HeaderErrorCode,
	protocol.HeaderExit, protocol.HeaderID, protocol.HeaderDelay, protocol.HeaderAt}

// jobHeaders returns the headers of a dead letter that are those of its job.
func jobHeaders(h protocol.Header) protocol.Header {
	h = maps.Clone(h)
	for name := range h {
		if strings.HasPrefix(strings.ToLower(name), "nats-") { // JetStream's, of the message before
			delete(h, name)
		}
	}
	for _, name := range ofLetter {
		h.Delete(name)
	}
	return h
}

// redrive gives dead letters back to their queues.
func (s *Service) redrive(ctx context.Context, r *protocol.APIRequest) (any, error) {
	return s.portion(ctx, r, s.redriveOne)
}

// drop removes dead letters for good.
func (s *Service) drop(ctx context.Context, r *protocol.APIRequest) (any, error) {
	return s.portion(ctx, r, func(ctx context.Context, l *letter, _ string) error {
		return s.Store.Delete(ctx, protocol.StreamDead, l.m.Sequence)
	})
}

// letter is a dead letter that something is done with.
type letter struct {
	function, id string
	m            store.Message
}

// portion does something with the dead letters that a request names, or with some of them.
func (s *Service) portion(ctx context.Context, r *protocol.APIRequest, do func(context.Context, *letter, string) error) (
	any, error) {
	q, err := protocol.ParseDeadRequest(r.Body)
	if err != nil {
		return nil, err
	}
	subject := protocol.DeadSubject("*", "*")
	switch {
	case q.Job != "":
		return s.single(ctx, q, do)
	case q.Function != "":
		subject = protocol.DeadSubject(q.Function, "*")
	}
	from, end, err := s.deadCursor(ctx, q.After)
	if err != nil || end == 0 {
		return &protocol.PortionReply{}, err
	}
	out, room := &protocol.PortionReply{}, r.Room
	for until := time.Now().Add(portionTime); time.Now().Before(until) && out.Done < protocol.MaxPortion; {
		all, left, err := s.Store.Read(ctx, store.Range{Stream: protocol.StreamDead, Subject: subject, From: from,
			Most: 50, Bytes: scanReadSize})
		if err != nil {
			return nil, err
		}
		for i := range all {
			if from = all[i].Sequence + 1; all[i].Sequence > end {
				return out, nil
			}
			name, id, err := protocol.ParseJobKey(strings.TrimPrefix(all[i].Subject, protocol.RootDead+"."))
			if err != nil {
				continue // somebody else's
			}
			err = do(ctx, &letter{name, id, all[i]}, q.Version)
			room -= count(out, protocol.ResultKey(name, id), err)
		}
		if out.Left = int64(left); left == 0 || len(all) == 0 {
			return out, nil
		}
		if room < envelope {
			break
		}
	}
	out.Next = strconv.FormatUint(from, 10) + ":" + strconv.FormatUint(end, 10)
	return out, nil
}

// envelope is what a portion's reply takes besides its failures, and those of one read, in bytes.
const envelope = 64 << 10

// count takes note of what was done with a job, and returns how many bytes that takes.
func count(out *protocol.PortionReply, job string, err error) int {
	if err == nil {
		out.Done++
		return 0
	}
	f := protocol.JobFailure{Job: job, Code: protocol.CodeOf(err),
		Error: protocol.CleanValue(protocol.MessageOf(err), protocol.MaxErrorText)}
	out.Failed = append(out.Failed, f)
	return 64 + len(f.Job) + 2*len(f.Error)
}

// single does something with one dead letter. Its error is that of the request.
func (s *Service) single(ctx context.Context, q protocol.DeadRequest,
	do func(context.Context, *letter, string) error) (any, error) {
	function, id, err := protocol.ParseJobKey(q.Job)
	if err != nil {
		return nil, err
	}
	m, err := s.letter(ctx, function, id)
	if err != nil {
		return nil, err
	}
	if err := do(ctx, &letter{function, id, m}, q.Version); err != nil {
		return nil, err
	}
	return &protocol.PortionReply{Done: 1}, nil
}

// deadCursor returns from where and up to where a portion goes.
func (s *Service) deadCursor(ctx context.Context, after string) (from, end uint64, err error) {
	if after != "" {
		begin, last, _ := strings.Cut(after, ":")
		from, err = strconv.ParseUint(begin, 10, 64)
		if err == nil {
			end, err = strconv.ParseUint(last, 10, 64)
		}
		if err != nil {
			err = protocol.Errorf(protocol.CodeBadRequest, "", "after %.80q: use the next of the reply before", after)
		}
		return from, end, err
	}
	stream, err := s.Store.JetStream().Stream(ctx, protocol.StreamDead)
	if missing(err) {
		return 0, 0, nil
	} else if err != nil {
		return 0, 0, unavailable("look at dead letters", err)
	}
	return 1, stream.CachedInfo().State.LastSeq, nil
}

// redriven is how long the record of a job stays that was given back. It must outlast the job's next life: an
// outcome can replace it only while it is there.
const redriven = 2 * time.Duration(protocol.MaxJobAge)

// redriveOne gives one dead letter back: its record says so first, then the job is published again under its id, then
// the letter goes. Each step can be done again.
func (s *Service) redriveOne(ctx context.Context, l *letter, version string) error {
	if _, err := s.Find(ctx, l.function); err != nil {
		return err
	}
	subject := l.m.Header.Get(protocol.HeaderSubject)
	if name, _, _, err := protocol.ParseJobSubject(subject); err != nil || name != l.function ||
		l.m.Header.Get(protocol.HeaderReason) == protocol.ReasonMalformed {
		return protocol.Errorf(protocol.CodeConflict, "",
			"the dead letter of %s has never been a job (%s), and would be none again: correct its message and publish that",
			protocol.ResultKey(l.function, l.id), l.m.Header.Get(protocol.HeaderError))
	}
	revision, err := s.giveBack(ctx, l)
	if err != nil {
		return err
	}
	if err := s.make(ctx, l.function); err != nil { // the queue may have gone with the function
		return err
	}
	h := jobHeaders(l.m.Header)
	h.Set(protocol.HeaderID, l.id)
	h.Set(protocol.HeaderRevision, strconv.FormatUint(revision, 10))
	if story := l.m.Header.Get(protocol.HeaderStory); story != "" {
		h.Set(protocol.HeaderStory, story)
	}
	if version != "" {
		h.Set(protocol.HeaderVersion, version)
	}
	h.Set(jetstream.MsgIDHeader, l.id+"/"+strconv.FormatUint(revision, 10))
	_, err = s.Store.JetStream().PublishMsg(ctx, &nats.Msg{Subject: protocol.RedoSubject(subject), Header: nats.Header(h),
		Data: l.m.Data}, jetstream.WithRetryAttempts(0))
	if err != nil {
		return refusedJob(l.function, err)
	}
	return s.Store.Delete(ctx, protocol.StreamDead, l.m.Sequence)
}

// giveBack makes the record of a dead job say that it has no outcome any more, unless it does, and returns its revision.
func (s *Service) giveBack(ctx context.Context, l *letter) (revision uint64, err error) {
	record, decided, err := s.recordOf(ctx, l.function, l.id)
	name := protocol.ResultKey(l.function, l.id)
	switch {
	case err != nil:
		return 0, err
	case record.State == protocol.StateRedriven: // by a redrive that was cut short
		return record.Revision, nil
	case decided && record.State != protocol.StateDead:
		return 0, protocol.Errorf(protocol.CodeConflict, "",
			"job %s is %s, so its dead letter is of an earlier life: polyvoke dead drop %s takes it away", name, record.State,
			name)
	}
	r := protocol.Record{State: protocol.StateRedriven, Attempts: record.Attempts, Accepted: record.Accepted,
		Reply: protocol.Reply{ID: l.id, Exit: -1}}
	revision, err = s.Store.Decide(ctx, s.Store.RecordMessage(l.function, l.id, &r, record.Revision, redriven))
	if errors.Is(err, store.ErrDecided) {
		return 0, protocol.Errorf(protocol.CodeConflict, "", "job %s is being changed by somebody else: try again", name)
	}
	return revision, err
}

// refusedJob says why a queue has not taken a job.
func refusedJob(function string, err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == codeFull {
		return protocol.Errorf(protocol.CodeTooMany, "", "the queue of %s is full (job.queue of the manifest): try again later",
			function)
	}
	return unavailable("give back a job of "+function, err)
}

// codeFull is how JetStream says that a stream has as many messages as it may.
const codeFull = 10077
