package protocol

import "context"

// APIRequest is a request of a control verb.
type APIRequest struct {
	Header Header
	Body   []byte
	Room   int // how many bytes the reply may have
}

// APIReply is an answer that is sent as it is, and not as JSON.
type APIReply struct {
	Header Header
	Body   []byte
}

// APIHandler answers a control verb on behalf of something that stands beside the invoker.
type APIHandler struct {
	// Answer returns an *APIReply, or what is sent as JSON. Of an error the caller is told what ErrorOf says. ctx ends
	// when nobody waits for the answer any more. Answer is called by several goroutines.
	Answer func(ctx context.Context, r *APIRequest) (any, error)
	// Changes says that to ask twice is not the same as to ask once. Then a request that is sent again, with the same
	// Fn-Id, is answered by what was said before.
	Changes bool
	// Waits says that the answer may take long and costs nothing meanwhile, so that many may be awaited.
	Waits bool
}
