package gateway

import (
	"github.com/polyvoke/polyvoke/protocol"
)

// stream answers a request whose bodies go on as they are written.
func (x *exchange) stream() error {
	return protocol.Errorf(protocol.CodeUnknownNeed, "", "this gateway has no streams")
}
