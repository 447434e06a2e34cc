package visible_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/polyvoke/polyvoke/cmd/internal/console/visible"
)

func TestVisible(t *testing.T) {
	for _, c := range []struct{ in, line, text string }{
		{"plain", "plain", "plain"},
		{"a\tb\nc", "a␉b␊c", "a\tb\nc"},
		{"a\r\nb", "a␍␊b", "a\nb"},
		{"\x1b[31mred\x7f", "␛[31mred␡", "␛[31mred␡"},
		{"abc\u202edcba\u2066", "abc⟨U+202E⟩dcba⟨U+2066⟩", "abc⟨U+202E⟩dcba⟨U+2066⟩"},
		{"zero\u200bwidth\u2028", "zero⟨U+200B⟩width⟨U+2028⟩", "zero⟨U+200B⟩width⟨U+2028⟩"},
		{"\xff\xfe and \uFFFD", "⟨ff⟩⟨fe⟩ and \uFFFD", "⟨ff⟩⟨fe⟩ and \uFFFD"},
		{"\u0085", "⟨U+0085⟩", "⟨U+0085⟩"},
		{"日本語", "日本語", "日本語"},
	} {
		if got := visible.Line(c.in, 100); got != c.line {
			t.Errorf("Line(%q) = %q, want %q", c.in, got, c.line)
		}
		if got := visible.Text(c.in, 100); got != c.text {
			t.Errorf("Text(%q) = %q, want %q", c.in, got, c.text)
		}
	}
	if got := visible.Line("日本語", 4); got != "日… (6 bytes more)" {
		t.Errorf("cut: %q", got)
	}
	for in, want := range map[string]bool{"text\n": true, "\x00\x01\x02": false, "\xff": false, "": true} {
		if got := visible.Printable([]byte(in)); got != want {
			t.Errorf("Printable(%q) = %v", in, got)
		}
	}
}

// FuzzVisible checks that nothing gets through that hides, and that what comes out is bounded.
func FuzzVisible(f *testing.F) {
	f.Add("a\x1b\u202e\xff", 3)
	f.Add("\r\n\t\x00", 100)
	f.Fuzz(func(t *testing.T, s string, most int) {
		most = max(0, min(most, 1<<16))
		for _, out := range []string{visible.Line(s, most), visible.Text(s, most)} {
			if !utf8.ValidString(out) {
				t.Fatalf("%q is no UTF-8", out)
			}
			if i := strings.IndexFunc(out, func(r rune) bool {
				return r != '\n' && r != '\t' && unicode.In(r, unicode.Cc, unicode.Cf)
			}); i >= 0 {
				t.Fatalf("%q hides something", out)
			}
			if len(out) > 12*most+64 {
				t.Fatalf("%d bytes of %d", len(out), most)
			}
		}
		if strings.ContainsAny(visible.Line(s, most), "\n\t\r") {
			t.Fatal("a line has several")
		}
	})
}
