package jobs

// serve takes a job along its way, one file a step. Before it lies consume.go, which has the message sent; after it
// comes the answer of JetStream to the decision, upon which the job leaves its queue (settle.go).
func (j *job) serve() {
	if j.begin() { // begin.go: is it to run?
		reply, err := j.attempt() // attempt.go: as a call, to its reply
		v := j.judge(reply, err)  // verdict.go: what the reply means
		j.settle(v)               // settle.go: decide, or wait for the next attempt
	}
	j.q.leave() // queue.go: the next one may begin
}
