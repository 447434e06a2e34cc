package gateway

import (
	"net/http"
	"slices"
	"strings"

	"github.com/polyvoke/polyvoke/invoker/gateway/access"
	"github.com/polyvoke/polyvoke/protocol"
)

// admit decides whether the client may use the route, before anything of the body is read.
func (x *exchange) admit() (err error) {
	auth := x.auth()
	if x.Guard == nil {
		if (auth == "" || auth == protocol.AuthNone) && x.route.rate.Count == 0 {
			return x.checkOrigin()
		}
		return &protocol.Error{Code: http.StatusNotImplemented,
			Msg: "this route is not for everybody, and this gateway cannot tell clients apart"}
	}
	want := access.Want{Auth: auth, Route: x.route.text, Rate: x.route.rate, Function: x.call.Function.Name,
		Client: x.asked.Client}
	if auth != protocol.AuthNone && auth != protocol.AuthKey && auth != protocol.AuthJWT {
		want.Request, x.shared = x.described, true
	}
	if x.identity, err = x.Guard.Admit(x.r.Context(), x.r, want); err != nil {
		return err
	}
	return x.checkOrigin() // origin.go: what pages from elsewhere may do
}

// auth returns who may use the route; empty: the guard's default. A function is called as /fn/NAME and /job/NAME by
// those who may use its own routes: nobody gets around what they say.
func (x *exchange) auth() string {
	if x.route.http.Auth == "" && (x.route.own != nil || strings.HasPrefix(x.route.text, directPath)) {
		x.mu.RLock()
		defer x.mu.RUnlock()
		if f := x.functions[x.call.Function.Name]; f != nil {
			return f.auth
		}
	}
	return x.route.http.Auth
}

// strictest returns the first auth of a function's routes that is not for everybody; "" if there is none.
func strictest(f *protocol.Function) string {
	for _, r := range f.HTTP {
		if r.Auth != "" && r.Auth != protocol.AuthNone {
			return r.Auth
		}
	}
	for _, r := range f.WebSocket {
		if r.Auth != "" && r.Auth != protocol.AuthNone {
			return r.Auth
		}
	}
	return ""
}

// described returns the request as a function would get it, for one that decides about clients.
func (x *exchange) described() (*protocol.Request, error) {
	y := *x
	all := *x.route
	all.only, all.http.Request = nil, ""
	y.route, y.identity = &all, access.Identity{}
	y.call.Header = nil
	err := y.tell()
	return &protocol.Request{Header: y.call.Header}, err
}

// introduce tells the function who the client is. What the client has shown for that is a secret, which the function
// gets only if its route asks for it.
func (x *exchange) introduce(h protocol.Header) {
	if secret := x.identity.Credential; secret != "" && !slices.Contains(x.route.only, secret) {
		h.Delete(secret)
	}
	x.identity.Put(h)
}
