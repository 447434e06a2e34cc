package invoker

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestPredecessors(t *testing.T) {
	for _, c := range []struct{ ways, want string }{
		{"", ""},
		{"ab bc", "b:a c:b"},
		{"ab ac bd cd", "b:a c:a d:bc"},
		{"aa ab", "b:a"},           // a loop waits for nobody
		{"ab ba bc", "c:b"},        // nor does a circle
		{"ab bc cb cd", "b:a d:c"}, // but both for what is before them
		{"ab bc ca", ""},           // all of them a circle
		{"ab bc cd da ex xa", "a:x x:e"},
	} {
		next := map[string][]string{}
		for _, w := range strings.Fields(c.ways) {
			next[w[:1]] = append(next[w[:1]], w[1:])
		}
		before := predecessors(strings.Split("abcdex", ""), next)
		var got []string
		for _, f := range slices.Sorted(maps.Keys(before)) {
			if slices.Sort(before[f]); len(before[f]) > 0 {
				got = append(got, f+":"+strings.Join(before[f], ""))
			}
		}
		if strings.Join(got, " ") != c.want || len(before) != 6 {
			t.Errorf("%s: got %s, want %s", c.ways, got, c.want)
		}
	}
}
