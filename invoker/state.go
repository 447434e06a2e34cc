package invoker

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

// State returns where the invoker is in its life. It may be called at any time and from several goroutines.
func (v *Invoker) State() State { return State(v.state.Load()) }

// become moves an invoker on to a state, unless it is further already.
func (v *Invoker) become(s State) {
	for {
		was := v.state.Load()
		if was >= int32(s) || v.state.CompareAndSwap(was, int32(s)) {
			return
		}
	}
}
