package samples_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/polyvoke/polyvoke/samples"
)

// fragments are what mutate puts into requests.
var fragments = strings.Fields(`\u d83d \ude00 " \ { } [ ] , : name "name":"x" 0 1e5 - . true null e+ E /* ` +
	"\xc3 \xa9 \xed\xa0 \xf0\x9f\x98\x80 \x00 \x1f \xef\xbb\xbf \u2028")

// TestLanguagesAgree sends all languages the same requests, made from the good vectors by random but
// repeatable changes, and compares their replies with one another.
func TestLanguagesAgree(t *testing.T) {
	const requests = 200
	b := newSandbox(t)
	var names []string
	var programs []wazero.CompiledModule
	for _, s := range samples.All() {
		if strings.HasPrefix(s.Name, "greet-") {
			names = append(names, s.Name)
			programs = append(programs, b.build(s))
		}
	}
	vectors := readVectors(t, "greet/vectors.json")
	vectors = slices.DeleteFunc(vectors, func(v vector) bool { return v.Exit != 0 })
	r := rand.New(rand.NewPCG(1, 2))
	accepted := 0
	for range requests {
		body := mutate(r, vectors)
		var first outcome
		for i, p := range programs {
			got := b.run(p, nil, body)
			if got.exit != 0 {
				got.stderr = "" // the reason is free
			}
			if i == 0 {
				first = got
			} else if got != first {
				t.Errorf("%q: %s %+v, but %s %+v", body, names[0], first, names[i], got)
			}
		}
		if first.exit == 0 {
			accepted++
		}
	}
	if accepted < requests/20 || accepted > requests/2 {
		t.Errorf("%d of %d requests were good: the changes are too wild or too tame", accepted, requests)
	}
}

// mutate returns the request of one of the vectors with one or two changes.
func mutate(r *rand.Rand, vectors []vector) []byte {
	x := slices.Clone(vectors[r.IntN(len(vectors))].body())
	for range 1 + r.IntN(2) {
		i := r.IntN(len(x) + 1)
		switch r.IntN(4) {
		case 0:
			x = slices.Insert(x, i, []byte(fragments[r.IntN(len(fragments))])...)
		case 1:
			x = slices.Delete(x, i, min(i+1, len(x)))
		case 2:
			x = slices.Replace(x, i, min(i+1, len(x)), byte(r.IntN(256)))
		case 3:
			other := vectors[r.IntN(len(vectors))].body()
			x = slices.Concat(x[:i], other[r.IntN(len(other)+1):])
		}
	}
	return x
}
