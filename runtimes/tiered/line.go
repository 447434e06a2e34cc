package tiered

import (
	"context"
	"sync"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/fingerprint"
)

// most is which part of the functions a draft may have, in percent, to be worth the work.
const most = 70

// depth is how many calls from a function that came with an edit another may be away to be taken for one that is
// needed. Of each two edits of a Go program that call more of its library, one goes on to functions that were there,
// but were not called, up to three away.
const depth = 3

// line is what is known of a line of modules. Each is an edit of the one before.
type line struct {
	turn sync.Mutex // of those that somebody waits for

	mu     sync.Mutex
	urgent int                             // compilations that somebody waits for; guarded by mu
	calm   chan struct{}                   // closed when there are none of them; guarded by mu
	newest *program                        // guarded by mu
	stops  map[*program]context.CancelFunc // of compilations that nobody waits for; guarded by mu

	// Guarded by the turn.
	latest *state
	known  bool // calls have been seen
	// used are the functions that a draft needs: they were called, came with an edit, or are near to those.
	used map[fingerprint.Shape]struct{}
}

// state is one module of a line.
type state struct {
	functions []fingerprint.Function // nil if they are not known
	without   []bool                 // functions that a draft need not have; nil: there is to be no draft
	kind      string                 // how processes come to be
	program   *program
}

// newLine returns a line without modules.
func newLine() *line {
	return &line{stops: map[*program]context.CancelFunc{}, used: map[fingerprint.Shape]struct{}{}}
}

// begin waits for the turn, and ends what nobody waits for.
func (l *line) begin() {
	l.mu.Lock()
	if l.urgent++; l.urgent == 1 {
		l.calm = make(chan struct{})
	}
	for _, stop := range l.stops {
		stop()
	}
	l.mu.Unlock()
	l.turn.Lock()
}

// set makes a program the newest.
func (l *line) set(s *state) {
	l.latest = s
	l.mu.Lock()
	defer l.mu.Unlock()
	l.newest = s.program
}

// end gives the turn back.
func (l *line) end() {
	l.turn.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.urgent--; l.urgent == 0 {
		close(l.calm)
	}
}

// background waits until nobody waits for a compilation, and the whole of g is of use: it is the newest, or a process
// needs it. The context that it returns ends when somebody waits again. done must be called. The error is that of
// ctx.
func (l *line) background(ctx context.Context, g *program) (limited context.Context, done func(), err error) {
	for {
		l.mu.Lock()
		wait := l.calm
		if l.urgent == 0 {
			if l.newest == g || g.isWanted() {
				break
			}
			wait = g.wanted
		}
		l.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
	defer l.mu.Unlock()
	limited, stop := context.WithCancel(ctx)
	l.stops[g] = stop
	return limited, func() {
		stop()
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.stops, g)
	}, nil
}

// plan says what is to be done with the next module.
func (l *line) plan(b []byte) *state {
	l.learn()
	s := &state{}
	var err error
	if s.functions, err = fingerprint.Of(b, module.Limits{}); err != nil || l.latest == nil || l.latest.functions == nil {
		return s
	}
	before := map[fingerprint.Shape]struct{}{}
	for _, f := range l.latest.functions {
		before[f.Shape] = struct{}{}
	}
	var fresh []int
	for i, f := range s.functions {
		if _, ok := before[f.Shape]; !ok {
			fresh = append(fresh, i)
		}
	}
	l.need(s.functions, fresh)
	without, has := make([]bool, len(s.functions)), 0
	for i, f := range s.functions {
		if _, ok := l.used[f.Shape]; ok {
			has++
		} else {
			without[i] = true
		}
	}
	if l.known && has*100 <= len(s.functions)*most {
		s.without = without
	}
	return s
}

// need takes note of functions that came with an edit, and of those that they call.
func (l *line) need(all []fingerprint.Function, fresh []int) {
	for range depth + 1 {
		var next []int
		for _, i := range fresh {
			l.used[all[i].Shape] = struct{}{}
			for _, callee := range all[i].Calls {
				if _, ok := l.used[all[callee].Shape]; !ok {
					next = append(next, callee)
				}
			}
		}
		fresh = next
	}
}

// learn takes note of what calls of the latest module have used.
func (l *line) learn() {
	if l.latest == nil {
		return
	}
	called := l.latest.program.called()
	if len(called) != len(l.latest.functions) {
		return
	}
	for i, f := range l.latest.functions {
		if called[i] {
			l.used[f.Shape], l.known = struct{}{}, true
		}
	}
}
