package gateway

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/invoker/gateway/access"
	"github.com/polyvoke/polyvoke/protocol"
)

// exchange is a request on its way through the steps.
type exchange struct {
	*Gateway
	w    http.ResponseWriter
	r    *http.Request
	path string // escaped
	seen Exchange

	route *route               // what find has found
	asked protocol.HTTPRequest // what the function is told
	call  protocol.Request

	identity access.Identity // of the client
	shared   bool            // somebody may look at it after the answer
	over     bool            // nobody looks at it any more
}

// exchanges are used again, if a call has gone well: one has more than a kilobyte.
var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// ServeHTTP implements http.Handler: it takes a request along its way, one file a step. An answer that is cut short
// ends with the panic of http.ErrAbortHandler, as http.Handler has it.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := g.begin(w, r)
	defer x.end()
	err := x.find() // route.go: the function, by the path
	if err == nil {
		err = x.answer()
	}
	if err != nil {
		x.fail(err) // problem.go: what has gone wrong, as an answer
	}
}

// answer answers a request whose route is known.
func (x *exchange) answer() error {
	x.begun()
	if done := x.cors(); done { // cors.go: what a browser asks first
		return nil
	}
	if err := x.admit(); err != nil { // admit.go: who may
		return err
	}
	if x.route.own != nil {
		return x.route.own(x) // job.go: it is no function's
	}
	if err := x.tell(); err != nil { // request.go: what the function is told
		return err
	}
	switch {
	case x.route.socket != nil:
		return x.connect() // socket.go: to be called for each message
	case x.route.http.Stream:
		return x.stream() // stream.go: both bodies as they come
	}
	if err := x.read(); err != nil { // request.go: the body
		return err
	}
	reply, err := x.Caller.Call(x.r.Context(), &x.call)
	if err := protocol.Failure(reply, err); err != nil {
		return x.failed(reply, err)
	}
	err = x.write(reply) // write.go: the reply, as an answer
	x.over = err == nil && !x.shared
	return err
}

// begin makes an exchange of a request.
func (g *Gateway) begin(w http.ResponseWriter, r *http.Request) *exchange {
	x := exchanges.Get().(*exchange)
	x.Gateway, x.w, x.r, x.path = g, w, r, r.URL.EscapedPath()
	client, proxy := g.Peer(r)
	x.asked.Client, x.asked.Proxy = client, proxy
	x.call.ID = protocol.NewID()
	x.seen = Exchange{ID: x.call.ID, Method: method(r.Method), Path: x.path, Client: client}
	if len(g.Observers) > 0 {
		x.seen.Received, x.seen.Agent, x.seen.Header = time.Now(), r.UserAgent(), r.Header
	}
	h := w.Header()
	h["Fn-Id"] = []string{x.call.ID}
	h["X-Content-Type-Options"] = nosniff
	return x
}

// nosniff is a value of X-Content-Type-Options.
var nosniff = []string{"nosniff"}

// begun tells the observers of a request whose route is known.
func (x *exchange) begun() {
	x.seen.Route, x.seen.Function = x.route.shown, x.call.Function
	for _, o := range x.Observers {
		o.Begin(&x.seen)
	}
	if !x.seen.Trace.IsZero() {
		x.w.Header()["Traceparent"] = []string{x.seen.Trace.String()}
	}
}

// end ends an exchange.
func (x *exchange) end() {
	if len(x.Observers) > 0 {
		x.ended()
	}
	if x.over {
		*x = exchange{}
		exchanges.Put(x)
	}
}

// ended tells the observers of an answer. Those of a request without a route have not heard of it yet.
func (x *exchange) ended() {
	x.seen.Took = time.Since(x.seen.Received)
	for _, o := range x.Observers {
		if x.route == nil {
			o.Begin(&x.seen)
		}
		o.End(&x.seen)
	}
}

// methods are those that HTTP has (RFC 9110, and RFC 5789 for PATCH).
var methods = []string{"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"}

// method returns a method, or OTHER for one that HTTP does not have: clients can send any.
func method(s string) string {
	if slices.Contains(methods, s) {
		return s
	}
	return "OTHER"
}

// peer is the default of Config.Peer.
func peer(r *http.Request) (address string, proxy bool) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return protocol.CleanValue(r.RemoteAddr, 128), false
	}
	if v4, ok := strings.CutPrefix(host, "::ffff:"); ok && strings.IndexByte(v4, '.') > 0 {
		host = v4
	}
	return host, false
}
