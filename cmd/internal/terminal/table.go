package terminal

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Table prints rows below a head, in columns as wide as they must be. Columns whose head
// begins with a blank are aligned to the right. No row has more cells than the head. A cell is one line on a terminal.
func Table(w io.Writer, p Paint, head []string, rows [][]string) {
	for _, row := range rows {
		for i := range row {
			row[i] = cell(w, row[i])
		}
	}
	width := make([]int, len(head))
	for _, row := range append([][]string{head}, rows...) {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(strings.TrimSpace(cell)))
		}
	}
	line := func(row []string) string {
		var b strings.Builder
		for i, cell := range row {
			cell = strings.TrimSpace(cell)
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if strings.HasPrefix(head[i], " ") {
				b.WriteString(pad + cell + "  ")
			} else {
				b.WriteString(cell + pad + "  ")
			}
		}
		return strings.TrimRight(b.String(), " ")
	}
	fmt.Fprintln(w, p.Bold(line(head)))
	for _, row := range rows {
		fmt.Fprintln(w, line(row))
	}
}

// Facts prints a title and named values below it. Empty ones are left out. A value is one line on a terminal.
func Facts(w io.Writer, p Paint, title string, facts [][2]string) {
	fmt.Fprintln(w, p.Bold(cell(w, title)))
	for _, f := range facts {
		if f[1] != "" {
			fmt.Fprintf(w, "  %-12s %s\n", f[0], cell(w, f[1]))
		}
	}
}

// Line prints one line. On a terminal a stranger's text in it cannot make it two, nor act.
func Line(w io.Writer, s string) { fmt.Fprintln(w, cell(w, s)) }
