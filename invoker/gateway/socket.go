package gateway

import (
	"net/http"
	"net/url"

	"github.com/polyvoke/polyvoke/protocol"
)

// connect hands a connection over to the WebSockets.
func (x *exchange) connect() error {
	if x.Sockets == nil {
		return &protocol.Error{Code: http.StatusNotImplemented, Msg: "this gateway serves no WebSockets"}
	}
	for _, p := range x.asked.Params {
		if value, err := url.PathUnescape(p.Value); err == nil {
			x.r.SetPathValue(p.Name, value)
		}
	}
	x.seen.Status = http.StatusSwitchingProtocols
	return x.Sockets.Serve(x.w, x.r, x.call.Function, x.route.socket, x.call.Header)
}
