package invoker

// serve takes a call along its way, one file a step, and then those that it has made room for. Before it lies
// receive.go, which makes a call of a message, or invoke.go, which makes one of a request of this process.
//
// A call that cannot start waits in its function's queue, and serve returns. Whatever takes it out of there calls
// serve again: a call that leaves or rests when there is room, a timer when there is no time left.
func (c *call) serve() {
	for c != nil {
		if waits := c.admit(); waits { // admit.go: when it runs, if at all
			return
		}
		c.run()       // run.go: as a process, to its exit code
		c.pass()      // pass.go: its output to other functions
		c.answer()    // answer.go: the reply to its caller
		c = c.leave() // admit.go: gives way to the next
	}
}
