package control

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// Bounds of the search for a job in its queue.
const (
	mostScanned  = 5000     // messages from the beginning of a queue, and as many from its end
	scanBytes    = 16 << 20 // the same in bytes
	scanRead     = 500      // messages by one request
	scanReadSize = 1 << 20  // bytes by one request, about
)

// place is where a job is.
type place struct {
	function, id string

	info     protocol.JobInfo
	story    []protocol.Attempt
	exists   bool         // it is somewhere
	record   store.Stored // its revision is that of what the bucket has, also of a marker
	decided  bool         // record is an outcome
	sequence uint64       // of its message in the queue; 0: it is not there, or was not found
	sure     bool         // it was looked for everywhere
	entry    store.Entry  // in the line of its key; the zero value: it is not there
	queue    protocol.QueueInfo
	last     uint64        // sequence of the queue's last job
	kept     time.Duration // how long its outcome is to be kept; 0: it is not known yet
}

// find looks for a job. The order makes sure that one is found that moves meanwhile from its queue to where it waits, or
// back, or gets its outcome.
func (s *Service) find(ctx context.Context, function, id string) (p *place, err error) {
	p = &place{function: function, id: id}
	p.info.Job = protocol.ResultKey(function, id)
	for _, look := range []func(context.Context, *place) error{
		s.findRecord, s.findLater, s.findQueued, s.findLine, s.findRank, s.findLater, s.findRecord,
	} {
		if err := look(ctx, p); err != nil {
			return nil, err
		}
		if p.decided || p.exists {
			break
		}
	}
	return p, nil
}

// findRecord looks for the outcome of a job.
func (s *Service) findRecord(ctx context.Context, p *place) (err error) {
	p.record, p.decided, err = s.recordOf(ctx, p.function, p.id)
	if p.decided {
		p.info = recordInfo(p.function, p.id, &p.record)
		p.exists = true
	}
	return err
}

// recordOf returns the record of a job, and whether it is an outcome.
func (s *Service) recordOf(ctx context.Context, function, id string) (r store.Stored, decided bool, err error) {
	m, ok, err := s.Store.Last(ctx, store.ResultsStream, "$KV."+protocol.BucketResults+"."+protocol.ResultKey(function, id))
	if err != nil || !ok {
		return r, false, err
	}
	r.Revision, r.Time = m.Sequence, m.Time
	if gone(m.Header) {
		return r, false, nil
	}
	r.Record, err = protocol.ParseRecord(m.Header, m.Data)
	return r, err == nil && r.State.Decided(), err
}

// recordInfo says what a record says.
func recordInfo(function, id string, r *store.Stored) protocol.JobInfo {
	i := protocol.JobInfo{Job: protocol.ResultKey(function, id), State: r.State, Attempts: r.Attempts, Accepted: r.Accepted,
		Ended: r.Time, Reason: r.Reason, Size: int64(len(r.Reply.Body))}
	if r.Reply.Claim != nil {
		i.Size = r.Reply.Claim.Size
	}
	if r.Reply.Exit >= 0 {
		i.Exit = &r.Reply.Exit
	}
	if r.Reply.Err != nil {
		i.Code, i.Error = r.Reply.Err.Code, r.Reply.Err.Msg
	}
	return i
}

// findLater looks for a job where it waits for its time.
func (s *Service) findLater(ctx context.Context, p *place) error {
	for _, subject := range []string{protocol.LaterSubject(p.function, p.id), protocol.DueSubject(p.function, p.id)} {
		m, ok, err := s.Store.Last(ctx, protocol.StreamLater, subject)
		if err != nil {
			return err
		}
		if ok {
			p.info, p.story = waitingInfo(p.function, p.id, &m)
			p.exists = true
			return nil
		}
	}
	return nil
}

// waitingInfo says what a message that waits says.
func waitingInfo(function, id string, m *store.Message) (protocol.JobInfo, []protocol.Attempt) {
	h := m.Header.Fold()
	i := protocol.JobInfo{Job: protocol.ResultKey(function, id), State: protocol.StateWaiting, Accepted: m.Time,
		Size: bodySize(h, m.Data)}
	i.Attempts, i.Subject = attempts(h), callerSubject(cmp.Or(h.Get(protocol.HeaderSubject), h.Get(protocol.HeaderTarget)))
	if t, err := time.Parse(time.RFC3339Nano, h.Get(protocol.HeaderAccepted)); err == nil {
		i.Accepted = t
	}
	i.Priority = priority(h)
	if at, ok := strings.CutPrefix(h.Get("Nats-Schedule"), "@at "); ok {
		i.Begins, _ = time.Parse(time.RFC3339Nano, at)
	}
	return i, protocol.ParseStory(h.Get(protocol.HeaderStory))
}

// findQueued looks for a job in its queue.
func (s *Service) findQueued(ctx context.Context, p *place) (err error) {
	var ok bool
	if p.queue, ok, err = s.figures(ctx, p.function); err != nil {
		return err
	} else if !ok {
		p.sure = true
		return nil
	}
	begun, last, err := s.begun(ctx, p.function)
	if err != nil {
		return err
	}
	p.last = last
	m, err := s.search(ctx, p)
	if err != nil || m == nil {
		return err
	}
	j, _ := protocol.ParseJob(m.Subject, m.Header, m.Data) // of one that is malformed there is what could be read
	p.info, p.story, p.sequence, p.exists = queuedInfo(p.function, p.id, m, &j, begun), j.Story, m.Sequence, true
	return nil
}

// begun returns the sequence up to which jobs of a queue have been given to invokers, and that of the last one.
func (s *Service) begun(ctx context.Context, function string) (given, last uint64, err error) {
	stream, err := s.Store.JetStream().Stream(ctx, protocol.QueueStream(function))
	if missing(err) {
		return 0, 0, nil
	} else if err != nil {
		return 0, 0, unavailable("look at the queue of "+function, err)
	}
	last = stream.CachedInfo().State.LastSeq
	c, err := stream.Consumer(ctx, store.Consumer)
	if missing(err) {
		return 0, last, nil
	} else if err != nil {
		return 0, 0, unavailable("look at the queue of "+function, err)
	}
	return c.CachedInfo().Delivered.Stream, last, nil
}

// queuedInfo says what a message of a queue says. given is the sequence up to which invokers have them.
func queuedInfo(function, id string, m *store.Message, j *protocol.JobMessage, given uint64) protocol.JobInfo {
	i := protocol.JobInfo{Job: protocol.ResultKey(function, id), State: protocol.StateQueued, Attempts: j.Before,
		Accepted: m.Time, Subject: callerSubject(m.Subject), Size: bodySize(m.Header, m.Data)}
	if j.Priority != protocol.PriorityNormal {
		i.Priority = j.Priority.String()
	}
	if m.Sequence <= given {
		i.State = protocol.StateRunning
	}
	if !j.Accepted.IsZero() {
		i.Accepted = j.Accepted
	}
	return i
}

// search returns a job's message in its queue, or nil if it is not there. p.sure says whether all of the queue was looked
// at. A job with an id of the invokers' is found by it; of others the beginning and the end of the queue are looked at.
func (s *Service) search(ctx context.Context, p *place) (*store.Message, error) {
	from, made, own := protocol.ParseNewJobID(p.id)
	switch {
	case !own || made.UnixMilli() != p.queue.Created.UnixMilli(): // such a job can have been given back to a newer queue
		from = 0
	case from > p.last:
		p.sure = true
		return nil, nil
	default:
		m, ok, err := s.Store.At(ctx, p.queue.Stream, from)
		if err != nil || ok && p.is(&m) {
			return &m, err
		}
	}
	m, next, err := s.scan(ctx, p, from+1)
	if err != nil || m != nil || next == 0 {
		p.sure = next == 0
		return m, err
	}
	from = next
	if p.last > mostScanned {
		from = max(from, p.last-mostScanned)
	}
	p.sure = from == next
	m, next, err = s.scan(ctx, p, from)
	p.sure = p.sure && next == 0
	return m, err
}

// scan looks for a job's message from a sequence on. next is where it has stopped; 0: there are no further ones.
func (s *Service) scan(ctx context.Context, p *place, from uint64) (found *store.Message, next uint64, err error) {
	for looked, bytes := 0, 0; ; {
		part, left, err := s.Store.Read(ctx, store.Range{Stream: p.queue.Stream, From: from, Most: scanRead,
			Bytes: scanReadSize})
		if err != nil {
			return nil, 0, err
		}
		for i := range part {
			if p.is(&part[i]) {
				return &part[i], 0, nil
			}
			bytes += len(part[i].Data)
			from = part[i].Sequence + 1
		}
		looked += len(part)
		switch {
		case left == 0 || len(part) == 0:
			return nil, 0, nil
		case looked >= mostScanned || bytes >= scanBytes:
			return nil, from, nil
		}
	}
}

// is reports whether a message of the queue is the job's.
func (p *place) is(m *store.Message) bool { return idOf(m, p.queue.Created) == p.id }

// idOf returns the id of the job that a message of a queue is.
func idOf(m *store.Message, made time.Time) string {
	j, _ := protocol.ParseJob(m.Subject, m.Header, nil) // one that is malformed has the id of its place
	return cmp.Or(j.Request.ID, protocol.NewJobID(m.Sequence, made))
}

// job answers with what is known about a job.
func (s *Service) job(ctx context.Context, r *protocol.APIRequest) (any, error) {
	function, id, err := protocol.ParseJobRequest(r.Body)
	if err != nil {
		return nil, err
	}
	p, err := s.find(ctx, function, id)
	switch {
	case err != nil:
		return nil, err
	case !p.exists:
		return nil, s.unknown(ctx, p)
	}
	if p.info.State == protocol.StateDead {
		if letter, ok, err := s.Store.Last(ctx, protocol.StreamDead, protocol.DeadSubject(function, id)); err != nil {
			return nil, err
		} else if ok {
			info, story := letterInfo(function, id, &letter)
			p.info.Subject, p.story = info.Subject, story
		}
	}
	return protocol.JobReply{JobInfo: p.info, Story: p.story, Paused: p.queue.Paused()}, nil
}

// unknown is the error for a job that is nowhere.
func (s *Service) unknown(ctx context.Context, p *place) error {
	job, known, err := s.manifest(ctx, p.function)
	if err != nil {
		return err
	}
	name := protocol.ResultKey(p.function, p.id)
	no := func(format string, a ...any) error { return protocol.Errorf(protocol.CodeNotFound, "", format, a...) }
	if !known {
		return no("job %s not found, and no function %s is deployed: check the name, or its outcome has expired", name,
			p.function)
	}
	kept := job.Result
	sequence, made, own := protocol.ParseNewJobID(p.id)
	switch {
	case !p.sure:
		return no("job %s not found: its queue is so long that only its beginning and its end were looked at: "+
			"ask again later", name)
	case p.record.Revision > 0 || own && made.UnixMilli() == p.queue.Created.UnixMilli() && sequence <= p.last:
		return no("job %s has ended, and its outcome has expired: outcomes of %s are kept for %s (job.result of the manifest)",
			name, p.function, kept)
	case own:
		return no("there has been no job %s in the queue of %s as it is now: check the id, or its queue was removed", name,
			p.function)
	}
	return no("job %s not found: no job had this id, or its outcome has expired: outcomes of %s are kept for %s "+
		"(job.result of the manifest)", name, p.function, kept)
}
