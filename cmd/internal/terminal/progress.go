package terminal

import (
	"fmt"
	"io"
	"strings"
	"time"
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

	next time.Time // when the next line is due, where w is no terminal; zero where it is one
}

// Progress returns a reader of r that shows on w what is being done and how much of the total, in bytes, is done: on a
// terminal in a line that grows, elsewhere in a line after two seconds and each ten seconds after that. It returns r
// itself if there is little to wait for. The reader is for one goroutine.
func Progress(w io.Writer, r io.Reader, what string, total int64) io.Reader {
	if total <= progressFrom {
		return r
	}
	p := &progress{r: r, w: w, what: what, total: total, shown: -1}
	if !Is(w) {
		p.next = time.Now().Add(firstLine)
	}
	return p
}

// Read implements io.Reader.
func (p *progress) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.done += int64(n)
	percent := p.done * 100 / p.total
	switch {
	case !p.next.IsZero():
		if now := time.Now(); !now.Before(p.next) && n > 0 {
			p.next = now.Add(nextLine)
			fmt.Fprintf(p.w, "%s ... %d%% of %s\n", p.what, percent, Bytes(p.total))
		}
	case percent != p.shown:
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
