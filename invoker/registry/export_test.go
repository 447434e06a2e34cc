package registry

import (
	"context"
	"time"
)

// What tests need to look inside, or to die in the middle of something.
var (
	Claim   = (*JetStream).claim
	Release = (*JetStream).release
	Sweep   = (*JetStream).sweep
)

// EncodeEntry returns the record of an entry that no alias names a version of.
func EncodeEntry(e Entry, max int) ([]byte, Entry, error) { return encodeEntry(e, max, named{}) }

// DecodeEntry reads a record as an invoker does that knows the words of the protocol alone.
func DecodeEntry(name string, record []byte) (Entry, error) {
	return decodeEntry(name, record, Config{}.knows)
}

// LookBetween looks at the bucket of modules n times, as a watch does that knows a function, and whose turn to ask for
// each module is not before an hour.
func LookBetween(ctx context.Context, r *JetStream, e Entry, n int) {
	w := &watch{r: r, known: map[string]moment{e.Name: {entry: e}}, missing: map[string]bool{}}
	k := stocktaking{w: w, next: time.Now().Add(time.Hour), all: time.Now().Add(time.Hour)}
	for range n {
		k.look(ctx)
	}
}
