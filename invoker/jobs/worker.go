package jobs

// mostIdle is how many goroutines wait for work at a time. One that has run a function has the stack for the next.
const mostIdle = 16

// task is something that a queue has done on another goroutine.
type task struct {
	q  *queue
	do func()
}

// spawn does something on another goroutine. The queue does not end before that does.
func (q *queue) spawn(do func()) {
	q.running.Add(1)
	t := task{q, do}
	select {
	case q.f.tasks <- t:
	default:
		q.f.keeping.Go(func() { q.f.work(t) })
	}
}

// work does a task, and others that come, unless enough goroutines wait for them.
func (f *Front) work(t task) {
	for {
		t.do()
		t.q.running.Done()
		if f.idle.Add(1) > mostIdle {
			f.idle.Add(-1)
			return
		}
		select {
		case t = <-f.tasks:
			f.idle.Add(-1)
		case <-f.working.Done():
			return
		}
	}
}
