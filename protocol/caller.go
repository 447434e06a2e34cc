package protocol

import (
	"context"
	"io"
)

// Caller calls functions. Whatever turns an event into a request hands it to a Caller, and does not know whether the
// function runs in this process or elsewhere.
//
// Call sends a request and waits for its reply, but not after the end of ctx. It returns either a reply or an error.
// Failures that a function or its invoker reports are in the reply, as Reply.Err; Failure looks at both. Call keeps and
// changes neither the request nor its body. It may be called from several goroutines.
//
// # Errors
//
// An error means that there is no reply. Its code (see CodeOf) is one of these:
//   - 400: the request cannot be a message
//   - 403: NATS does not permit it
//   - 404: no invoker has the function
//   - 502: the reply cannot be read
//   - 503: the function, its invoker or NATS is not available, or ctx was cancelled
//   - 504: the deadline has passed
//
// With 502, 503 and 504 the function may have run.
type Caller interface {
	Call(ctx context.Context, r *Request) (*Reply, error)
}

// Streamer is a Caller of which a call's bodies need not be whole in memory.
//
// Stream makes a call as Call does. The process reads in as its stdin, to its end, if in is not nil; Request.Body and
// Request.Claim are empty then. What the process writes to stdout goes to out as it is written, and Write returns when
// there is room for more: a slow reader slows the process down. An error of Write ends the process, and is that of
// Stream. limits.input bounds in, and limits.output does not bound out. The body of a reply that is no error is empty.
// A reply that is an error may come after output has: then what has been written is only the beginning.
type Streamer interface {
	Caller
	Stream(ctx context.Context, r *Request, in io.Reader, out io.Writer) (*Reply, error)
}

// Failure returns what is wrong with a call, given both results of Caller.Call: that there is no reply, or what the
// reply says. It is nil if the call succeeded. CodeOf returns its code.
func Failure(r *Reply, err error) error {
	switch {
	case err != nil:
		return err
	case r == nil:
		return Errorf(CodeFailed, "", "there is neither a reply nor an error: this is a bug of the Caller")
	case r.Err != nil:
		return r.Err
	}
	return nil
}
