package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
)

// JobOptions say how a job is to be run. The zero value is what the function's manifest says, at once.
type JobOptions struct {
	Delay    time.Duration // how long after its acceptance it begins; 0: at once, or at At
	At       time.Time     // when it begins; zero: at once, or after Delay
	Attempts int           // verdicts before it is dead; 0: what the manifest says
	Priority string        // high, normal or low, see protocol.ParsePriority; empty: normal, or what a header says
}

// Receipt says that a job was accepted: whatever happens from now on, it gets one outcome.
type Receipt struct {
	Job string `json:"job"` // FUNCTION.ID, by which all other methods know it
	// Duplicate says that a job of this id had been accepted before, and is the one that runs.
	Duplicate bool `json:"duplicate,omitempty"`
}

// RunJob gives a function a job to run, and returns when JetStream has it. The request's ID, if it has one, is the job's,
// and names it: a second job of the same id is the first one. Its Timeout is the limit of one attempt. A function that
// has no queue gets one. A body that is too large for a message of this NATS goes as an object on JetStream.
//
// # Errors
//
// The code is 404 if there is no such function, 429 if its queue is full, 400, 413 or 431 for what cannot be a job. After
// a 503 or 504 the job may have been accepted; with an ID it is safe to try again.
func (c *Client) RunJob(ctx context.Context, r *protocol.Request, o JobOptions) (Receipt, error) {
	if err := c.begin(); err != nil {
		return Receipt{}, err
	}
	msg, err := jobMessage(r, o)
	if err != nil {
		return Receipt{}, err
	}
	q, err := c.queues.of(ctx, c, r.Function.Name, false)
	if err != nil {
		return Receipt{}, err
	}
	if !c.fits(msg) {
		claim, err := c.putJob(ctx, msg.Data, "sending "+r.Function.Name)
		if err != nil {
			return Receipt{}, err
		}
		claim.Put(protocol.Header(msg.Header))
		msg.Data = nil
	}
	ack, err := c.publishJob(ctx, msg)
	if errors.Is(err, jetstream.ErrNoStreamResponse) { // it had a queue, and has none any more
		if q, err = c.queues.of(ctx, c, r.Function.Name, true); err == nil {
			ack, err = c.publishJob(ctx, msg)
		}
	}
	if err != nil {
		return Receipt{}, c.jobError(r, msg, err)
	}
	id := r.ID
	if id == "" {
		if !c.queues.follows(q, ack) {
			if q, err = c.queues.of(ctx, c, r.Function.Name, true); err != nil {
				return Receipt{}, err
			}
		}
		id = protocol.NewJobID(ack.Sequence, q.created)
	}
	return Receipt{Job: protocol.ResultKey(r.Function.Name, id), Duplicate: ack.Duplicate}, nil
}

// jobMessage returns the message that is a job.
func jobMessage(r *protocol.Request, o JobOptions) (*nats.Msg, error) {
	if r.ID != "" {
		if err := protocol.CheckJobID(r.ID); err != nil {
			return nil, err
		}
	}
	if o.Delay < 0 || o.Delay > 0 && !o.At.IsZero() {
		return nil, protocol.Errorf(protocol.CodeBadRequest, "",
			"a job begins after a delay or at a time: set Delay (--delay) or At (--at), and not both")
	}
	sent := *r
	sent.Function.Version = ""
	_, h, body, err := sent.Message()
	if err != nil {
		return nil, err
	}
	subject, err := protocol.JobSubject(r.Function.Name, r.Args...)
	if err != nil {
		return nil, err
	}
	if h == nil {
		h = protocol.Header{}
	}
	set := func(name, value string) {
		if value != "" {
			h.Set(name, value)
		}
	}
	set(protocol.HeaderVersion, r.Function.Version)
	if o.Delay > 0 {
		set(protocol.HeaderDelay, o.Delay.String())
	}
	if !o.At.IsZero() {
		set(protocol.HeaderAt, o.At.UTC().Format(time.RFC3339Nano))
	}
	set(protocol.HeaderPriority, o.Priority)
	if o.Attempts != 0 {
		set(protocol.HeaderAttempts, strconv.Itoa(o.Attempts))
	}
	if _, err := protocol.ParseJob(subject, h, nil); err != nil { // else it would be a dead letter
		return nil, err
	}
	set(jetstream.MsgIDHeader, r.ID)
	if r.ID == "" {
		set(jetstream.MsgIDHeader, rand.Text()) // so that it can be published again when an answer is lost
	}
	return &nats.Msg{Subject: subject, Header: nats.Header(h), Data: body}, nil
}

// publishJob publishes a job until JetStream has it. The message id makes one job of several that arrive.
func (c *Client) publishJob(ctx context.Context, msg *nats.Msg) (ack *jetstream.PubAck, err error) {
	ctx, cancel := c.Within(ctx)
	defer cancel()
	ctx, permitted := c.Permitted(ctx, msg.Subject)
	defer func() { err = permitted(err) }()
	err = c.again(ctx, func() (err error) {
		ack, err = c.js.PublishMsg(ctx, msg, jetstream.WithRetryAttempts(0))
		return err
	})
	return ack, err
}

// How JetStream says why it does not take a message.
const (
	codeFull     jetstream.ErrorCode = 10077 // as many messages as the stream may have, or as many bytes
	codeTooLarge jetstream.ErrorCode = 10054 // a message that is larger than those of the stream may be
)

// jobError says why a job was not accepted.
func (c *Client) jobError(r *protocol.Request, msg *nats.Msg, err error) error {
	name := r.Function.Name
	var api *jetstream.APIError
	switch {
	case errors.As(err, &api) && api.ErrorCode == codeFull:
		return protocol.Errorf(protocol.CodeTooMany, "", "the queue of %s on %s is full, so the job was not accepted: "+
			"try again later, or raise job.queue in the manifest (polyvoke info %s)", name, c.url(), name)
	case errors.As(err, &api) && api.ErrorCode == codeTooLarge:
		return protocol.Errorf(protocol.CodeTooLarge, "", "the job of %s has %d bytes, more than its queue takes", name,
			msg.Size())
	case errors.As(err, &api):
		return protocol.Errorf(protocol.CodeUnavailable, "", "JetStream on %s has not accepted the job of %s: %w", c.url(),
			name, err)
	case errors.Is(err, jetstream.ErrNoStreamResponse):
		return protocol.Errorf(protocol.CodeUnavailable, "", "the queue of %s on %s is not there right now: try again", name,
			c.url())
	}
	return c.RequestError("job of "+name, err)
}

// queueAge is how long a client believes what it knows of a queue.
const queueAge = time.Minute

// queues remembers what queues there are. Its methods may be called from several goroutines.
type queues struct {
	mu    sync.Mutex
	known map[string]*knownQueue
}

// knownQueue is a queue that was there a short while ago.
type knownQueue struct {
	created time.Time
	at      time.Time // when somebody said so
	last    uint64    // the highest sequence of a job of this client
}

// of returns the queue of a function, which is opened if it has none. anew says that what is known is wrong. The
// error's code is 404 if there is no such function.
func (q *queues) of(ctx context.Context, c *Client, name string, anew bool) (*knownQueue, error) {
	q.mu.Lock()
	known := q.known[name]
	q.mu.Unlock()
	if known != nil && !anew && time.Since(known.at) < queueAge {
		return known, nil
	}
	info, err := c.OpenQueue(ctx, name)
	if err != nil {
		return nil, err
	}
	known = &knownQueue{created: info.Created, at: time.Now()}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.known == nil || len(q.known) > maxKnown {
		q.known = map[string]*knownQueue{}
	}
	if old := q.known[name]; old != nil && old.created.Equal(known.created) {
		known.last = old.last
	}
	q.known[name] = known
	return known, nil
}

// maxKnown bounds how many queues are remembered.
const maxKnown = 10_000

// follows reports whether a job can be of the stream that is known: its sequence is higher than those before. One of a
// stream that was made again counts from 1.
func (q *queues) follows(known *knownQueue, ack *jetstream.PubAck) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	higher := ack.Sequence > known.last
	known.last = max(known.last, ack.Sequence)
	return higher
}

// OpenQueue gives a function a queue, if it has none, and returns its state. RunJob does so by itself; whoever
// publishes on the queue's subject without it can do it once. The error's code is 404 if there is no such function.
func (c *Client) OpenQueue(ctx context.Context, name string) (q protocol.QueueInfo, err error) {
	err = c.about(ctx, protocol.APIJobOpen, name, &q)
	return q, err
}

// Pause stops the queue of a function from giving jobs away, for a time or, if that is 0, until Resume. What runs goes
// on, and new jobs are accepted. The error's code is 404 if there is no such function.
func (c *Client) Pause(ctx context.Context, name string, length time.Duration) (q protocol.QueueInfo, err error) {
	err = protocol.CheckName(name)
	if err == nil {
		err = c.ask(ctx, protocol.APIPause, protocol.PauseRequest{Name: name, For: protocol.Duration(length)}, &q)
	}
	if protocol.CodeOf(err) == protocol.CodeNotFound {
		err = c.unknown(ctx, name)
	}
	return q, err
}

// Resume lets the queue of a function give jobs away again. One that is not paused is no error. The error's code is 404
// if there is no such function.
func (c *Client) Resume(ctx context.Context, name string) (q protocol.QueueInfo, err error) {
	err = c.about(ctx, protocol.APIResume, name, &q)
	return q, err
}

// Job returns what is known about a job, FUNCTION.ID. The error's code is 404 if there is none, or its outcome has
// expired.
func (c *Client) Job(ctx context.Context, job string) (reply protocol.JobReply, err error) {
	err = c.ask(ctx, protocol.APIJob, protocol.JobRequest{Job: job}, &reply)
	return reply, err
}

// Jobs lists jobs: those in queues, then those that wait, then those with an outcome, the newest first in each. It
// returns as many as the request's limit says, if there are as many; with the reply's Next as After the list goes on.
func (c *Client) Jobs(ctx context.Context, q protocol.JobsRequest) (protocol.JobsReply, error) {
	return c.listJobs(ctx, protocol.APIJobs, q)
}

// Dead lists dead letters, the newest first. It is like Jobs.
func (c *Client) Dead(ctx context.Context, q protocol.JobsRequest) (protocol.JobsReply, error) {
	return c.listJobs(ctx, protocol.APIDead, q)
}

// listJobs makes one page of several that are short.
func (c *Client) listJobs(ctx context.Context, verb protocol.APIVerb, q protocol.JobsRequest) (protocol.JobsReply, error) {
	all := protocol.JobsReply{Jobs: []protocol.JobInfo{}}
	if q.Limit == 0 {
		q.Limit = protocol.DefaultJobsLimit
	}
	for want := q.Limit; ; {
		q.Limit = min(want-len(all.Jobs), protocol.MaxJobsLimit)
		var page protocol.JobsReply
		if err := c.ask(ctx, verb, q, &page); err != nil {
			return all, err
		}
		all.Jobs, all.Next = append(all.Jobs, page.Jobs...), page.Next
		if page.Next == "" || len(all.Jobs) >= want {
			return all, nil
		}
		if page.Next == q.After {
			return all, protocol.Errorf(protocol.CodeBadOutput, "", "the pages of %s do not end: "+
				"use the same version of polyvoke as the invokers (polyvoke doctor shows it)", verb)
		}
		q.After = page.Next
	}
}

// DeadLetter returns the dead letter of a job, FUNCTION.ID. The error's code is 404 if there is none.
func (c *Client) DeadLetter(ctx context.Context, job string) (reply protocol.LetterReply, err error) {
	err = c.ask(ctx, protocol.APIDeadShow, protocol.JobRequest{Job: job}, &reply)
	return reply, err
}

// CancelJob cancels a job, FUNCTION.ID. One that runs is ended. The error's code is 404 if there is none, and 409 if it
// has another outcome already.
func (c *Client) CancelJob(ctx context.Context, job string) (reply protocol.JobReply, err error) {
	err = c.ask(ctx, protocol.APIJobCancel, protocol.JobRequest{Job: job}, &reply)
	return reply, err
}

// Portions is called while several jobs are changed, with how many have been and about how many are left in the part
// that is being worked on.
type Portions func(done int, left int64)

// PurgeJobs cancels all jobs of a function that do not run, and returns how many. Those that come meanwhile are left
// alone. tell may be nil. The error's code is 404 if there is no such function.
func (c *Client) PurgeJobs(ctx context.Context, function string, tell Portions) (int, error) {
	q := protocol.PurgeRequest{Function: function}
	all, err := c.portions(ctx, protocol.APIJobPurge, tell, func(after string) any { q.After = after; return q })
	if protocol.CodeOf(err) == protocol.CodeNotFound {
		err = c.unknown(ctx, function)
	}
	return all.Done, err
}

// Redrive gives dead letters back to the queues of their functions, under the ids that they had. tell may be nil. Of
// several letters those that cannot go back stay, and the reply says why.
func (c *Client) Redrive(ctx context.Context, q protocol.DeadRequest, tell Portions) (protocol.PortionReply, error) {
	return c.portions(ctx, protocol.APIDeadRedrive, tell, func(after string) any { q.After = after; return q })
}

// Drop removes dead letters for good. tell may be nil.
func (c *Client) Drop(ctx context.Context, q protocol.DeadRequest, tell Portions) (protocol.PortionReply, error) {
	return c.portions(ctx, protocol.APIDeadDrop, tell, func(after string) any { q.After = after; return q })
}

// portions asks for portions of one piece of work until it is done.
func (c *Client) portions(ctx context.Context, verb protocol.APIVerb, tell Portions, request func(after string) any) (
	all protocol.PortionReply, err error) {
	for after := ""; ; {
		var one protocol.PortionReply
		if err := c.ask(ctx, verb, request(after), &one); err != nil {
			return all, err
		}
		all.Done, all.Failed = all.Done+one.Done, append(all.Failed, one.Failed...)
		if tell != nil {
			tell(all.Done, one.Left)
		}
		if one.Next == "" {
			return all, nil
		}
		if one.Next == after && one.Done == 0 {
			return all, protocol.Errorf(protocol.CodeBadOutput, "", "the portions of %s do not end: "+
				"use the same version of polyvoke as the invokers (polyvoke doctor shows it)", verb)
		}
		after = one.Next
	}
}

// Outcome is the outcome of a job.
type Outcome struct {
	Job             string // FUNCTION.ID
	protocol.Record        // its reply is that of the last attempt, as a call has it
}

// resultPortion is how long one request for an outcome waits.
const resultPortion = 30 * time.Second

// JobResult waits for the outcome of a job, FUNCTION.ID, until ctx ends, or not at all if now is set. That a job has
// failed is no error, but in the outcome's reply.
//
// # Errors
//
// The code is 404 if there is no such job, or its outcome has expired, and 504 if it has none in time; the text says
// where it is.
func (c *Client) JobResult(ctx context.Context, job string, now bool) (*Outcome, error) {
	body, err := json.Marshal(protocol.JobRequest{Job: job, Now: now})
	if err != nil {
		return nil, err
	}
	for {
		o, err := c.resultPortion(ctx, job, body)
		if o != nil || now || ctx.Err() != nil || protocol.CodeOf(err) != protocol.CodeTimeout {
			return o, err
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < askPause {
			return nil, err // it says where the job is
		}
	}
}

// resultPortion waits for an outcome for one request.
func (c *Client) resultPortion(ctx context.Context, job string, body []byte) (*Outcome, error) {
	waiting, cancel := context.WithTimeout(ctx, resultPortion)
	defer cancel()
	m, _, err := c.answer(waiting, protocol.APIJobResult, &nats.Msg{Data: body})
	if err != nil {
		return nil, err
	}
	h := protocol.Header(m.Header)
	if !protocol.JobState(h.Get(protocol.HeaderState)).Decided() {
		r, err := protocol.ParseReply(h, m.Data)
		if err == nil && r.Err == nil {
			err = protocol.Errorf(protocol.CodeBadOutput, "", "the answer to %s cannot be read: "+
				"use the same version of polyvoke as the invokers (polyvoke doctor shows it)", protocol.APIJobResult)
		} else if err == nil {
			err = r.Err
		}
		return nil, err
	}
	o := &Outcome{Job: job}
	if o.Record, err = protocol.ParseRecord(h, m.Data); err != nil {
		return nil, protocol.Errorf(protocol.CodeBadOutput, "", "the outcome of %s cannot be read: %w", job, err)
	}
	if claim := o.Reply.Claim; claim != nil {
		bucket := protocol.BucketBodies
		if claim.Bucket == protocol.BucketJobs {
			bucket = protocol.BucketJobs
		}
		o.Reply.Body, err = c.fetchFrom(ctx, bucket, claim)
	}
	return o, err
}
