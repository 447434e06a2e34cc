package gateway

import "github.com/polyvoke/polyvoke/protocol"

// Functions returns the latest versions of the functions that the gateway has been told of, in any order. They must not
// be changed.
func (g *Gateway) Functions() []*protocol.Function {
	g.mu.RLock()
	defer g.mu.RUnlock()
	all := make([]*protocol.Function, 0, len(g.functions))
	for _, f := range g.functions {
		all = append(all, f.manifest)
	}
	return all
}
