package invoker

import "sync/atomic"

// State is where an invoker is in its life.
type State int32

const (
	// Idle: Serve has not begun, or could not.
	Idle State = iota
	// Starting: it serves what it has loaded, and does not know yet what else there is.
	Starting
	// Serving: every function that the registry had is served, or has failed to load.
	Serving
	// Ending: it takes nothing new and finishes what it has accepted, or has done so.
	Ending
)

// String returns the state's name.
func (s State) String() string {
	if s < Idle || s > Ending {
		return "unknown"
	}
	return [...]string{"idle", "starting", "serving", "ending"}[s]
}

// life goes from one state to the next, and never back.
type life struct{ state atomic.Int32 }

// now returns the state.
func (l *life) now() State { return State(l.state.Load()) }

// become moves on to a state, unless it is further already.
func (l *life) become(s State) {
	for {
		was := l.state.Load()
		if was >= int32(s) || l.state.CompareAndSwap(was, int32(s)) {
			return
		}
	}
}
