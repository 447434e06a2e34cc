// Package visible makes text of strangers safe to look at: what would hide, reorder or end a line becomes a sign.
package visible

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line returns a text in one line of at most most bytes, with all control characters visible.
func Line(s string, most int) string { return clean(s, most, false) }

// Text returns a text of at most most bytes, in which line feeds and tabs are what they are, and all other control
// characters are visible.
func Text(s string, most int) string { return clean(s, most, true) }

// clean does the work of Line and Text. What is left out is said at the end.
func clean(s string, most int, lines bool) string {
	cut := 0
	if len(s) > most {
		at := most
		for at > 0 && !utf8.RuneStart(s[at]) {
			at--
		}
		cut = len(s) - at
		s = s[:at]
	}
	if lines {
		s = strings.ReplaceAll(s, "\r\n", "\n")
	}
	var b strings.Builder
	b.Grow(len(s))
	for i, r := range s {
		switch {
		case lines && (r == '\n' || r == '\t'):
			b.WriteRune(r)
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, "⟨%02x⟩", s[i])
		case r < 0x20:
			b.WriteRune(0x2400 + r) // the control pictures
		case r == 0x7f:
			b.WriteRune(0x2421)
		case hides(r):
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
		default:
			b.WriteRune(r)
		}
	}
	if cut > 0 {
		fmt.Fprintf(&b, "… (%d bytes more)", cut)
	}
	return b.String()
}

// hides reports whether a character is not seen, or changes how others are.
func hides(r rune) bool {
	return unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) || r == 0x2028 || r == 0x2029
}

// Printable reports whether bytes are text that a person can read.
func Printable(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	odd := 0
	for _, r := range string(b) {
		if r < 0x20 && r != '\n' && r != '\t' && r != '\r' && r != 0x1b {
			odd++
		}
	}
	return odd*20 <= len(b)
}
