package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// isTerminal reports whether w is a file that a person looks at.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// paint returns the colours for what is written to w: --color first, then NO_COLOR,
// CLICOLOR_FORCE, and whether w is a terminal.
func (c *cli) paint(w io.Writer) paint {
	switch {
	case c.color == "always":
		return true
	case c.color == "never" || c.env("NO_COLOR") != "":
		return false
	case c.env("CLICOLOR_FORCE") != "" && c.env("CLICOLOR_FORCE") != "0":
		return true
	}
	return paint(isTerminal(w) && c.env("TERM") != "dumb")
}

// paint says whether to colour.
type paint bool

func (p paint) sgr(code, s string) string {
	if !p || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p paint) red(s string) string  { return p.sgr("31", s) }
func (p paint) bold(s string) string { return p.sgr("1", s) }
func (p paint) dim(s string) string  { return p.sgr("2", s) }

// table prints rows below a head, in columns as wide as they must be. Columns whose head
// begins with a blank are aligned to the right.
func table(w io.Writer, p paint, head []string, rows [][]string) {
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
	fmt.Fprintln(w, p.bold(line(head)))
	for _, row := range rows {
		fmt.Fprintln(w, line(row))
	}
}

// bytesText prints a number of bytes for people.
func bytesText(n int64) string {
	v, unit := float64(n), 0
	for ; v >= 999.5 && unit < 3; unit++ {
		v /= 1000
	}
	if unit == 0 || v >= 9.95 {
		return fmt.Sprintf("%.0f %s", v, []string{"B", "KB", "MB", "GB"}[unit])
	}
	return fmt.Sprintf("%.1f %s", v, []string{"B", "KB", "MB", "GB"}[unit])
}

// progress shows how much of something has been read, on a terminal only.
type progress struct {
	r     io.Reader
	w     io.Writer
	what  string
	total int64
	done  int64
	shown int64 // in percent
}

// progressFrom returns a reader of r that shows its progress on stderr, if somebody looks at it
// and there is enough to wait for.
func (c *cli) progressFrom(r io.Reader, what string, total int64) io.Reader {
	if total <= 1<<20 || !isTerminal(c.stderr) {
		return r
	}
	return &progress{r: r, w: c.stderr, what: what, total: total, shown: -1}
}

// Read implements io.Reader.
func (p *progress) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.done += int64(n)
	if percent := p.done * 100 / p.total; percent != p.shown {
		p.shown = percent
		bar := strings.Repeat("#", int(percent/4)) + strings.Repeat(".", 25-int(percent/4))
		fmt.Fprintf(p.w, "\r%s [%s] %3d%% of %s", p.what, bar, percent, bytesText(p.total))
		if percent == 100 {
			fmt.Fprintln(p.w)
		}
	}
	return n, err
}
