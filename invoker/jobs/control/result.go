package control

import (
	"context"
	"strconv"
	"time"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// maxWait is how long an outcome is awaited for one request, however patient its caller is.
	maxWait = 10 * time.Minute
	// maxGrace is how much earlier than its caller stops to wait a request is answered, at most.
	maxGrace = 500 * time.Millisecond

	// Between two looks for an outcome: the first ones after it was announced, the last ones if nobody announces it,
	// since an announcement can be lost with a connection.
	firstPause = 2 * time.Millisecond
	quietPause = 250 * time.Millisecond
	maxPause   = 10 * time.Second
)

// result answers with the outcome of a job, as the reply of a call: with the error headers of one that failed. It waits
// for the outcome as long as the request's Fn-Timeout says. Without one by then the error's code is 504, and Fn-State
// says where the job is.
func (s *Service) result(ctx context.Context, r *protocol.APIRequest) (any, error) {
	function, id, now, err := protocol.ParseResultRequest(r.Body)
	if err != nil {
		return nil, err
	}
	wait, err := patience(ctx, r.Header)
	if err != nil {
		return nil, err
	}
	if wait == 0 || now {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return s.resultNow(ctx, function, id)
	}
	began := time.Now()
	told, end, err := s.announcements(function, id)
	if err != nil {
		return nil, err
	}
	defer end()
	answer, err := s.resultNow(ctx, function, id)
	pause := quietPause
	for {
		if err != nil || protocol.JobState(answer.Header.Get(protocol.HeaderState)).Decided() {
			return answer, err
		}
		left := wait - time.Since(began)
		if left <= 0 {
			return s.resultNow(ctx, function, id)
		}
		look := time.NewTimer(min(pause, left))
		select {
		case <-told:
			pause = firstPause
		case <-look.C:
			pause = min(2*pause, maxPause)
		case <-ctx.Done():
			look.Stop()
			return nil, ctx.Err()
		}
		look.Stop()
		record, decided, e := s.recordOf(ctx, function, id)
		if e != nil {
			return nil, e
		}
		if decided {
			return s.outcome(ctx, function, id, &record), nil
		}
	}
}

// letterTime is how long after a job is dead its letter may still be on its way.
const letterTime = time.Second

// outcome returns the answer to whoever asks for the result. That of a job that is dead comes when its letter is there,
// so that who has it finds the letter: the record is always stored first.
func (s *Service) outcome(ctx context.Context, function, id string, r *store.Stored) *protocol.APIReply {
	ctx, cancel := context.WithTimeout(ctx, letterTime)
	defer cancel()
	awaited := r.State == protocol.StateDead && time.Since(r.Time) < letterTime
	for pause := firstPause; awaited && ctx.Err() == nil; pause *= 2 {
		if l, ok, err := s.Store.Letter(ctx, function, id); err != nil || ok && l.Revision >= r.Revision {
			break
		}
		look := time.NewTimer(pause)
		select {
		case <-look.C:
		case <-ctx.Done():
		}
		look.Stop()
	}
	return resultReply(id, r)
}

// patience returns how long a request waits, so that it is answered before its caller stops to wait.
func patience(ctx context.Context, h protocol.Header) (time.Duration, error) {
	text := h.Get(protocol.HeaderTimeout)
	if text == "" {
		return 0, nil
	}
	d, err := protocol.ParseDuration(text)
	if err != nil {
		return 0, protocol.Errorf(protocol.CodeBadRequest, "", "header %s: %w", protocol.HeaderTimeout, err)
	}
	wait := min(time.Duration(d), maxWait)
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline))
	}
	return max(wait-min(wait/10, maxGrace), 0), nil
}

// announcements returns a channel that has a word when somebody has decided about the job, or is about to.
func (s *Service) announcements(function, id string) (told chan struct{}, end func(), err error) {
	told = make(chan struct{}, 1)
	end, err = s.Store.Announced(function, id, func() {
		select {
		case told <- struct{}{}:
		default: // there is one already
		}
	})
	return told, end, err
}

// resultNow answers with the outcome of a job, or says where it is.
func (s *Service) resultNow(ctx context.Context, function, id string) (*protocol.APIReply, error) {
	p, err := s.find(ctx, function, id)
	switch {
	case err != nil:
		return nil, err
	case p.decided:
		return s.outcome(ctx, function, id, &p.record), nil
	case !p.exists && p.record.State == protocol.StateRedriven: // its message is about to be published
		p.info.State = protocol.StateQueued
	case !p.exists:
		return nil, s.unknown(ctx, p)
	}
	text := "job %s is %s, and has no outcome yet: ask again, and wait longer (header Fn-Timeout, or --timeout)"
	if p.queue.Paused() {
		text = "job %s is %s, and its queue is paused: polyvoke resume " + function + " lets it go on"
	}
	reply := protocol.Reply{ID: id, Exit: -1,
		Err: protocol.Errorf(protocol.CodeTimeout, "", text, protocol.ResultKey(function, id), p.info.State)}
	h, body := reply.Message()
	h.Set(protocol.HeaderState, string(p.info.State))
	return &protocol.APIReply{Header: h, Body: body}, nil
}

// resultReply returns a record as the answer to whoever asks for the result.
func resultReply(id string, r *store.Stored) *protocol.APIReply {
	h, body := r.Message()
	h.Set(protocol.HeaderID, id)
	if r.Reply.Exit >= 0 {
		h.Set(protocol.HeaderExit, strconv.Itoa(r.Reply.Exit))
	}
	return &protocol.APIReply{Header: h, Body: body}
}
