package subjects

import (
	"fmt"

	"github.com/polyvoke/polyvoke/protocol"
)

// way is a subject that a function publishes on, or takes messages of.
type way struct {
	by      string // what says so, for people
	subject string // as it stands in the manifest, or in the stream
	pattern string // the subjects that it can be
}

// out returns where a function publishes what becomes of a message.
func out(f *protocol.Function) (all []way) {
	for _, t := range f.Triggers {
		if t.To != "" {
			all = append(all, way{t.String() + " passes on", t.To, t.DestinationPattern()})
		}
	}
	if f.Job != nil && f.Job.OnFailure != "" {
		all = append(all, way{"job.on_failure passes dead letters", f.Job.OnFailure, f.Job.OnFailure})
	}
	return all
}

// in returns what calls a function: the subjects of its triggers, and those that its streams take. Buckets are not
// among them: nothing can be passed on to where their messages are.
func in(f *protocol.Function, streams func(name string) []string) (all []way) {
	for _, t := range f.Triggers {
		switch {
		case t.Source() == protocol.SourceSubject:
			all = append(all, way{t.Subject, t.Subject, t.Subject})
		case t.Source() == protocol.SourceStream && t.Filter != "":
			all = append(all, way{t.String(), t.Filter, t.Filter})
		case t.Source() == protocol.SourceStream && streams != nil:
			for _, subject := range streams(t.Stream) {
				all = append(all, way{t.String(), subject, subject})
			}
		}
	}
	return all
}

// Loops says by which ways a function calls itself: what it passes on, or what it publishes if it fails, calls it
// again. streams returns the subjects that a stream takes; it may be nil, or return nothing.
func Loops(f *protocol.Function, streams func(name string) []string) []string {
	var all []string
	for _, a := range out(f) {
		for _, b := range in(f, streams) {
			if protocol.Overlap(a.pattern, b.pattern) {
				all = append(all, fmt.Sprintf("%s to %s, which calls %s again by %s", a.by, a.subject, f.Name, b.by))
			}
		}
	}
	return all
}

// LoopsOver says by which ways a function calls itself by way of another: that takes what f passes on, and what that
// passes on calls f.
func LoopsOver(f, other *protocol.Function, streams func(name string) []string) []string {
	var all []string
	for _, there := range ways(f, other, streams) {
		for _, back := range ways(other, f, streams) {
			all = append(all, fmt.Sprintf("%s; %s: a loop, which ends after %d hops", there, back, protocol.MaxHops))
		}
	}
	return all
}

// ways says how what f passes on calls g.
func ways(f, g *protocol.Function, streams func(name string) []string) []string {
	var all []string
	for _, a := range out(f) {
		for _, b := range in(g, streams) {
			if protocol.Overlap(a.pattern, b.pattern) {
				all = append(all, fmt.Sprintf("%s: %s to %s, which calls %s", f.Name, a.by, a.subject, g.Name))
			}
		}
	}
	return all
}

// Out returns the patterns of the subjects that a function publishes on.
func Out(f *protocol.Function) []string {
	var all []string
	for _, w := range out(f) {
		all = append(all, w.pattern)
	}
	return all
}
