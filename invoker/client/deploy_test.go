package client

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// FuzzASCII checks that an escaped document means what it did.
func FuzzASCII(f *testing.F) {
	for _, s := range []string{"", "plain", "Grüezi", "\U0001F600", "a\nb\x7f", "\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return // what encoding/json writes is valid
		}
		doc, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		header := ascii(doc)
		for _, b := range []byte(header) {
			if b < ' ' || b > '~' {
				t.Fatalf("%q cannot be a header", header)
			}
		}
		var back string
		if err := json.Unmarshal([]byte(header), &back); err != nil || back != text {
			t.Fatalf("%q became %q: %v", text, back, err)
		}
	})
}
