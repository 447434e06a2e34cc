package protocol

import (
	"slices"
	"strings"
)

// Bounds of what a manifest, or a stored record, can need.
const (
	MaxNeeds = 32 // words
	MaxNeed  = 32 // bytes of a word
)

// feature is a part of manifests that an invoker must know to serve them. Its word stands in their needs.
type feature struct {
	word string               // as CheckNeeds has it; never used again for something else
	used func(*Function) bool // reports whether a manifest makes use of the feature
}

// features is the table of all features that this package knows. What revision 1 of the protocol has needs no word. A
// key that a later revision adds, and without which a function would be another one, gets a row here.
func features() []feature {
	all := []feature{
		{"job", func(f *Function) bool { return f.Job != nil }},
		{"key", func(f *Function) bool { return f.Job != nil && f.Job.Key != "" }},
		{"events", (*Function).hasEvents},
		{"loop", func(f *Function) bool { return f.AllowLoop }},
		{"http", func(f *Function) bool { return len(f.HTTP) > 0 }},
		{"grant", func(f *Function) bool { return len(f.Grants) > 0 }},
		{"signature", func(f *Function) bool { return f.Signature != nil }},
		{"websocket", func(f *Function) bool { return len(f.WebSocket) > 0 }},
		{"optimize", func(f *Function) bool { return f.Optimization() != OptimizeAll }},
	}
	for _, source := range Sources()[1:] {
		all = append(all, feature{source, func(f *Function) bool { return f.hasSource(source) }})
	}
	return all
}

// hasEvents reports whether the function has a trigger whose messages are CloudEvents.
func (f *Function) hasEvents() bool {
	return slices.ContainsFunc(f.Triggers, func(t Trigger) bool { return t.Events })
}

// hasSource reports whether the function has a trigger of a source.
func (f *Function) hasSource(source string) bool {
	return slices.ContainsFunc(f.Triggers, func(t Trigger) bool { return t.Source() == source })
}

// Needed returns the words of what an invoker must know to serve the function, in order, each once: those of Needs,
// and those that follow from the other keys. It is nil if there are none.
func (f *Function) Needed() []string { return f.needed(features()) }

func (f *Function) needed(known []feature) []string {
	words := slices.Clone(f.Needs)
	for _, k := range known {
		if k.used(f) {
			words = append(words, k.word)
		}
	}
	return Words(words)
}

// Words returns needs in order, each word once, or nil for none. The list stays as it is.
func Words(needs ...[]string) []string {
	all := slices.Concat(needs...)
	slices.Sort(all)
	if all = slices.Compact(all); len(all) == 0 {
		return nil
	}
	return all
}

// KnowsNeed reports whether this package knows a word of needs.
func KnowsNeed(word string) bool {
	return slices.ContainsFunc(features(), func(k feature) bool { return k.word == word })
}

// CheckNeeds returns an error, with code 422, for a list that no needs can be: one with more than MaxNeeds words, or
// with a word that is anything but 1 to MaxNeed lower-case letters, digits and dashes, a letter first.
func CheckNeeds(needs []string) error {
	if len(needs) > MaxNeeds {
		return Errorf(CodeRefused, "", "needs has %d words; at most %d", len(needs), MaxNeeds)
	}
	for _, w := range needs {
		if !needForm(w) {
			return Errorf(CodeRefused, "", "needs: %.40q is no word: use 1 to %d lower-case letters, digits and "+
				"dashes, a letter first", w, MaxNeed)
		}
	}
	return nil
}

// needForm reports whether a word can stand in needs.
func needForm(w string) bool {
	other := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
	return w != "" && len(w) <= MaxNeed && w[0] >= 'a' && w[0] <= 'z' && !strings.ContainsFunc(w, other)
}

// NeedsError returns the error for a function that needs what an invoker does not know, with code 501. The words must
// have passed CheckNeeds.
func NeedsError(op, name string, unknown []string) *Error {
	return Errorf(CodeUnknownNeed, op, "function %s needs %s, which this invoker does not know: update the invoker, "+
		"or ask one that is newer",
		name, strings.Join(unknown, ", "))
}
