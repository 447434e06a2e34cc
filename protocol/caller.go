package protocol

import "context"

// Caller calls functions. Whatever turns an event into a request hands it to a Caller, and need not know whether the
// function runs in this process or elsewhere.
//
// Call sends a request and waits for its reply, until ctx ends at the latest. The reply or the error is nil, and not
// both. What a function or its invoker has answered is in the reply, failures included, as Reply.Err. An error means
// that there is no reply; CodeOf says why: 400 the request can be no message, 403 NATS does not permit it, 404 nobody
// has such a function, 502 the reply cannot be read, 503 the function, its invoker or NATS is not there now or ctx was
// cancelled, 504 the deadline passed. The function may have run all the same where that is 502, 503 or 504.
//
// Call keeps neither the request nor its body, and changes neither. It may be called from several goroutines.
type Caller interface {
	Call(ctx context.Context, r *Request) (*Reply, error)
}
