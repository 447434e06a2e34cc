package terminal

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Writer is a terminal to which strangers' text can be written: functions, manifests, records and servers may say
// what they like, but do not move the cursor, change colours or titles, or turn text around. Control characters, what
// changes the direction of text, and bytes that are not UTF-8 become visible escapes, as in Go's string literals;
// newlines and tabs stay. Only what this package adds, such as colours, has an effect.
//
// Any number of goroutines may use it.
type Writer struct {
	w    io.Writer
	mark string // stands for the escape character in our own sequences; nobody else can know it

	mu   sync.Mutex
	raw  bool
	tail []byte // the beginning of a character whose rest is still to come
}

// NewWriter returns a Writer of w if that is a terminal, and otherwise w itself: programs get what is written as it is.
func NewWriter(w io.Writer) io.Writer {
	if !Is(w) {
		return w
	}
	return newWriter(w)
}

func newWriter(w io.Writer) *Writer { return &Writer{w: w, mark: "\x1b" + rand.Text()} }

// Raw has a Writer pass everything as it is from now on. Any other w does so anyway.
func Raw(w io.Writer) {
	if t, ok := w.(*Writer); ok {
		t.mu.Lock()
		t.raw = true
		t.mu.Unlock()
	}
}

// Flush writes what a Writer holds back, since it looks like the beginning of a character. There is nothing to flush
// in any other w.
func Flush(w io.Writer) {
	t, ok := w.(*Writer)
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.tail) > 0 {
		_, _ = t.w.Write(appendVisible(nil, t.tail, keepLines)) // nobody is left to be told
		t.tail = nil
	}
}

// Write implements io.Writer.
func (t *Writer) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := append(t.tail, b...)
	t.tail = nil
	if !t.raw {
		text, t.tail = cutTail(text)
	}
	var out []byte
	for more := true; more; {
		var own []byte
		own, text, more = bytes.Cut(text, []byte(t.mark))
		if t.raw {
			out = append(out, own...)
		} else {
			out = appendVisible(out, own, keepLines)
		}
		if more {
			out = append(out, '\x1b')
		}
	}
	if _, err := t.w.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}

// cutTail returns text without the beginning of a character at its end, and a copy of that.
func cutTail(text []byte) (whole, tail []byte) {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if at := len(text) - n; utf8.RuneStart(text[at]) {
			if !utf8.FullRune(text[at:]) {
				return text[:at], bytes.Clone(text[at:])
			}
			break
		}
	}
	return text, nil
}

// keepLines says that newlines and tabs stay as they are.
const keepLines = true

// appendVisible appends text in which nothing has an effect on a terminal.
func appendVisible(out, text []byte, lines bool) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && n == 1:
			out = fmt.Appendf(out, `\x%02x`, text[0])
		case lines && (r == '\n' || r == '\t') || !acts(r):
			out = append(out, text[:n]...)
		case r < 0x80:
			out = fmt.Appendf(out, `\x%02x`, r)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		text = text[n:]
	}
	return out
}

// acts reports whether a character does something else than to be there: those of C0 and C1, DEL, separators of
// lines, and those that change the direction of text (Bidi_Control of Unicode).
func acts(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// cell returns a stranger's text as one line on w: as it is unless w is a Writer.
func cell(w io.Writer, s string) string {
	t, ok := w.(*Writer)
	if !ok {
		return s
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.raw || strings.Contains(s, t.mark) {
		return s
	}
	return string(appendVisible(nil, []byte(s), !keepLines))
}

// Control writes text in which control characters are ours, and have their effect.
func Control(w io.Writer, s string) {
	if t, ok := w.(*Writer); ok {
		t.mu.Lock()
		defer t.mu.Unlock()
		w = t.w
	}
	_, _ = io.WriteString(w, s)
}
