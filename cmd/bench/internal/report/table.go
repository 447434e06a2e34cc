package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// table is a table of Markdown with footnotes.
type table struct {
	header []string
	rows   [][]string
	notes  []string
}

// add adds a row.
func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// absent returns the cell for a figure that there is not, with a note that says why. Equal notes are one.
func (t *table) absent(why string) string {
	if why == "" {
		return "-"
	}
	i := slices.Index(t.notes, why)
	if i < 0 {
		i = len(t.notes)
		t.notes = append(t.notes, why)
	}
	return fmt.Sprintf("- [%d]", i+1)
}

// String returns the table, or nothing if it has no rows. The first column is text, the others are figures.
func (t *table) String() string {
	if len(t.rows) == 0 {
		return ""
	}
	var s strings.Builder
	line := func(cells []string) {
		s.WriteString("|")
		for _, c := range cells {
			s.WriteString(" " + strings.ReplaceAll(c, "|", `\|`) + " |")
		}
		s.WriteString("\n")
	}
	line(t.header)
	s.WriteString("|---" + strings.Repeat("|---:", len(t.header)-1) + "|\n")
	for _, r := range t.rows {
		line(r)
	}
	for i, n := range t.notes {
		if i == 0 {
			s.WriteString("\n")
		}
		fmt.Fprintf(&s, "[%d] %s.", i+1, strings.ReplaceAll(n, "\n", " "))
		if i < len(t.notes)-1 {
			s.WriteString("<br>\n")
		}
	}
	return strings.TrimSpace(s.String())
}

// figure writes a number of at least 0 with three digits that count, or two decimals, four below 0.01; "-" if it is
// none.
func figure(x float64) string {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return "-"
	case x < 0.00005:
		return "0"
	case x < 0.01:
		return fmt.Sprintf("%.4f", x)
	case x < 10:
		return fmt.Sprintf("%.2f", x)
	case x < 100:
		return fmt.Sprintf("%.1f", x)
	}
	return thousands(fmt.Sprintf("%.0f", x))
}

// thousands puts a comma before every three digits from the right.
func thousands(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// ratio writes a number that says how many times.
func ratio(x float64) string {
	if math.IsNaN(x) {
		return "-"
	}
	return figure(x) + "x"
}
