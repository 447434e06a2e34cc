package gateway

import (
	"net"
	"net/http"

	"github.com/polyvoke/polyvoke/invoker/gateway/access"
	"github.com/polyvoke/polyvoke/protocol"
)

// checkOrigin refuses what a page from elsewhere has a browser send to a function that is for everybody, if only this
// machine can connect: such a page could otherwise do with its visitors' functions as it likes (CSRF). The rules of
// CORS do not help, since they are about who may read an answer. Where others can connect the page could ask by itself,
// and clients that have shown who they are have done so on purpose. WebSockets have rules of their own.
func (x *exchange) checkOrigin() error {
	if kind := x.identity.Kind; kind != "" && kind != access.KindNone || x.route.socket != nil || x.asked.Proxy ||
		!onLoopback(x.r) || !foreign(x.r) {
		return nil
	}
	if rules := x.route.http.CORS; rules != nil && allowed(rules, x.r.Header.Get("Origin")) {
		return nil
	}
	return protocol.Errorf(protocol.CodeForbidden, "", "a page of another origin may not call this machine's functions: "+
		"name its origin in the cors of the function's route")
}

// onLoopback reports whether a request has come by a connection that only this machine can make.
func onLoopback(r *http.Request) bool {
	at, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && at.IP.IsLoopback()
}

// origins finds out where requests come from, of methods that are not safe.
var origins http.CrossOriginProtection

// foreign reports whether a browser says that a page of another origin has made a request, other than by taking its
// visitor there. net/http lets all requests of safe methods pass; what a function does for GET nobody knows.
func foreign(r *http.Request) bool {
	if origins.Check(r) != nil {
		return true
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return false
	}
	return r.Method != http.MethodGet || r.Header.Get("Sec-Fetch-Mode") != "navigate" ||
		r.Header.Get("Sec-Fetch-Dest") != "document"
}
