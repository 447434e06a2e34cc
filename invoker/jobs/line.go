package jobs

import (
	"context"
	"time"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// sorts reports whether a job is put into the line of its key, from where it comes back when it has its turn.
func (q *queue) sorts(j *job) bool { return q.kind == ofJobs && j.policy.Key != "" }

// stand puts the job into the line of its key, unless it is not to run.
func (j *job) stand() {
	if !j.begin() {
		return
	}
	q := j.q
	key, _ := protocol.ParseKey(j.policy.Key) // it has passed the manifest's check
	e := store.Entry{Function: q.name, Line: key.Line(&j.Request, j.id), ID: j.id}
	if !j.whenRoom(q.f.store.LookAtTurns) || !j.insist("put it into the line of its key", func(ctx context.Context) error {
		m, err := j.later(ctx)
		if err != nil {
			return err
		}
		m.Header[protocol.HeaderSubject] = []string{j.Request.Subject}
		return q.f.store.Stand(ctx, e, m)
	}) {
		return
	}
	q.f.after("stand")
	j.acknowledge()
}

// Lines, and queues of priorities, have as much room as a queue. That is looked at now and then.
const (
	roomPause = time.Second            // between two looks while there is room
	fullPause = 250 * time.Millisecond // and while there is none
)

// whenRoom waits until there is room where the job is moved to. It returns false if jobs are to end before that:
// then the job has been given back.
func (j *job) whenRoom(look lookAt) bool {
	q := j.q
	for {
		if last := q.looked.Load(); time.Since(time.Unix(0, last)) < roomPause {
			return true
		}
		var left uint64
		if !j.insist("look whether there is room", func(ctx context.Context) (err error) {
			_, left, _, err = look(ctx, q.name)
			return err
		}) {
			return false
		}
		if left < uint64(j.policy.Queue) {
			q.looked.Store(time.Now().UnixNano())
			return true
		}
		timer := time.NewTimer(fullPause)
		select {
		case <-timer.C:
		case <-q.f.serving.Done():
			timer.Stop()
			j.giveBack()
			return false
		}
	}
}

// handOn takes the job out of its line and gives the next one there its turn. Then the job's own turn is over.
func (j *job) handOn() {
	e := store.Entry{Function: j.q.name, Line: j.Line, ID: j.id}
	turn := j.place.sequence
	if j.q.kind == ofRanks { // it has left the line's stream
		turn = 0
	}
	if !j.insist("let the next job of its key begin", func(ctx context.Context) error {
		return j.q.f.store.HandOn(ctx, e, turn)
	}) {
		return
	}
	j.q.f.after("hand on")
	j.acknowledge()
}
