package registry

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/polyvoke/polyvoke/protocol"
)

// NeedsError says that a record needs what this invoker does not know, since a newer one has written it. It is in the
// chain of the *protocol.Error, with code 501, that Find, Put and a Change have for such a function.
type NeedsError struct {
	Needs []string // the unknown words, in order
	Entry Entry    // what could be read of the record; it may have no versions, and must not be served
}

// Error names the words.
func (e *NeedsError) Error() string { return "it needs " + strings.Join(e.Needs, ", ") }

// UnknownNeeds returns the words of a NeedsError that an invoker does not know, and the entry as far as it could be
// read. It returns nil for any other error.
func UnknownNeeds(err error) ([]string, Entry) {
	var e *NeedsError
	if !errors.As(err, &e) {
		return nil, Entry{}
	}
	return e.Needs, e.Entry
}

// knows reports whether a word of needs is known here.
func (c Config) knows(word string) bool {
	return protocol.KnowsNeed(word) || slices.Contains(c.Knows, word)
}

// needsOf returns what a record needs, its versions included. A record of another form has the needs that can be
// found. The error says that they are none.
func needsOf(record []byte) ([]string, error) {
	type needing struct {
		Needs []string `json:"needs"`
	}
	var r struct {
		needing
		Versions []needing `json:"versions"`
	}
	_ = json.Unmarshal(record, &r) // what cannot be read is left out; whoever reads all says why
	all := [][]string{r.Needs}
	for _, v := range r.Versions {
		all = append(all, v.Needs)
	}
	words := protocol.Words(all...)
	return words, protocol.CheckNeeds(words)
}

// checkNeeds returns a *NeedsError if a record of the function name needs what is not known here.
func checkNeeds(name string, record []byte, knows func(word string) bool) error {
	needs, err := needsOf(record)
	if err != nil {
		return err
	}
	unknown := slices.DeleteFunc(needs, knows)
	if len(unknown) == 0 {
		return nil
	}
	e := Entry{Name: name}
	var guess Entry // keys that are unknown are left out: the unknown words stand for them
	if json.Unmarshal(record, &guess) == nil && guess.check(name) == nil {
		e = guess
	}
	return &NeedsError{Needs: unknown, Entry: e}
}

// needed returns what the entry's record needs.
func (e Entry) needed() []string {
	var all [][]string
	for i := range e.Versions {
		all = append(all, e.Versions[i].Needs)
	}
	return protocol.Words(all...)
}

// admitNeeds writes down what the manifest needs. The error's code is 501 if that is not known here.
func admitNeeds(f *protocol.Function, knows func(word string) bool) error {
	f.Needs = f.Needed()
	if unknown := slices.DeleteFunc(slices.Clone(f.Needs), knows); len(unknown) > 0 {
		return protocol.NeedsError("deploy "+f.Name, f.Name, unknown)
	}
	return nil
}
