package access

import (
	"github.com/polyvoke/polyvoke/protocol"
)

// How a client is known.
const (
	KindNone     = "none"
	KindKey      = "key"
	KindToken    = "jwt"
	KindFunction = "function"
)

// Identity is who a client is. The zero value and KindNone are nobody in particular.
type Identity struct {
	Kind   string  // one of the Kind constants
	Name   string  // the key's id, the token's subject, or what the authorizer calls the client; may be empty
	Claims []Claim // what the token or the authorizer says of the client, in the order of their names

	// Credential is the name of the header that the client was known by. It holds a secret, so that a gateway leaves it
	// out of what a function gets, unless the route asks for it by name. It is empty for a function that was asked.
	Credential string

	principal string        // what String returns
	rate      protocol.Rate // of the identity itself, on all routes
}

// Claim is one thing that is said of a client.
type Claim struct{ Name, Value string }

// String returns the identity in one line, as the header Fn-Auth has it: "key:ID", "jwt:SUBJECT", "function:NAME:WHO",
// and nothing for nobody in particular.
func (i *Identity) String() string { return i.principal }

// Put sets the headers of a request that say who its client is, and removes all that say so already.
func (i *Identity) Put(h protocol.Header) {
	for name := range h {
		if equalFold(name, protocol.HeaderPrincipal) ||
			len(name) >= len(protocol.HeaderClaim) && equalFold(name[:len(protocol.HeaderClaim)], protocol.HeaderClaim) {
			delete(h, name)
		}
	}
	if i.principal != "" {
		h[protocol.HeaderPrincipal] = []string{i.principal}
	}
	for _, c := range i.Claims {
		h[protocol.HeaderClaim+c.Name] = []string{c.Value}
	}
}
