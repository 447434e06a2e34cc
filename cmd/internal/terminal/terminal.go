// Package terminal shows things to people: colours, tables, progress, and numbers in words.
//
// In goes what there is to tell and where to; out comes text, plain wherever nobody may be
// looking. What is for programs, such as JSON, does not come here.
package terminal

import (
	"io"
	"os"
)

// Is reports whether w is a file that a person looks at, or a Writer of one.
func Is(w io.Writer) bool {
	if _, ok := w.(*Writer); ok {
		return true
	}
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Paint says whether to colour: it is what control sequences begin with. The zero value leaves text as it is.
type Paint string

// escape is what control sequences begin with (ECMA-48, 5.2), where nobody looks at them before.
const escape Paint = "\x1b"

// PaintFor returns the colours for what is written to w. The choice is always, never, or
// anything else to leave it to NO_COLOR, CLICOLOR_FORCE, and whether w is a terminal. Variables
// are read with env, as os.Getenv does.
func PaintFor(w io.Writer, choice string, env func(string) string) Paint {
	paint := escape
	if t, ok := w.(*Writer); ok {
		paint = Paint(t.mark)
	}
	switch {
	case choice == "always":
		return paint
	case choice == "never" || env("NO_COLOR") != "":
		return ""
	case env("CLICOLOR_FORCE") != "" && env("CLICOLOR_FORCE") != "0":
		return paint
	case Is(w) && env("TERM") != "dumb":
		return paint
	}
	return ""
}

// sgr sets a graphic rendition (ECMA-48, 8.3.117) for s.
func (p Paint) sgr(code, s string) string {
	if p == "" || s == "" {
		return s
	}
	return string(p) + "[" + code + "m" + s + string(p) + "[0m"
}

// Red returns s in red, for what is wrong.
func (p Paint) Red(s string) string { return p.sgr("31", s) }

// Bold returns s in bold, for what to look at first.
func (p Paint) Bold(s string) string { return p.sgr("1", s) }

// Dim returns s dimmed, for what to look at last.
func (p Paint) Dim(s string) string { return p.sgr("2", s) }
