package jobs

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// share is what decides which job begins next. The queues of a function's priorities have one together; any other queue
// has one of its own. Its mutex guards its queues as well.
type share struct {
	mu     sync.Mutex
	queues []*queue // the highest priority first
	active int      // jobs that have begun
	pace   pace
	rate   rate
	leased bool // at most may jobs run at a time: this invoker's part of job.concurrency
	may    int
}

// add adds a queue, in place of one of the same priority that has ended.
func (s *share) add(q *queue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queues = slices.DeleteFunc(slices.Clone(s.queues), func(old *queue) bool { return old.lane == q.lane })
	s.queues = append(s.queues, q)
	slices.SortFunc(s.queues, func(a, b *queue) int { return cmp.Compare(b.priority, a.priority) })
}

// mostPassed is how many jobs of higher priorities begin at most while one waits: of ten that begin, each priority that
// has any gets one.
const mostPassed = 9

// next returns the queue whose job is to begin next: that of the highest priority, unless a lower one has waited for long
// enough. It is nil if none waits. The caller holds the mutex.
func (s *share) next() (next *queue) {
	for _, q := range s.queues {
		if len(q.waiting) > 0 && (next == nil || q.passed >= mostPassed) {
			next = q
		}
	}
	return next
}

// overtake takes note that a job of a queue begins. The caller holds the mutex.
func (s *share) overtake(by *queue) {
	by.passed = 0
	for _, q := range s.queues {
		if q.priority < by.priority && len(q.waiting) > 0 {
			q.passed++
		}
	}
}

// waits returns how many jobs wait. The caller holds the mutex.
func (s *share) waits() (n int) {
	for _, q := range s.queues {
		n += len(q.waiting)
	}
	return n
}

// limit returns how many jobs may run at a time. The caller holds the mutex.
func (s *share) limit() int {
	if n := s.pace.room(); !s.leased || n < s.may {
		return n
	}
	return s.may
}

// room returns how many jobs a queue may have in hand. The caller holds the mutex.
func (q *queue) room() int {
	if q.ranked.Load() {
		return mostMoved
	}
	n := q.rate.room(q.pace.room())
	if q.leased {
		n = min(n, q.may)
	}
	return n
}

// few returns how many jobs are worth a request. The caller holds the mutex.
func (q *queue) few() int {
	if q.ranked.Load() {
		return mostMoved / 2
	}
	return q.pace.few()
}

// Invokers share job.concurrency among the queues of a function's priorities, each of which has a consumer: the limit of
// one of them would be the limit of its priority only. Other functions pay nothing for that.

// beats is how often an invoker says that it lives within the time after which it is believed to be dead, and longestBeat
// the longest time between two.
const (
	beats       = 4
	longestBeat = 5 * time.Second
	joining     = time.Second // after which an invoker that is new takes its part
)

// keep has this invoker's part of what runs at a time renewed until the queues have ended, and then gives it back.
func (s *share) keep(f *Front, name string) {
	b := &store.Budget{Function: name, Invoker: rand.Text()}
	told := time.Time{} // when the part was renewed
	for first := true; !s.over(f); first = false {
		pause := s.renew(f, b, &told)
		if first {
			pause = min(pause, joining)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-f.serving.Done():
			timer.Stop()
			for _, q := range s.all() {
				<-q.empty
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(f.working), roundTrip)
	defer cancel()
	if err := f.store.Release(ctx, b); err != nil {
		f.log.Debug("others get this invoker's part of job.concurrency later", "function", name, "err", err)
	}
}

// over reports whether the queues have ended.
func (s *share) over(f *Front) bool {
	for _, q := range s.all() {
		if !q.ended.Load() {
			return f.serving.Err() != nil
		}
	}
	return true
}

// all returns the queues.
func (s *share) all() []*queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queues
}

// renew has the part renewed, and returns when that is due again. told is when that was possible; who cannot say that it
// lives begins nothing any more before others believe that it is dead.
func (s *share) renew(f *Front, b *store.Budget, told *time.Time) time.Duration {
	all := s.all()
	policy := all[0].policy.Load()
	pause := min(time.Duration(max(policy.AckWait, protocol.MinAckWait))/beats, longestBeat)
	b.Silence = max(time.Duration(policy.AckWait), beats*pause)
	s.mu.Lock()
	running, want := s.active, s.pace.most
	s.mu.Unlock()
	running += f.unsorted(b.Function)
	ctx, cancel := context.WithTimeout(f.working, pause)
	defer cancel()
	now := time.Now()
	may, err := f.store.Renew(ctx, b, running, want, policy.Concurrency)
	s.mu.Lock()
	before := s.may
	switch {
	case err == nil:
		s.may, *told = may, now
	case time.Since(*told) > b.Silence-pause:
		s.may = 0
	}
	grown := s.may > before
	var back []*job
	if err == nil && may == 0 { // others can run them
		for _, q := range s.queues {
			back = append(back, q.waiting...)
			q.waiting = nil
		}
	}
	s.mu.Unlock()
	for _, j := range back {
		j.giveBack()
	}
	if err != nil {
		f.log.Debug("the part of job.concurrency is not renewed", "function", b.Function, "err", err)
	}
	if grown {
		all[0].begin()
	}
	return pause
}

// unsorted returns how many jobs of a function run that had begun before it got one with a priority.
func (f *Front) unsorted(name string) (n int) {
	for _, q := range f.of(name) {
		if q.kind != ofRanks {
			q.mu.Lock()
			n += q.active
			q.mu.Unlock()
		}
	}
	return n
}
