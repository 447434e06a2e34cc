package gateway

import (
	"net/http"

	"github.com/polyvoke/polyvoke/protocol"
)

// connect hands a connection over to the WebSockets.
func (x *exchange) connect() error {
	if x.Sockets == nil {
		return &protocol.Error{Code: http.StatusNotImplemented, Msg: "this gateway serves no WebSockets"}
	}
	x.seen.Status = http.StatusSwitchingProtocols
	x.Sockets.Serve(x.w, x.r, x.call.Function, x.route.socket, x.call.Header)
	return nil
}
