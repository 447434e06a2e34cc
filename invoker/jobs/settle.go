package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// The order of what is written is always: decide, then the effects of the decision, then the word to JetStream that the
// job is done. Whoever is interrupted anywhere in it can begin again, and so can somebody else.

// settle does what follows from an attempt.
func (j *job) settle(v verdict) {
	switch {
	case j.stopped():
		j.find()
	case v.judgement == nothing:
		j.pauseOf()
	case j.split(v):
	case v.judgement == again:
		j.Before = j.number
		j.wait(time.Now().Add(v.pause))
	case v.judgement == failed:
		j.decide(protocol.StateDead, v.reason, v.reply)
	default:
		j.decide(protocol.StateDone, "", v.reply)
	}
}

// stopped reports whether somebody has cancelled the job.
func (j *job) stopped() bool {
	j.q.mu.Lock()
	defer j.q.mu.Unlock()
	return j.cancelled
}

// die decides that a job is dead without an attempt.
func (j *job) die(reason string, err *protocol.Error) {
	j.number = j.Before
	j.decide(protocol.StateDead, reason, &protocol.Reply{ID: j.id, Exit: -1, Err: err})
}

// decide publishes the record of the job. What JetStream answers says whether it is the decision.
func (j *job) decide(state protocol.JobState, reason string, reply *protocol.Reply) {
	r := *reply
	if !j.report {
		r.Report = nil
		if r.Err == nil {
			r.ID = "" // it is in the key
		}
	}
	j.record = protocol.Record{State: state, Reason: reason, Attempts: j.number, Accepted: j.Accepted, Reply: r}
	j.propose()
}

// propose publishes the record, to replace the one that is known.
func (j *job) propose() {
	if !j.fit() {
		return
	}
	j.message = j.q.f.store.RecordMessage(j.q.name, j.id, &j.record, j.Revision, time.Duration(j.policy.Result))
	j.q.settles(j)
	r := j.receiver
	j.receiver = nil // it is done with the job
	if !r.hold(j) {
		j.q.f.settler.send(j)
	}
}

// decided does what follows when the record of the job is stored.
func (j *job) decided(revision uint64) {
	j.q.f.after("record")
	j.buried()
	if j.record.State == protocol.StateDead || j.To != "" || j.owns() {
		j.q.spawn(func() { j.follow(store.Stored{Record: j.record, Revision: revision}, true) })
		return
	}
	j.done()
}

// find finds the outcome of a job about which somebody else has decided.
func (j *job) find() {
	r, ok, told := j.read()
	switch {
	case !told:
	case ok:
		j.follow(r, true)
	case j.message == nil:
		j.giveBack() // it was cancelled, and has no record of that
	default: // its record has expired, or was deleted: there is a marker in its place
		j.Revision = r.Revision
		j.propose()
	}
}

// follow does what follows from a record, if it has to be done, and then the job is done.
func (j *job) follow(r store.Stored, effects bool) {
	switch {
	case !effects:
	case r.State == protocol.StateDead && !j.bury(r), r.State == protocol.StateDone && !j.pass(r):
		return
	}
	j.done()
	if r.State == protocol.StateDone {
		j.release()
	}
}

// wait has the job come again at a time.
func (j *job) wait(at time.Time) {
	j.q.settles(j)
	var refused error
	if !j.insist("keep the job for later", func(ctx context.Context) error {
		m, err := j.later(ctx)
		if err == nil {
			err = j.q.f.config.Later.Put(ctx, j.q.name, j.id, at, m)
		}
		if code := protocol.CodeOf(err); err != nil && code < protocol.CodeFailed {
			refused, err = err, nil // the next try would be refused too
		}
		return err
	}) {
		return
	}
	if refused != nil {
		j.number = j.Before + 1
		j.die(protocol.ReasonVerdict, protocol.Errorf(protocol.CodeOf(refused), "",
			"the job cannot wait for its time, or for its next attempt: %w", refused))
		return
	}
	j.q.f.after("later")
	j.acknowledge() // a job that waits keeps its turn
}

// later returns the message that is the job when it comes again.
func (j *job) later(ctx context.Context) (*nats.Msg, error) {
	own := j.headers()
	set := func(name, value string) {
		own.Delete(name)
		if value != "" {
			own[name] = []string{value}
		}
	}
	set(protocol.HeaderID, j.id)
	set(protocol.HeaderAccepted, j.Accepted.UTC().Format(time.RFC3339Nano))
	set(protocol.HeaderAttempt, strconv.Itoa(j.Before))
	story, revision := "", ""
	if len(j.story) > 0 {
		story = protocol.FormatStory(j.story)
	}
	if j.Revision > 0 {
		revision = strconv.FormatUint(j.Revision, 10)
	}
	set(protocol.HeaderStory, story)
	set(protocol.HeaderRevision, revision)
	body, err := j.carry(ctx, own, j.m.Data)
	return &nats.Msg{Subject: j.redo(), Header: nats.Header(own), Data: body}, err
}

// redo returns the subject on which the job comes again: that of its turn, or that on which it was accepted.
func (j *job) redo() string {
	r, ok := protocol.ParseRankSubject(j.m.Subject)
	switch {
	case !ok:
		return protocol.RedoSubject(j.m.Subject)
	case r.Line != "":
		return protocol.TurnSubject(r.Function, r.Line)
	}
	return protocol.RedoSubject(j.Request.Subject)
}

// headers returns a copy of the job's headers without those that mean something to NATS, or only in messages of
// invokers if a caller published it.
func (j *job) headers() protocol.Header {
	h := plain(j.m.Header)
	if !j.Redo {
		h = protocol.OfCaller(h)
	}
	return h
}

// plain returns a copy of headers without those that would mean something to NATS.
func plain(h nats.Header) protocol.Header {
	kept := protocol.Header{}
	for name, values := range h {
		if !strings.HasPrefix(strings.ToLower(name), "nats-") {
			kept[name] = values
		}
	}
	return kept
}

// settler publishes records without waiting for what JetStream answers: waiting for each costs more than storing it.
type settler struct {
	f     *Front
	inbox string // what reply subjects begin with

	mu   sync.Mutex
	last uint64
	open map[uint64]proposal
}

// proposal is a record that has been published.
type proposal struct {
	job  *job
	late time.Time // when it is published again
}

// newSettler returns a settler, whose subscription ends with the front.
func newSettler(f *Front) (*settler, error) {
	s := &settler{f: f, inbox: f.nc.NewInbox() + ".", open: map[uint64]proposal{}}
	sub, err := f.nc.Subscribe(s.inbox+"*", s.answer)
	if err != nil {
		return nil, err
	}
	f.subs = append(f.subs, sub)
	return s, sub.SetPendingLimits(-1, -1)
}

// send publishes the record of a job.
func (s *settler) send(j *job) {
	s.mu.Lock()
	s.last++
	n := s.last
	s.open[n] = proposal{j, time.Now().Add(roundTrip)}
	s.mu.Unlock()
	m := j.message
	m.Reply = s.inbox + strconv.FormatUint(n, 36)
	if err := s.f.nc.PublishMsg(m); err != nil {
		s.f.log.Warn("the outcome of a job is not stored yet", "function", j.q.name, "id", j.id, "err", err)
	}
}

// answer takes what JetStream answers to a record.
func (s *settler) answer(m *nats.Msg) {
	n, err := strconv.ParseUint(m.Subject[len(s.inbox):], 36, 64)
	s.mu.Lock()
	p, ok := s.open[n]
	s.mu.Unlock()
	if err != nil || !ok {
		return
	}
	sequence, code := parsePubAck(m.Data)
	switch {
	case sequence > 0:
		s.close(n)
		p.job.decided(sequence)
	case code == jetstream.JSErrCodeStreamWrongLastSequence:
		s.close(n)
		p.job.q.spawn(p.job.find)
	default: // it is published again
		s.f.log.Warn("the outcome of a job is not stored yet", "function", p.job.q.name, "id", p.job.id,
			"answer", protocol.CleanValue(string(m.Data), protocol.MaxErrorText), "status", m.Header.Get("Status"))
		s.postpone(n)
	}
}

func (s *settler) close(n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, n)
}

// postpone has a record published again soon.
func (s *settler) postpone(n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.open[n]; ok {
		p.late = time.Now().Add(time.Second)
		s.open[n] = p
	}
}

// tick publishes records again to which there was no answer. If one of them is stored after all, the job finds it.
func (s *settler) tick(now time.Time) {
	var late []*job
	s.mu.Lock()
	for n, p := range s.open {
		if now.After(p.late) {
			delete(s.open, n)
			late = append(late, p.job)
		}
	}
	s.mu.Unlock()
	for _, j := range late {
		s.send(j)
	}
}

// parsePubAck reads the answer to a publication: the sequence of what is stored, or the code of an error.
func parsePubAck(b []byte) (sequence uint64, code jetstream.ErrorCode) {
	if i := bytes.Index(b, []byte(`"seq":`)); i >= 0 && !bytes.Contains(b, []byte(`"error"`)) {
		for _, c := range bytes.TrimLeft(b[i+len(`"seq":`):], " ") {
			if c < '0' || c > '9' {
				break
			}
			sequence = 10*sequence + uint64(c-'0')
		}
		return sequence, 0
	}
	var answer struct {
		Error *jetstream.APIError `json:"error"`
	}
	if json.Unmarshal(b, &answer) == nil && answer.Error != nil {
		code = answer.Error.ErrorCode
	}
	return 0, code
}
