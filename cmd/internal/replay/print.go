package replay

import (
	"fmt"
	"io"
	"strings"

	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
)

// Summary counts results.
type Summary struct {
	Same    int `json:"same"`
	Differ  int `json:"differ"`
	Skipped int `json:"skipped"` // could not be run again
}

// Count adds a result.
func (s *Summary) Count(r *Result) {
	switch {
	case r.Skipped != "":
		s.Skipped++
	case r.Same:
		s.Same++
	default:
		s.Differ++
	}
}

// Passed reports whether all that were run are the same, and any was.
func (s *Summary) Passed() bool { return s.Differ == 0 && s.Same > 0 }

// String says it for people.
func (s *Summary) String() string {
	text := fmt.Sprintf("%d the same, %d differ", s.Same, s.Differ)
	if s.Skipped > 0 {
		text += fmt.Sprintf(", %d could not be run again", s.Skipped)
	}
	return text
}

// Print prints a result: one line and, unless it is brief and the same, both runs side by side.
func (r *Result) Print(w io.Writer, p terminal.Paint, brief bool) {
	title := fmt.Sprintf("%s (%s): ", r.Job, r.Function)
	switch {
	case r.Skipped != "":
		terminal.Line(w, title+"not run again: "+r.Skipped)
		return
	case r.Same:
		terminal.Line(w, title+"the same"+r.told())
	default:
		terminal.Line(w, title+"differs")
	}
	if brief && r.Same {
		return
	}
	a, b := r.Recorded, r.Replayed
	rows := [][]string{
		{"exit", exitText(a.Exit), exitText(b.Exit)},
		{"outcome", codeText(a), codeText(b)},
		{"fuel", fmt.Sprint(a.Fuel), fmt.Sprint(b.Fuel) + ratioOf(a.Fuel, b.Fuel)},
		{"memory", terminal.Bytes(int64(a.Memory)), terminal.Bytes(int64(b.Memory))},
		{"stdout", terminal.Bytes(a.Stdout), terminal.Bytes(b.Stdout)},
		{"reply", first(string(a.reply)), first(string(b.reply))},
		{"logs", last(a.Logs), last(b.Logs)},
	}
	terminal.Table(w, p, []string{"", "RECORDED", "REPLAYED"}, rows)
	for _, d := range r.Differences {
		terminal.Line(w, "  "+d.Text)
		if d.Line > 0 {
			terminal.Line(w, "  - "+d.Recorded)
			terminal.Line(w, "  + "+d.Replayed)
		}
	}
}

// told says which differences do not count.
func (r *Result) told() string {
	var what []string
	for _, d := range r.Differences {
		what = append(what, d.What)
	}
	if what == nil {
		return ""
	}
	return ", but for " + strings.Join(what, ", ")
}

// ratioOf is ratio for what is not the same.
func ratioOf(a, b uint64) string {
	if a == b {
		return ""
	}
	return ratio(a, b)
}

// maxCell is how much of a text stands in a table, in bytes.
const maxCell = 40

// first returns the first line of a text, shortened.
func first(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return shorten(line)
}

// last returns the last line of a text, shortened.
func last(s string) string {
	s = strings.TrimRight(s, "\n")
	return shorten(s[strings.LastIndexByte(s, '\n')+1:])
}

// shorten cuts a text.
func shorten(s string) string {
	if len(s) > maxCell {
		return strings.ToValidUTF8(s[:maxCell], "") + "..."
	}
	return s
}
