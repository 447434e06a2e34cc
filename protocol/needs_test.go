package protocol

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestNeeded(t *testing.T) {
	known := []feature{
		{"args", func(f *Function) bool { return len(f.Args) > 0 }},
		{"env", func(f *Function) bool { return len(f.Env) > 0 }},
	}
	for _, test := range []struct {
		f    Function
		want string
	}{
		{Function{}, ""},
		{Function{Env: map[string]string{"A": "1"}}, "env"},
		{Function{Env: map[string]string{"A": "1"}, Args: []string{"x"}}, "args env"},
		{Function{Args: []string{"x"}, Needs: []string{"teleport", "args", "teleport"}}, "args teleport"},
	} {
		before := slices.Clone(test.f.Needs)
		if got := strings.Join(test.f.needed(known), " "); got != test.want {
			t.Errorf("%+v needs %q, want %q", test.f, got, test.want)
		}
		if !slices.Equal(test.f.Needs, before) {
			t.Errorf("the list became %q", test.f.Needs)
		}
	}
	if words := (&Function{}).Needed(); words != nil {
		t.Errorf("a plain function needs %q", words)
	}
	for _, k := range features() {
		if !needForm(k.word) || !KnowsNeed(k.word) {
			t.Errorf("the word %q is none", k.word)
		}
	}
}

func TestCheckNeeds(t *testing.T) {
	long := strings.Repeat("a", MaxNeed)
	for _, good := range [][]string{nil, {"job"}, {"a-1", "z"}, {long}, slices.Repeat([]string{"a"}, MaxNeeds)} {
		if err := CheckNeeds(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range [][]string{{""}, {"Job"}, {"1a"}, {"-a"}, {"a b"}, {"a\n"}, {"a\x00"}, {"é"}, {long + "a"},
		{"job", "ö"}, slices.Repeat([]string{"a"}, MaxNeeds+1)} {
		if err := CheckNeeds(bad); CodeOf(err) != CodeRefused || len(err.Error()) > 300 {
			t.Errorf("%.80q: error %v", bad, err)
		}
	}
}

// A manifest of a newer polyvoke is refused for what it needs, whatever else it has that is unknown here.
func TestParseFunctionNeeds(t *testing.T) {
	for _, test := range []struct {
		manifest string
		code     int
		text     string
	}{
		{`{"name":"greet","needs":["teleport"]}`, CodeUnknownNeed,
			"function greet needs teleport, which this invoker does not know: update the invoker"},
		{`{"name":"greet","needs":["warp","teleport","warp"],"to":"Mars","limits":{"light":1}}`, CodeUnknownNeed,
			"needs teleport, warp, which"},
		{`{"name":"greet","needs":[],"to":"Mars"}`, CodeRefused, `unknown key "to"`},
		{`{"name":"greet","needs":["Teleport"]}`, CodeRefused, `needs: "Teleport" is no word`},
		{`{"name":"greet","needs":"teleport"}`, CodeRefused, "needs must be a list"},
		{`{"name":"a.b","needs":["teleport"]}`, CodeRefused, "name"},
		{`{"name":"greet","needs":["teleport"]`, CodeRefused, "manifest"},
	} {
		_, err := ParseFunction([]byte(test.manifest))
		if CodeOf(err) != test.code || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: error %v (code %d), want code %d with %q", test.manifest, err, CodeOf(err), test.code,
				test.text)
		}
	}
}

// Needs are part of what makes two versions the same, in any order and however often a word is written.
func TestSameNeeds(t *testing.T) {
	a, b := Function{Name: "f", Needs: []string{"x", "y"}}, Function{Name: "f", Needs: []string{"y", "x", "x"}}
	c := Function{Name: "f", Needs: []string{"x"}}
	if !a.Same(&b) || a.Same(&c) {
		t.Errorf("Same: %v, %v", a.Same(&b), a.Same(&c))
	}
	if out, err := json.Marshal(Function{Name: "f"}); err != nil || strings.Contains(string(out), "needs") {
		t.Errorf("a plain function is written as %s, %v", out, err)
	}
}
