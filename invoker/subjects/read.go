package subjects

import (
	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// Read makes r the request that a message of a subscription of a function is. triggered tells that it came by a trigger's subject. What
// is wrong with it is an error, and the rest is read all the same. The body is not copied.
func Read(r *protocol.Request, function string, m *nats.Msg) (triggered bool, err error) {
	const call = protocol.RootCall + "."
	h, pattern := protocol.Header(m.Header), m.Sub.Subject
	triggered = len(pattern) <= len(call) || pattern[:len(call)] != call
	if !triggered && len(m.Subject) != len(call)+len(function) {
		*r, err = protocol.ParseRequest(m.Subject, h, m.Data)
		return false, err
	}
	r.Function.Name, r.Subject, r.Body = function, m.Subject, m.Data // of fn.NAME the server has compared the letters
	if triggered {
		r.Args, _ = protocol.Match(pattern, m.Subject)
	}
	return triggered, r.ReadHeader(h)
}
