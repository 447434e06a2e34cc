package gateway

import (
	"cmp"
	"net/http"

	"github.com/polyvoke/polyvoke/protocol"
)

// admit decides whether the client may use the route, before anything of the body is read.
func (x *exchange) admit() error {
	auth := cmp.Or(x.route.http.Auth, x.Auth)
	if auth == protocol.AuthNone && x.route.rate.Count == 0 {
		return nil
	}
	if x.Guard == nil {
		return &protocol.Error{Code: http.StatusNotImplemented,
			Msg: "this route is not for everybody, and this gateway cannot tell clients apart"}
	}
	principal, err := x.Guard.Admit(x.r.Context(), x.r, Want{Auth: auth, Route: x.route.text, Rate: x.route.rate,
		Function: x.call.Function.Name, Client: x.asked.Client})
	x.principal = principal
	return err
}
