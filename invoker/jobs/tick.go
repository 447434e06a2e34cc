package jobs

import (
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// oneTick is how often what depends on time is looked at, several times within the shortest job.ack_wait.
const oneTick = time.Duration(protocol.MinAckWait) / 8

// tick does what depends on time, until nothing runs any more.
func (f *Front) tick() {
	ticker := time.NewTicker(oneTick)
	defer ticker.Stop()
	for n := 1; ; n++ {
		select {
		case <-f.working.Done():
			return
		case now := <-ticker.C:
			f.settler.tick(now)
			f.marks.expire(now)
			for _, q := range f.all() {
				q.tick(now, n%8 == 0)
			}
		}
	}
}

// tick tells JetStream of jobs that are still in hand, forgets requests that are overdue, and asks for jobs if there is
// room. Now and then it has the stream of a function that is gone looked at.
func (q *queue) tick(now time.Time, now8 bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	wait := time.Duration(q.policy.Load().AckWait)
	for _, j := range q.hand {
		if now.Sub(j.said) < wait/3 {
			continue
		}
		j.said = now
		_ = q.f.nc.Publish(j.ack, []byte(wordProgress)) // an error means that the connection is gone
	}
	q.pulls.expire(now)
	q.ask()
	if q.function == nil && now8 {
		q.look()
	}
}

// pauseOf has a job tried again about which its attempt says nothing.
func (j *job) pauseOf() {
	timer := time.NewTimer(retryNothing)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-j.q.f.serving.Done():
	}
	j.giveBack()
}

// retryNothing is how long a job stays in hand after an attempt that says nothing.
const retryNothing = time.Second

// mostMarks is how many cancelled jobs are remembered, and markTime for how long.
const (
	mostMarks = 10_000
	markTime  = time.Hour
)

// cancelled are jobs that somebody has cancelled. The zero value has none.
type cancelled struct {
	mu   sync.Mutex
	jobs map[string]time.Time // by key, when that was heard
}

func (c *cancelled) has(name, id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.jobs) == 0 {
		return false
	}
	_, ok := c.jobs[name+"."+id]
	return ok
}

func (c *cancelled) add(name, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.jobs == nil || len(c.jobs) >= mostMarks {
		c.jobs = map[string]time.Time{}
	}
	c.jobs[name+"."+id] = time.Now()
}

func (c *cancelled) expire(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, heard := range c.jobs {
		if now.Sub(heard) > markTime {
			delete(c.jobs, key)
		}
	}
}

// watchMarks hears of cancelled jobs and opened queues, until nothing runs any more.
func (f *Front) watchMarks() {
	for {
		err := f.store.WatchMarks(f.working, f.mark)
		timer := time.NewTimer(time.Second)
		select {
		case <-f.working.Done():
			timer.Stop()
			return
		case <-timer.C:
			f.log.Debug("marks are watched anew", "err", err)
		}
	}
}

// mark does what a mark asks for.
func (f *Front) mark(m store.Mark) {
	switch {
	case m.Ranked:
		f.openRanks(m.Function)
		return
	case !m.Cancelled:
		f.Open(m.Function)
		return
	}
	f.marks.add(m.Function, m.ID)
	for _, q := range f.of(m.Function) {
		q.stopJob(m.ID)
	}
}
