package show

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/invoker/client"
)

// TopOrders are what functions can be sorted by.
func TopOrders() []string { return []string{"calls", "errors", "p99", "memory", "name"} }

// SortLoads sorts what functions do by one of TopOrders, the most first, and then by name.
func SortLoads(all []client.Load, by string) {
	slices.SortFunc(all, func(a, b client.Load) int {
		return cmp.Or(compareLoads(a, b, by), cmp.Compare(a.Function, b.Function))
	})
}

// compareLoads is negative if a does more than b.
func compareLoads(a, b client.Load, by string) int {
	switch by {
	case "calls":
		return cmp.Or(cmp.Compare(b.Rate, a.Rate), cmp.Compare(b.Requests, a.Requests))
	case "errors":
		return cmp.Or(cmp.Compare(b.Failures, a.Failures), cmp.Compare(b.Errors, a.Errors))
	case "p99":
		return cmp.Compare(b.P99, a.P99)
	case "memory":
		return cmp.Compare(b.Memory, a.Memory)
	}
	return 0
}

// Loads prints a table of what functions do, of so many lines at most; 0 is no limit.
func Loads(w io.Writer, p terminal.Paint, all []client.Load, lines int) {
	var calls, failures float64
	var running, waiting int
	for _, l := range all {
		calls, failures = calls+l.Rate, failures+l.Failures
		running, waiting = running+l.Running, waiting+l.Waiting
	}
	fmt.Fprintf(w, "%s, %s calls/s, %s errors/s, %d running, %d waiting\n", terminal.Plural(len(all), "function"),
		rate(calls), rate(failures), running, waiting)
	left := 0
	if lines > 0 && len(all) > max(1, lines-3) {
		left = len(all) - max(1, lines-3)
		all = all[:len(all)-left]
	}
	var rows [][]string
	for _, l := range all {
		errors := rate(l.Failures)
		if l.Failures > 0 {
			errors += fmt.Sprintf(" (%.0f%%)", 100*min(1, l.Failures/max(l.Rate, l.Failures)))
		}
		rows = append(rows, []string{l.Function, rate(l.Rate), errors, short(l.Mean), short(l.P50), short(l.P99),
			fmt.Sprint(l.Running), fmt.Sprint(l.Waiting), terminal.Bytes(int64(min(l.Memory, 1<<62))), l.Start,
			fmt.Sprint(l.Invokers)})
	}
	terminal.Table(w, p, []string{"FUNCTION", " CALLS/S", " ERRORS/S", " MEAN", " P50", " P99", " RUNNING", " WAITING",
		" MEMORY", "START", " INVOKERS"}, rows)
	if left > 0 {
		fmt.Fprintf(w, "and %d more\n", left)
	}
}

// rate returns a rate as people read it.
func rate(r float64) string {
	switch {
	case r == 0:
		return "0"
	case r < 10:
		return fmt.Sprintf("%.1f", r)
	}
	return fmt.Sprintf("%.0f", r)
}

// short returns a duration with three digits, and "-" for none.
func short(d time.Duration) string {
	if d <= 0 {
		return "-"
	}
	for unit := time.Duration(1); ; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit).String()
		}
	}
}

// Screen shows one text after another in the same place of a terminal. The zero value begins where the cursor is.
type Screen struct {
	Out   io.Writer
	shown int // lines
}

// Show shows a text in place of the one before.
func (s *Screen) Show(text []byte) {
	if s.shown > 0 {
		terminal.Control(s.Out, fmt.Sprintf("\x1b[%dA\r", s.shown)) // cursor up (ECMA-48, 8.3.22)
	}
	terminal.Control(s.Out, "\x1b[J") // erase what is below (8.3.39)
	_, _ = s.Out.Write(text)
	s.shown = bytes.Count(text, []byte("\n"))
}

// Cut cuts each line at a width in characters; 0 is none. It must come before colours.
func Cut(text []byte, width int) []byte {
	if width <= 0 {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		runes := []rune(strings.TrimSuffix(line, "\n"))
		b.WriteString(string(runes[:min(len(runes), width)]) + "\n")
	}
	return []byte(b.String())
}
