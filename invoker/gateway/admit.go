package gateway

import (
	"net/http"
	"slices"

	"github.com/polyvoke/polyvoke/invoker/gateway/access"
	"github.com/polyvoke/polyvoke/protocol"
)

// admit decides whether the client may use the route, before anything of the body is read.
func (x *exchange) admit() (err error) {
	auth := x.route.http.Auth
	if x.Guard == nil {
		if (auth == "" || auth == protocol.AuthNone) && x.route.rate.Count == 0 {
			return nil
		}
		return &protocol.Error{Code: http.StatusNotImplemented,
			Msg: "this route is not for everybody, and this gateway cannot tell clients apart"}
	}
	x.identity, err = x.Guard.Admit(x.r.Context(), x.r, access.Want{Auth: auth, Route: x.route.text, Rate: x.route.rate,
		Function: x.call.Function.Name, Client: x.asked.Client, Request: x.described})
	return err
}

// described returns the request as a function would get it, for one that decides about clients.
func (x *exchange) described() *protocol.Request {
	y := *x
	all := *x.route
	all.only, all.http.Request = nil, ""
	y.route, y.identity = &all, access.Identity{}
	y.call.Header = nil
	if err := y.tell(); err != nil {
		return &protocol.Request{}
	}
	return &protocol.Request{Header: y.call.Header}
}

// introduce tells the function who the client is. What the client has shown for that is a secret, which the function
// gets only if its route asks for it.
func (x *exchange) introduce(h protocol.Header) {
	if secret := x.identity.Credential; secret != "" && !slices.Contains(x.route.only, secret) {
		h.Delete(secret)
	}
	x.identity.Put(h)
}
