package gateway

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/polyvoke/polyvoke/invoker/gateway/access"
	"github.com/polyvoke/polyvoke/protocol"
)

// admit decides whether the client may use the route, before anything of the body is read.
func (x *exchange) admit() (err error) {
	auth := x.auth()
	if x.Guard == nil {
		if auth == protocol.AuthNone && x.route.rate.Count == 0 {
			return nil
		}
		return &protocol.Error{Code: http.StatusNotImplemented,
			Msg: "this route is not for everybody, and this gateway cannot tell clients apart"}
	}
	want := access.Want{Auth: auth, Route: x.route.text, Rate: x.route.rate, Function: x.call.Function.Name,
		Client: x.asked.Client}
	if strings.HasPrefix(auth, protocol.AuthFunction) {
		want.Request = x.question
	}
	x.client, err = x.Guard.Admit(x.r.Context(), x.r, want)
	return err
}

// auth returns who may use the route. A function is called as /fn/NAME and /job/NAME by those who may use its own
// routes: nobody gets around what they say.
func (x *exchange) auth() string {
	if x.route.http.Auth == "" && (x.route.own != nil || strings.HasPrefix(x.route.text, directPath)) {
		x.mu.RLock()
		defer x.mu.RUnlock()
		if f := x.functions[x.call.Function.Name]; f != nil {
			return cmp.Or(f.auth, x.Auth)
		}
	}
	return cmp.Or(x.route.http.Auth, x.Auth)
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

// question returns what an authorizer is asked: the request as any function gets it, with all headers.
func (x *exchange) question() (*protocol.Request, error) {
	q := x.asked
	x.describe(&q)
	q.Kind, q.Only = protocol.HTTPFiles, nil
	h, err := q.Headers()
	return &protocol.Request{Header: h}, err
}

// check reports routes of a function that nobody can use here, for want of a setting.
func (g *Gateway) check(f *protocol.Function) {
	report := func(route, auth string) {
		if err := g.Guard.Check(cmp.Or(auth, g.Auth)); err != nil {
			g.Log.Warn("nobody can use a route here", "function", f.Name, "route", route, "err", err)
		}
	}
	for _, r := range f.HTTP {
		report(r.Route, r.Auth)
	}
	for _, r := range f.WebSocket {
		report(r.Route, r.Auth)
	}
}
