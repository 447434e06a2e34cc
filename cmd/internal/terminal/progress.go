package terminal

import (
	"fmt"
	"io"
	"strings"
)

// progressFrom is how many bytes are enough to wait for that progress is worth showing.
const progressFrom = 1 << 20

// progress is a reader that shows how much has been read.
type progress struct {
	r     io.Reader
	w     io.Writer
	what  string
	total int64
	done  int64
	shown int64 // in percent
}

// Progress returns a reader of r that shows on w what is being done and how much of the total,
// in bytes, is done. It returns r itself if w is no terminal or there is little to wait for.
// The reader is for one goroutine.
func Progress(w io.Writer, r io.Reader, what string, total int64) io.Reader {
	if total <= progressFrom || !Is(w) {
		return r
	}
	return &progress{r: r, w: w, what: what, total: total, shown: -1}
}

// Read implements io.Reader.
func (p *progress) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.done += int64(n)
	if percent := p.done * 100 / p.total; percent != p.shown {
		p.shown = percent
		bar := strings.Repeat("#", int(percent/4)) + strings.Repeat(".", 25-int(percent/4))
		Control(p.w, "\r")
		fmt.Fprintf(p.w, "%s [%s] %3d%% of %s", p.what, bar, percent, Bytes(p.total))
		if percent == 100 {
			fmt.Fprintln(p.w)
		}
	}
	return n, err
}
