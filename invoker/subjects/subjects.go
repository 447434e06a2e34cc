// Package subjects knows what a function is called by, and what else happens to messages there.
//
// In goes a function; out come the subjects that an invoker subscribes to, and what its author should
// know about them: streams and other functions that take the same messages, and servers that have not
// heard of it yet.
package subjects

import (
	"context"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

// Subject is what an invoker subscribes to.
type Subject struct {
	Name  string // wildcards allowed
	Queue string // queue group; empty for none: every invoker gets every message
}

// Of returns what a function is called by: by its name, by each version and alias, and by the triggers of its
// main version.
func Of(e registry.Entry) []Subject {
	const call = protocol.RootCall + "."
	all := []Subject{{call + e.Name, protocol.QueueGroup}, {call + e.Name + ".>", protocol.QueueGroup}}
	for i := range e.Versions {
		ref := e.Versions[i].Ref().String()
		all = append(all, Subject{call + ref, protocol.QueueGroup}, Subject{call + ref + ".>", protocol.QueueGroup})
	}
	for alias := range e.Aliases {
		ref := protocol.Ref{Name: e.Name, Version: alias}.String()
		all = append(all, Subject{call + ref, protocol.QueueGroup}, Subject{call + ref + ".>", protocol.QueueGroup})
	}
	for _, t := range e.Main().SubjectTriggers() {
		all = append(all, Subject{t.Subject, t.QueueOf(e.Name)})
	}
	return all
}

// Captured says which streams store the messages of a subject. Such a stream answers a
// request with its acknowledgement, which can overtake the function's reply.
func Captured(ctx context.Context, js jetstream.JetStream, s Subject) []string {
	if strings.Contains(s.Name, "@") {
		return nil // whatever captures it captures fn.NAME or is beyond guessing
	}
	var out []string
	names := js.StreamNames(ctx, jetstream.WithStreamListSubject(s.Name))
	for name := range names.Name() {
		out = append(out, fmt.Sprintf("stream %s captures %s too: "+
			"a caller can get the stream's acknowledgement in place of the reply", name, s.Name))
	}
	return out
}

// Overlaps says which routes of f can have a message that a route of g has too.
func Overlaps(f, g *protocol.Function) []string {
	var out []string
	for _, a := range f.SubjectTriggers() {
		for _, b := range g.SubjectTriggers() {
			if !protocol.Overlap(a.Subject, b.Subject) {
				continue
			}
			if a.QueueOf(f.Name) == b.QueueOf(g.Name) {
				out = append(out, fmt.Sprintf("%s of %s overlaps %s of %s in queue group %s: a message of both runs one of them",
					a.Subject, f.Name, b.Subject, g.Name, a.Queue))
			} else {
				out = append(out, fmt.Sprintf("%s of %s overlaps %s of %s: a message of both runs each once",
					a.Subject, f.Name, b.Subject, g.Name))
			}
		}
	}
	return out
}
