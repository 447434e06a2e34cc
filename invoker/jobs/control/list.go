package control

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// A list walks through stages: what is in the queues, what waits, what has an outcome; or only those in which jobs of the
// wanted state are. Each stage is read newest first, but for what waits, and by a bounded number of messages for one
// page. A cursor says where the next page begins: the stage, for queues the function, and a sequence.

// stage is a place where jobs are.
type stage string

const (
	inQueues  stage = "queue"
	inLines   stage = "lines"
	inRanks   stage = "ranks"
	inLater   stage = "later"
	inRecords stage = "records"
	inDead    stage = "dead"
)

// stages are those in which jobs of a state are, in the order in which they are listed.
func stages(state protocol.JobState) []stage {
	switch state {
	case protocol.StateQueued, protocol.StateRunning:
		return []stage{inQueues, inLines, inRanks}
	case protocol.StateWaiting:
		return []stage{inLater}
	case protocol.StateDone, protocol.StateCancelled:
		return []stage{inRecords}
	case protocol.StateDead:
		return []stage{inDead}
	}
	return []stage{inQueues, inLines, inRanks, inLater, inRecords}
}

// cursor is where a page begins.
type cursor struct {
	stage    stage
	function string // of inQueues, inLines and inRanks: whose; empty: that of the first one
	sequence uint64 // the page has what comes behind it, in the order of the list; 0: all
}

// String returns what parseCursor reads.
func (c cursor) String() string { return fmt.Sprintf("%s:%s:%d", c.stage, c.function, c.sequence) }

// parseCursor reads the After of a request. The error's code is 400.
func parseCursor(s string, in []stage) (c cursor, err error) {
	if s == "" {
		return cursor{stage: in[0]}, nil
	}
	parts := strings.Split(s, ":")
	if len(parts) == 3 {
		c = cursor{stage: stage(parts[0]), function: parts[1]}
		c.sequence, err = strconv.ParseUint(parts[2], 10, 64)
	}
	if len(parts) != 3 || err != nil || !slices.Contains(in, c.stage) || c.function != "" &&
		protocol.CheckName(c.function) != nil {
		return c, protocol.Errorf(protocol.CodeBadRequest, "",
			"after %.80q: use the next of the page before, of a list of the same state", s)
	}
	return c, nil
}

// mostSteps bounds the reads of one page.
const mostSteps = 32

// list answers with a page of jobs.
func (s *Service) list(ctx context.Context, r *protocol.APIRequest) (any, error) {
	q, err := protocol.ParseJobsRequest(r.Body)
	if err != nil {
		return nil, err
	}
	return s.pageOf(ctx, q, r.Room)
}

// listDead answers with a page of dead letters.
func (s *Service) listDead(ctx context.Context, r *protocol.APIRequest) (any, error) {
	q, err := protocol.ParseJobsRequest(r.Body)
	if err != nil {
		return nil, err
	}
	if q.State != "" && q.State != protocol.StateDead {
		return nil, protocol.Errorf(protocol.CodeBadRequest, "", "state %q: dead letters are jobs in the state %s", q.State,
			protocol.StateDead)
	}
	q.State = protocol.StateDead
	return s.pageOf(ctx, q, r.Room)
}

// pageOf returns a page of jobs. A page ends early when it has cost enough, or there is no room for more.
func (s *Service) pageOf(ctx context.Context, q protocol.JobsRequest, room int) (protocol.JobsReply, error) {
	out := protocol.JobsReply{Jobs: []protocol.JobInfo{}}
	in := stages(q.State)
	c, err := parseCursor(q.After, in)
	if err != nil {
		return out, err
	}
	l := lister{s: s, q: q, room: room, out: &out}
	for range mostSteps {
		more, err := l.step(ctx, &c)
		if err != nil {
			return out, err
		}
		if !more {
			at := slices.Index(in, c.stage) + 1
			if at == len(in) {
				return out, nil
			}
			c = cursor{stage: in[at]}
		}
		if l.full {
			break
		}
	}
	out.Next = c.String()
	return out, nil
}

// lister makes a page.
type lister struct {
	s      *Service
	q      protocol.JobsRequest
	room   int // bytes
	out    *protocol.JobsReply
	full   bool
	empty  int      // windows of a queue that had nothing, one after the other
	names  []string // functions that have a queue, sorted, once they are known
	keyed  []string // functions that have lines, in the same way
	ranked []string // functions that have priorities, in the same way
}

// step reads on from the cursor, and moves it. more is false at the end of a stage.
func (l *lister) step(ctx context.Context, c *cursor) (more bool, err error) {
	switch c.stage {
	case inQueues:
		return l.queues(ctx, c)
	case inLines:
		return l.lines(ctx, c)
	case inRanks:
		return l.ranks(ctx, c)
	case inLater:
		return l.later(ctx, c)
	case inRecords:
		return l.stored(ctx, c, store.ResultsStream, "$KV."+protocol.BucketResults+".", func(function, id string,
			m *store.Message) (protocol.JobInfo, bool) {
			return headInfo(function, id, m)
		})
	}
	return l.stored(ctx, c, protocol.StreamDead, protocol.RootDead+".", func(function, id string, m *store.Message) (
		protocol.JobInfo, bool) {
		i, _ := letterInfo(function, id, m)
		return i, true
	})
}

// headInfo says what the headers of a record say, and whether it is an outcome.
func headInfo(function, id string, m *store.Message) (protocol.JobInfo, bool) {
	if gone(m.Header) {
		return protocol.JobInfo{}, false
	}
	record, err := protocol.ParseRecord(m.Header, nil)
	if err != nil || !record.State.Decided() {
		return protocol.JobInfo{}, false
	}
	i := recordInfo(function, id, &store.Stored{Record: record, Revision: m.Sequence, Time: m.Time})
	if n, err := strconv.ParseInt(m.Header.Get("Nats-Msg-Size"), 10, 64); err == nil && i.Size == 0 {
		i.Size = n
	}
	return i, true
}

// add puts a job into the page, if it is wanted, and reports whether there was room.
func (l *lister) add(i protocol.JobInfo) bool {
	if l.q.State != "" && i.State != l.q.State {
		return true
	}
	i.Error = protocol.CleanValue(i.Error, protocol.MaxErrorText)
	i.Subject = protocol.CleanValue(i.Subject, protocol.MaxSubject)
	b, err := json.Marshal(i)
	if err != nil {
		return true // a time that no calendar has; it cannot be shown
	}
	if l.room -= len(b) + len(","); l.room < 0 && len(l.out.Jobs) > 0 {
		l.full = true
		return false
	}
	l.out.Jobs = append(l.out.Jobs, i)
	l.full = len(l.out.Jobs) >= l.q.Limit
	return true
}

// stored lists what a stream has by NAME.ID behind a prefix, newest first.
func (l *lister) stored(ctx context.Context, c *cursor, stream, prefix string,
	info func(function, id string, m *store.Message) (protocol.JobInfo, bool)) (more bool, err error) {
	function := l.q.Function
	if function == "" {
		function = "*"
	}
	want := l.q.Limit - len(l.out.Jobs)
	all, next, err := l.s.Store.Newest(ctx, stream, prefix+function+".*", c.sequence, want)
	if err != nil {
		return false, err
	}
	for i := range all {
		name, id, err := protocol.ParseJobKey(strings.TrimPrefix(all[i].Subject, prefix))
		if err != nil {
			continue // somebody else's
		}
		if one, ok := info(name, id, &all[i]); ok && !l.add(one) {
			return true, nil
		}
		c.sequence = all[i].Sequence
	}
	c.sequence = next
	return next > 0, nil
}

// later lists what waits for its time, in the order of the stream.
func (l *lister) later(ctx context.Context, c *cursor) (more bool, err error) {
	function := l.q.Function
	if function == "" {
		function = "*"
	}
	all, left, err := l.s.Store.Read(ctx, store.Range{Stream: protocol.StreamLater, From: c.sequence + 1,
		Subject: protocol.LaterSubject(function, "*"), Most: l.q.Limit - len(l.out.Jobs), Bytes: scanReadSize})
	if err != nil {
		return false, err
	}
	for i := range all {
		name, id, err := protocol.ParseJobKey(strings.TrimPrefix(all[i].Subject, protocol.RootLater+"."))
		if err != nil {
			continue
		}
		if one, _ := waitingInfo(name, id, &all[i]); !l.add(one) {
			return true, nil
		}
		c.sequence = all[i].Sequence
	}
	return left > 0, nil
}

// queues lists what is in the queue of the cursor's function, newest first, and goes on to the next function.
func (l *lister) queues(ctx context.Context, c *cursor) (more bool, err error) {
	if l.names == nil {
		if l.names, err = l.functions(ctx); err != nil {
			return false, err
		}
	}
	at, _ := slices.BinarySearch(l.names, c.function)
	if at == len(l.names) {
		return false, nil
	}
	if l.names[at] != c.function {
		*c = cursor{stage: inQueues, function: l.names[at]}
	}
	done, err := l.queue(ctx, c)
	if err != nil || !done {
		return true, err
	}
	if at+1 == len(l.names) {
		return false, nil
	}
	*c = cursor{stage: inQueues, function: l.names[at+1]}
	return true, nil
}

// functions returns the functions whose queues are listed.
func (l *lister) functions(ctx context.Context) ([]string, error) {
	if l.q.Function != "" {
		return []string{l.q.Function}, nil
	}
	names, err := l.s.names(ctx)
	return append([]string{}, slices.Sorted(maps.Keys(names))...), err
}

// queue lists a window of one queue, and moves the cursor before it. done says that there is no more.
func (l *lister) queue(ctx context.Context, c *cursor) (done bool, err error) {
	stream, err := l.s.Store.JetStream().Stream(ctx, protocol.QueueStream(c.function))
	if missing(err) {
		return true, nil
	} else if err != nil {
		return false, unavailable("list the queue of "+c.function, err)
	}
	info := stream.CachedInfo()
	given, _, err := l.s.begun(ctx, c.function)
	if err != nil {
		return false, err
	}
	high := info.State.LastSeq + 1
	if c.sequence > 0 {
		high = min(high, c.sequence)
	}
	first := max(info.State.FirstSeq, 1)
	if high <= first || info.State.Msgs == 0 {
		return true, nil
	}
	low, all, err := l.window(ctx, info.Config.Name, first, high)
	if err != nil {
		return false, err
	}
	for _, m := range slices.Backward(all) {
		if m.Sequence >= high {
			continue
		}
		j, _ := protocol.ParseJob(m.Subject, m.Header, m.Data) // malformed ones are listed too
		if !l.add(queuedInfo(c.function, idOf(&m, info.Created), &m, &j, given)) {
			return false, nil
		}
		c.sequence = m.Sequence
	}
	c.sequence = low
	return low <= first, nil
}

// window reads the messages of a queue just below a sequence: as many as are wanted, unless they are large. It returns
// where the window begins. Windows in which there is nothing grow, so that a queue with a wide gap is read soon.
func (l *lister) window(ctx context.Context, stream string, first, high uint64) (low uint64, all []store.Message,
	err error) {
	most := max(l.q.Limit-len(l.out.Jobs), 1)
	for span := uint64(most) << min(l.empty, maxShift); ; span = max(span/4, 1) {
		low = first
		if high > first+span {
			low = high - span
		}
		all, _, err = l.s.Store.Read(ctx, store.Range{Stream: stream, From: low, Most: most, Bytes: scanReadSize})
		if err != nil {
			return low, nil, err
		}
		if len(all) == 0 || all[0].Sequence >= high {
			l.empty++
			return low, nil, nil
		}
		bytes := 0
		for i := range all {
			bytes += len(all[i].Data)
		}
		cut := len(all) == most || bytes >= scanReadSize
		if !cut || span == 1 || all[len(all)-1].Sequence+1 >= high {
			l.empty = 0
			return low, all, nil
		}
	}
}

// maxShift bounds how windows grow.
const maxShift = 30
