package jobs

import (
	"context"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// A job that was delivered several times, and of which nothing was heard, may be what ends the processes; or another
// one that ran beside it is. So it runs alone in its process, after a mark says so. Who then ends with its process twice is
// dead, and nobody else is blamed.

const (
	interruptions = 3                // deliveries without a word, after which a job runs alone
	aloneTries    = 2                // ends of a process that are enough
	longestLonely = 30 * time.Second // for which others are kept from beginning
)

// suspect reports whether the job runs alone.
func (j *job) suspect() bool { return j.place.delivered > interruptions }

// serveAlone is serve for a job that runs alone.
func (j *job) serveAlone() {
	f := j.q.f
	select {
	case f.lonely <- struct{}{}:
	case <-f.serving.Done():
		j.giveBack()
		return
	}
	defer func() { <-f.lonely }()
	ctx, cancel := context.WithTimeout(f.serving, longestLonely)
	defer cancel()
	if !f.gate.alone(ctx) {
		f.beginAll()
		j.pauseOf()
		return
	}
	defer f.beginAll()
	defer f.gate.open()
	if !j.begin() || !j.beginAlone() {
		return
	}
	v := j.judge(j.attempt())
	if !j.insist("say that it has ended alone", func(ctx context.Context) error {
		return f.store.EndAlone(ctx, j.q.name, j.id)
	}) {
		return
	}
	j.settle(v)
}

// beginAlone marks that the job is begun alone, and reports whether it is to be: if that has ended a process as often
// as is enough, it is dead.
func (j *job) beginAlone() bool {
	before := 0
	if !j.insist("mark that it runs alone", func(ctx context.Context) (err error) {
		before, err = j.q.f.store.BeginAlone(ctx, j.q.name, j.id)
		return err
	}) {
		return false
	}
	if before < aloneTries {
		return true
	}
	_ = j.q.f.store.EndAlone(j.q.f.working, j.q.name, j.id) // another life begins anew
	j.die(protocol.ReasonCrash, protocol.Errorf(protocol.CodeFailed, "",
		"the process of its invoker ended %d times while nothing but this job ran in it", before))
	return false
}

// beginAll begins jobs that were kept from beginning.
func (f *Front) beginAll() {
	for _, q := range f.all() {
		q.begin()
	}
}
