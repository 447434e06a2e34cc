package terminal

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWriter(t *testing.T) {
	for in, want := range map[string]string{
		"plain ä 世 🙂\n\tx\n":       "plain ä 世 🙂\n\tx\n",
		"\x1b[31mred\x1b]0;t\x07":  `\x1b[31mred\x1b]0;t\x07`,
		"\x00\r\b\x7f":             `\x00\x0d\x08\x7f`,
		"\u0085\u009b31m":          `\u0085\u009b31m`,
		"\x9b31m\xff":              `\x9b31m\xff`,
		"a\u202eb\u2066c\u200fd":   `a\u202eb\u2066c\u200fd`,
		"a\u2028b":                 `a\u2028b`,
		"\xe4\xb8":                 `\xe4\xb8`,
		"\ufffd, as it is \ufeff.": "\ufffd, as it is \ufeff.",
	} {
		for size := 1; size <= len(in); size++ { // in pieces of any size
			var b bytes.Buffer
			w := newWriter(&b)
			for rest := in; rest != ""; {
				n := min(size, len(rest))
				if got, err := w.Write([]byte(rest[:n])); got != n || err != nil {
					t.Fatalf("wrote %d of %d, %v", got, n, err)
				}
				rest = rest[n:]
			}
			Flush(w)
			if b.String() != want {
				t.Errorf("%q in pieces of %d: got %q, want %q", in, size, b.String(), want)
			}
		}
	}
}

// TestWriterOwn checks that our own sequences have their effect, and strangers' that look like them have none.
func TestWriterOwn(t *testing.T) {
	var b bytes.Buffer
	w := newWriter(&b)
	p := PaintFor(w, "always", func(string) string { return "" })
	Control(w, "\r")
	if _, err := w.Write([]byte(p.Red("no \x1b[1m") + "\x1b[2m")); err != nil {
		t.Fatal(err)
	}
	Facts(w, p, "a\nb", [][2]string{{"k", "v\n\x1b[1m"}})
	Table(w, p, []string{"HEAD", " N"}, [][]string{{"a\nb", "1"}, {"c", "2"}})
	const want = "\r\x1b[31mno \\x1b[1m\x1b[0m\\x1b[2m" + "\x1b[1ma\\x0ab\x1b[0m\n  k            v\\x0a\\x1b[1m\n" +
		"\x1b[1mHEAD    N\x1b[0m\na\\x0ab  1\nc       2\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
	Raw(w)
	b.Reset()
	if _, err := w.Write([]byte(p.Red("\x1b[1m\xff"))); err != nil || b.String() != "\x1b[31m\x1b[1m\xff\x1b[0m" {
		t.Errorf("raw: got %q, %v", b.String(), err)
	}
}

// TestNoWriter checks that programs get what is written as it is.
func TestNoWriter(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	Table(w, "", []string{"HEAD"}, [][]string{{"a\x1b"}})
	Control(w, "\x1b")
	if b.String() != "HEAD\na\x1b\n\x1b" {
		t.Errorf("got %q", b.String())
	}
}

// FuzzWriter checks that nothing reaches a terminal that acts on it, and that text reaches it as it is.
func FuzzWriter(f *testing.F) {
	f.Add([]byte("a\x1b[0m\u202e\xff\n"), 2)
	f.Fuzz(func(t *testing.T, in []byte, at int) {
		at = max(0, min(at, len(in)))
		var b bytes.Buffer
		w := newWriter(&b)
		_, _ = w.Write(in[:at])
		_, _ = w.Write(in[at:])
		Flush(w)
		got := b.String()
		if !utf8.ValidString(got) ||
			strings.ContainsFunc(got, func(r rune) bool { return acts(r) && r != '\n' && r != '\t' }) {
			t.Errorf("%q: got %q", in, got)
		}
		if whole := string(appendVisible(nil, in, keepLines)); got != whole {
			t.Errorf("%q at %d: got %q, in one piece %q", in, at, got, whole)
		}
	})
}
