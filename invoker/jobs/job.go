package jobs

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// job is a message of a queue on its way to an outcome.
type job struct {
	protocol.JobMessage
	q         *queue
	m         *nats.Msg
	place     place
	id        string       // the caller's, or one made of its place
	policy    protocol.Job // with defaults
	malformed error        // it cannot be a job
	report    bool         // the caller asked for one
	seen      *Attempt     // that is observed; nil: none
	receiver  *receiver    // that runs it itself; nil: none

	// What comes of it.
	number  int                // of the attempt, from 1
	story   []protocol.Attempt // with this attempt
	record  protocol.Record
	message *nats.Msg // that decides, or is the job among those of its priority
	moving  bool      // it is that

	// Guarded by the queue's mutex.
	ack       string             // where words about the job go
	said      time.Time          // when the last one did
	cancel    context.CancelFunc // of what runs
	cancelled bool               // somebody has cancelled it
	settling  bool               // its attempt is over
}

// place says which message of which queue it is.
type place struct {
	sequence  uint64
	delivered int       // how often, with this time
	stored    time.Time // when
}

// parsePlace reads the reply subject of a message that JetStream delivers (ADR-15):
//
//	$JS.ACK.[DOMAIN.ACCOUNT.]STREAM.CONSUMER.DELIVERED.SEQUENCE.OF-CONSUMER.TIME.PENDING[.MORE]
func parsePlace(reply string) (p place, ok bool) {
	rest, ok := strings.CutPrefix(reply, "$JS.ACK.")
	if !ok {
		return p, false
	}
	skip := 2
	if strings.Count(rest, ".") > 6 {
		skip = 4
	}
	var numbers [4]uint64
	for i := range skip + len(numbers) {
		var token string
		token, rest, _ = strings.Cut(rest, ".")
		if i < skip {
			continue
		}
		n, err := strconv.ParseUint(token, 10, 63)
		if err != nil {
			return p, false
		}
		numbers[i-skip] = n
	}
	p = place{sequence: numbers[1], delivered: int(min(numbers[0], 1<<30)), stored: time.Unix(0, int64(numbers[3]))}
	return p, true
}

// newJob reads a message. ok is false if JetStream has not sent it.
func (q *queue) newJob(m *nats.Msg) (j *job, ok bool) {
	p, ok := parsePlace(m.Reply)
	if !ok {
		return nil, false
	}
	j = &job{q: q, m: m, place: p, ack: m.Reply, said: time.Now(), policy: *q.policy.Load()}
	j.JobMessage, j.malformed = protocol.ParseJob(m.Subject, protocol.Header(m.Header), m.Data)
	if j.id = j.Request.ID; j.id == "" {
		j.id = protocol.NewJobID(p.sequence, q.created())
	}
	if j.Accepted.IsZero() {
		j.Accepted = p.stored
	}
	if j.Most == 0 {
		j.Most = j.policy.Attempts
	}
	r := &j.Request
	r.Function.Name = q.name
	r.ID, r.Limit, r.Patient = j.id, time.Duration(j.policy.Timeout), true
	j.report, r.Report = r.Report, true // it tells whether the process has begun
	j.number, j.story = j.Before+1, j.Story
	return j, true
}

// named reports whether the caller gave the job its id.
func (j *job) named() bool { return j.id[0] != '_' }

// from returns the moment from which the age of the job counts: when it was to begin.
func (j *job) from() time.Time {
	if !j.At.IsZero() && j.At.After(j.Accepted) {
		return j.At
	}
	return j.Accepted.Add(j.Delay)
}

// tooLate reports whether an attempt at a moment would be too late.
func (j *job) tooLate(at time.Time) bool {
	return at.After(j.from().Add(time.Duration(j.policy.MaxAge)))
}

// say sends a word about the job to JetStream. An error means that the connection is gone, and then the job is
// delivered again.
func (j *job) say(word string) {
	j.q.mu.Lock()
	to := j.ack
	j.said = time.Now()
	j.q.mu.Unlock()
	if err := j.q.f.nc.Publish(to, []byte(word)); err != nil {
		j.q.f.log.Debug("JetStream was not told about a job", "function", j.q.name, "id", j.id, "err", err)
	}
}

// The words of JetStream's protocol of acknowledgements (ADR-15).
const (
	wordAck      = "+ACK"
	wordNak      = "-NAK"
	wordProgress = "+WPI"
)

// done says that the job has its outcome, and all that follows from it. The next job of its key gets its turn.
func (j *job) done() {
	if j.Line != "" {
		j.q.spawn(j.handOn)
		return
	}
	j.acknowledge()
}

// acknowledge has the job's message leave its queue.
func (j *job) acknowledge() {
	j.say(wordAck)
	j.q.forget(j)
}

// giveBack has the job delivered again, to whoever has room.
func (j *job) giveBack() {
	j.say(wordNak)
	j.q.forget(j)
}
