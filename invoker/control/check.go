package control

import (
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/subjects"
	"github.com/polyvoke/polyvoke/protocol"
)

// Check returns why a version cannot be deployed, whatever else there is on a NATS server that takes lines of a length.
// The manifest must have passed its own checks. The error's code is 422. A deployment begins with it, and who has no
// invoker at hand can ask for the same.
func Check(f *protocol.Function, line int) error {
	if err := subjects.Fit(registry.Entry{Name: f.Name, Versions: []protocol.Function{*f}}, line); err != nil {
		return err
	}
	return looping(f, nil)
}

// looping returns an error, with code 422, if a function feeds itself and does not say that it may. streams returns the
// subjects that a stream takes; it may be nil.
func looping(f *protocol.Function, streams func(string) []string) error {
	if loops := subjects.Loops(f, streams); len(loops) > 0 && !f.AllowLoop {
		return protocol.Errorf(protocol.CodeRefused, "deploy "+f.Name,
			"manifest: %s: change one of them, or set allow_loop = true, and a message goes round %d times at most",
			loops[0], protocol.MaxHops)
	}
	return nil
}

// CheckSize returns an error, with code 422, if a module or a script has more bytes than a service takes.
func CheckSize(name string, size, most int64) error {
	if size <= most {
		return nil
	}
	return protocol.Errorf(protocol.CodeRefused, "deploy "+name,
		"the module has %d bytes, and this service takes %d (%s) at most: "+
			"make it smaller (strip its symbols), or start the service with --max-module %dMiB",
		size, most, protocol.Size(most), (size+1<<20-1)>>20)
}
