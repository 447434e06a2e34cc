package orders

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
)

// Screen shows one Result in place of the one before, on a terminal. It is for one goroutine.
type Screen struct {
	W     io.Writer
	Paint terminal.Paint
	lines int // that are there already
}

// Show shows r.
func (s *Screen) Show(r Result) {
	var b bytes.Buffer
	if s.lines > 0 {
		terminal.Control(s.W, fmt.Sprintf("\x1b[%dA\x1b[J", s.lines)) // ECMA-48, 8.3.22 and 8.3.39: cursor up, erase in page
	}
	Table(&b, s.Paint, r)
	s.lines = bytes.Count(b.Bytes(), []byte{'\n'})
	_, _ = s.W.Write(b.Bytes())
}

// Table prints a Result for people, in lines that fit a terminal of 80 columns.
func Table(w io.Writer, p terminal.Paint, r Result) {
	var rows [][]string
	for _, f := range r.Functions {
		rows = append(rows, []string{f.Function, f.Language, fmt.Sprintf("%.0f", f.PerSecond), fmt.Sprint(f.InFlight),
			brief(f.P50), brief(f.P99), fmt.Sprint(f.Errors)})
	}
	terminal.Table(w, p, []string{"FUNCTION", "LANGUAGE", " CALLS/S", " IN FLIGHT", " P50", " P99", " ERRORS"}, rows)
	for _, f := range r.Functions {
		if f.LastError != "" {
			fmt.Fprintln(w, p.Red(fmt.Sprintf("%s failed last with %.44s", f.Function, f.LastError)))
		}
		if f.Dropped > 0 {
			dropped := terminal.Plural(f.Dropped, "message")
			fmt.Fprintln(w, p.Red(fmt.Sprintf("%s: NATS dropped %s on the way to it", f.Function, dropped)))
		}
	}
	fmt.Fprintf(w, "%s in %.1f s: %s, %d missing, %d twice, %d wrong\n", terminal.Plural(r.Sent, "order"),
		r.Elapsed.Seconds(), terminal.Plural(r.Receipts, "receipt"), r.Lost, r.Twice, r.Wrong)
	fmt.Fprintf(w, "from order to receipt: p50 %s, p99 %s\n", brief(r.P50), brief(r.P99))
}

// brief writes a duration with three digits or so.
func brief(d time.Duration) string {
	for unit := time.Nanosecond; unit < time.Second; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit).String()
		}
	}
	return d.Round(10 * time.Millisecond).String()
}
