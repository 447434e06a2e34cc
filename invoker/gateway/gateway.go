// Package gateway answers HTTP with functions: an http.Handler that any Go program can mount.
package gateway

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// Config says how a Gateway answers.
type Config struct {
	// Caller runs the functions. One that is a protocol.Streamer makes streams possible. It must not be nil.
	Caller protocol.Caller
	// Observers see every request, in this order.
	Observers []Observer
	// Log takes what operators should know. Nil discards it.
	Log *slog.Logger
}

// Observer sees the requests that a gateway answers. Its methods must not wait, and may be called from several
// goroutines.
type Observer interface {
	// Begin tells of a request whose route is known.
	Begin(e *Exchange)
	// End tells that it has been answered. The exchange is not to be kept afterwards.
	End(e *Exchange)
}

// Exchange is a request of HTTP and its answer.
type Exchange struct {
	ID       string        // of the call, as in the answer's Fn-Id; empty if there was none
	Method   string        // of the request; "OTHER" for one that HTTP does not have
	Path     string        // as it was sent
	Route    string        // the pattern that it matched; empty for none
	Function protocol.Ref  // what was called; zero for nothing
	Client   string        // the client's address, behind trusted proxies
	Agent    string        // the client's User-Agent
	Received time.Time     // when the request's headers had come
	Status   int           // of the answer; 0 until then
	Aborted  bool          // the connection was cut before the answer was whole
	In, Out  int64         // bytes of the bodies, as sent
	Took     time.Duration // from Received to the answer's last byte

	Header http.Header    // of the request; an observer may change its trace context in Begin, and nothing else
	Trace  protocol.Trace // for observers: its place in a trace; the answer's header traceparent, unless it is zero
	Parent protocol.Trace // for observers: that of the client
}
