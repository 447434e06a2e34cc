package invoker

import (
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// drainAll ends all functions, each after those that pass messages on to it, so that what was accepted at the head of a
// pipeline comes out of its end. Functions that pass on to one another in a circle end together. What
// still runs after most is given up.
func drainAll(all []*function, most time.Duration, giveUp func()) {
	late := time.AfterFunc(most, giveUp)
	defer late.Stop()
	next := passages(all)
	ended := make(map[*function]chan struct{}, len(all))
	for _, f := range all {
		ended[f] = make(chan struct{})
	}
	var ends sync.WaitGroup
	for f, before := range predecessors(all, next) {
		ends.Go(func() {
			defer close(ended[f])
			for _, g := range before {
				<-ended[g]
			}
			f.end()
		})
	}
	ends.Wait()
}

// passages returns to which functions each passes messages on.
func passages(all []*function) map[*function][]*function {
	manifests := make([]*protocol.Function, len(all))
	for i, f := range all {
		manifests[i] = f.manifest()
	}
	next := map[*function][]*function{}
	for i, f := range all {
		for k, g := range all {
			if leads(manifests[i], manifests[k]) {
				next[f] = append(next[f], g)
			}
		}
	}
	return next
}

// leads reports whether f can pass a message on to g.
func leads(f, g *protocol.Function) bool {
	for _, t := range f.Triggers {
		if t.To == "" {
			continue
		}
		for _, u := range g.SubjectTriggers() {
			if protocol.Overlap(t.DestinationPattern(), u.Subject) {
				return true
			}
		}
	}
	return false
}

// predecessors returns, for every one, those that lead to it and to which it does not lead back by any way: so
// nothing waits in a circle.
func predecessors[T comparable](all []T, next map[T][]T) map[T][]T {
	before := make(map[T][]T, len(all))
	for _, f := range all {
		before[f] = nil
	}
	for f, to := range next {
		for _, g := range to {
			if !reaches(g, f, next, map[T]bool{}) {
				before[g] = append(before[g], f)
			}
		}
	}
	return before
}

// reaches reports whether there is a way from a to b; seen is where it has been.
func reaches[T comparable](a, b T, next map[T][]T, seen map[T]bool) bool {
	if a == b {
		return true
	}
	seen[a] = true
	for _, n := range next[a] {
		if !seen[n] && reaches(n, b, next, seen) {
			return true
		}
	}
	return false
}
