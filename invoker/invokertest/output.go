package invokertest

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
)

// maxKept is about how many bytes of a log are kept: the last ones.
const maxKept = 4 << 20

// output keeps what is logged, and shows it in a test's output until the test ends: nothing may be written there
// afterwards. Its methods may be called from several goroutines.
type output struct {
	mu   sync.Mutex
	kept bytes.Buffer
	show io.Writer // nil: nothing is shown
}

// newOutput returns the output of a test. A fuzz test shows nothing, since its workers may not log, and neither does a
// benchmark, whose output has the figures.
func newOutput(t testing.TB) *output {
	switch t.(type) {
	case *testing.F, *testing.B:
		return &output{}
	}
	return &output{show: t.Output()}
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.show != nil {
		if n, err := o.show.Write(p); err != nil {
			return n, err
		}
	}
	if o.kept.Len() > maxKept {
		o.kept.Next(o.kept.Len() / 2)
	}
	return o.kept.Write(p)
}

// printf writes a text.
func (o *output) printf(format string, a ...any) { fmt.Fprintf(o, format, a...) }

// close ends what is shown. More can still be kept.
func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.show = nil
}

// String returns what is kept.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.kept.String()
}

// logTo returns a logger that writes to all of these.
func logTo(w ...io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(io.MultiWriter(w...), nil))
}
