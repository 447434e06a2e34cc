package invoker

import "sync"

// turns lets those who want the same thing have it one after the other, in the order in which they have come. The zero
// value is ready. Its methods may be called from several goroutines.
type turns struct {
	mu  sync.Mutex
	all map[string][]chan struct{} // by what is wanted: of who has it, and then of those who wait
}

// enter waits for a thing: the channel is closed when it is the caller's turn. leave must be called with it afterwards,
// also if nobody has waited for that.
func (t *turns) enter(thing string) chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = map[string][]chan struct{}{}
	}
	turn := make(chan struct{})
	t.all[thing] = append(t.all[thing], turn)
	if len(t.all[thing]) == 1 {
		close(turn)
	}
	return turn
}

// leave gives a turn back, or stops waiting for it.
func (t *turns) leave(thing string, turn chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	line := t.all[thing]
	for i, other := range line {
		if other != turn {
			continue
		}
		line = append(line[:i:i], line[i+1:]...)
		if i == 0 && len(line) > 0 {
			close(line[0])
		}
		break
	}
	if len(line) == 0 {
		delete(t.all, thing)
		return
	}
	t.all[thing] = line
}
