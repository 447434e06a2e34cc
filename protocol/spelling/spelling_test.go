package spelling_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/polyvoke/polyvoke/protocol/spelling"
)

func ExampleDidYouMean() {
	fmt.Println(spelling.DidYouMean("depoly", "polyvoke ", []string{"deploy", "demo", "dev"}))
	// Output: did you mean polyvoke deploy?
}

func TestNearest(t *testing.T) {
	commands := []string{"new", "build", "dev", "serve", "demo", "deploy", "call", "run", "ls", "info", "rm", "logs",
		"inspect", "runtime", "doctor"}
	for _, test := range []struct {
		word  string
		names []string
		want  []string
	}{
		{"depoly", commands, []string{"deploy"}},
		{"lgos", commands, []string{"logs"}},
		{"pyhton", []string{"go", "python", "micropython"}, []string{"python"}},
		{"DEPLOY", commands, []string{"deploy"}},
		{"micro", []string{"python", "micropython"}, []string{"micropython"}},
		{"hullo", []string{"hello", "hallo", "other"}, []string{"hello", "hallo"}},
		{"q", commands, nil},
		{"xyz", commands, nil},
		{"frobnicate", commands, nil},
		{"", commands, nil},
		{"lgos", nil, nil},
		{"aaaa", []string{"aaab", "aaac", "aaad", "aaae"}, []string{"aaab", "aaac", "aaad"}},
		{"aaaa", []string{"aaab", "aaab"}, []string{"aaab"}},
		{"größe", []string{"grösse", "große"}, []string{"große"}},
		{strings.Repeat("a", 65), []string{strings.Repeat("a", 64)}, nil},
	} {
		if got := spelling.Nearest(test.word, test.names); !slices.Equal(got, test.want) {
			t.Errorf("Nearest(%q) = %q, want %q", test.word, got, test.want)
		}
	}
}

func FuzzNearest(f *testing.F) {
	f.Add("depoly", "deploy")
	f.Add("\xff\xfe", "\xff")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, word, name string) {
		near := spelling.Nearest(word, []string{name, "deploy"})
		for _, n := range near {
			if n != name && n != "deploy" {
				t.Errorf("%q is no name", n)
			}
		}
		exact := utf8.ValidString(name) && strings.ToLower(name) == name
		if n := utf8.RuneCountInString(name); exact && n > 1 && n <= 64 && !slices.Contains(spelling.Nearest(name,
			[]string{name}), name) {
			t.Errorf("%q is not near itself", name)
		}
	})
}
