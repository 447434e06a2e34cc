package tiered

import "time"

// Eager has modules of any size compiled in two steps, and each whole when a process needs it.
func (r *Runtime) Eager() *Runtime {
	r.small, r.pause = 0, time.Hour
	return r
}

// Impatient has each whole compiled at once.
func (r *Runtime) Impatient() *Runtime {
	r.small, r.pause = 0, 0
	return r
}
