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
	d := x.demands()
	if d.mixed {
		return protocol.Errorf(protocol.CodeForbidden, "", "the routes of %s are for different clients: use one of them, "+
			"and not its name", x.call.Function.Name)
	}
	if x.Guard == nil {
		if (d.auth == "" || d.auth == protocol.AuthNone) && d.rate.Count == 0 {
			return x.checkOrigin()
		}
		return &protocol.Error{Code: http.StatusNotImplemented,
			Msg: "this route is not for everybody, and this gateway cannot tell clients apart"}
	}
	want := access.Want{Auth: d.auth, Route: d.route, Rate: d.rate, Function: x.call.Function.Name,
		Client: x.asked.Client}
	if d.auth != protocol.AuthNone && d.auth != protocol.AuthKey && d.auth != protocol.AuthJWT {
		want.Request, x.shared = x.described, true
	}
	if x.identity, err = x.Guard.Admit(x.r.Context(), x.r, want); err != nil {
		return err
	}
	return x.checkOrigin() // origin.go: what pages from elsewhere may do
}

// demands is what a client must be to use a route.
type demands struct {
	auth  string // empty: what the guard's default says
	mixed bool   // there are several, so that nobody can meet all of them
	rate  protocol.Rate
	route string // whose clients share the rate
}

// demands returns what the route demands. A function is called as /fn/NAME and /job/NAME by those who may use its own
// routes, as often as these allow: nobody gets around what they say.
func (x *exchange) demands() demands {
	if x.route.http.Auth == "" && (x.route.own != nil || strings.HasPrefix(x.route.text, directPath)) {
		x.mu.RLock()
		defer x.mu.RUnlock()
		if f := x.functions[x.call.Function.Name]; f != nil {
			return f.demands
		}
	}
	return demands{auth: x.route.http.Auth, rate: x.route.rate, route: x.route.text}
}

// strictest returns what whoever calls a function by its name must be: what its routes demand of those who are not
// everybody, and the lowest of their rates.
func strictest(f *protocol.Function) demands {
	d := demands{route: directPath + f.Name}
	for _, rt := range routesOf(f) {
		if auth := rt.http.Auth; auth != "" && auth != protocol.AuthNone {
			d.mixed = d.mixed || d.auth != "" && d.auth != auth
			d.auth = auth
		}
		if rt.rate.Count > 0 && (d.rate.Count == 0 || rt.rate.Gap() > d.rate.Gap()) {
			d.rate = rt.rate
		}
	}
	return d
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
