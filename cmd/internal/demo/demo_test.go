package demo

import (
	"strings"
	"testing"
)

func TestGlimpse(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "(empty)",
		"{\"a\": 1}\n":            `{"a": 1}`,
		"two\nlines":              "two lines",
		"\x89PNG\r\n":             "(6 B)",
		"a\x00b":                  "(3 B)",
		strings.Repeat("ä", 1000): strings.Repeat("ä", 33) + "...",
	} {
		if got := glimpse([]byte(in)); got != want {
			t.Errorf("glimpse(%.20q) = %q, want %q", in, got, want)
		}
	}
}
