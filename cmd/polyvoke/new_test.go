package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestAskFor(t *testing.T) {
	for _, test := range []struct {
		args []string
		said string
		want string // what is chosen, or the error
		out  string
	}{
		{nil, "go\nhello\n", "go hello", "Language (go, c, "},
		{nil, " GO \n hello", "GO hello", "Name of the function: "},
		{[]string{"c"}, "hello\n", "c hello", "Name of the function: "},
		{nil, "cobol\nrust\nso not\nshout\n", "rust shout", `unknown language "cobol": `},
		{nil, "cobol\ncobol\ncobol\ngo\nhello\n", `unknown language "cobol": `, ""},
		{nil, "", "nothing was chosen: type polyvoke new LANG NAME", ""},
		{nil, "go\n", "nothing was chosen", ""},
		{nil, "\n\n\n", `unknown language ""`, ""},
	} {
		var out bytes.Buffer
		got, err := askFor(strings.NewReader(test.said), &out, test.args)
		text := strings.Join(got, " ")
		if err != nil {
			text = err.Error()
		}
		if !strings.HasPrefix(text, test.want) || !strings.Contains(out.String(), test.out) {
			t.Errorf("%q, %q: got %q, want %q; it said\n%s", test.args, test.said, text, test.want, &out)
		}
	}
	if all := names(); !slices.Contains(all, "rust") {
		t.Errorf("the languages are %q", all)
	}
}
