package demo

import (
	"fmt"
	"io"
	"time"

	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
)

// Table prints results for people.
func Table(w io.Writer, p terminal.Paint, results []Result) {
	var rows [][]string
	for _, r := range results {
		rows = append(rows, r.rows()...)
	}
	head := []string{"FUNCTION", "LANGUAGE", " MODULE", "REQUEST", "REPLY", " EXIT",
		fmt.Sprintf(" P50 OF %d CALLS", Timed)}
	terminal.Table(w, p, head, rows)
}

// rows returns a row for each call, and one for a problem.
func (r Result) rows() [][]string {
	var rows [][]string
	for i, d := range r.Calls {
		row := []string{"", "", "", d.Request, d.Reply, fmt.Sprint(d.Exit), ""}
		if i == 0 {
			copy(row, []string{r.Function, r.Language, terminal.Bytes(int64(r.Size))})
			row[6] = r.P50.Round(time.Microsecond).String()
		}
		if !d.Right {
			row[4] += " (WRONG)"
		}
		rows = append(rows, row)
	}
	if r.Problem != "" {
		rows = append(rows, []string{r.Function, r.Language, "", "", r.Problem, "", ""})
	}
	return rows
}
