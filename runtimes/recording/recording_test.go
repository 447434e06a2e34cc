package recording

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// journal notes the order in which two writers are written to.
type journal struct {
	*bytes.Buffer
	name string
}

// Write implements io.Writer.
func (j journal) Write(b []byte) (int, error) { return j.WriteString(j.name + "(" + string(b) + ")") }

// broken is a writer that takes less than it is given.
type broken struct{ err error }

// Write implements io.Writer.
func (b broken) Write(p []byte) (int, error) { return len(p) / 2, b.err }

func TestRecord(t *testing.T) {
	r := Record{Room: 4}
	b := []byte("a")
	for _, w := range []io.Writer{r.Stdout(), r.Stdout(), r.Stderr(), r.Stdout()} {
		if n, err := w.Write(b); n != 1 || err != nil {
			t.Fatalf("%d and the error %v", n, err)
		}
		b[0]++ // what was written stays what it was
	}
	for range 2 {
		var all bytes.Buffer
		if err := r.Repeat(journal{&all, "out"}, journal{&all, "err"}); err != nil || all.String() != "out(ab)err(c)out(d)" {
			t.Errorf("it repeats %q, and the error is %v", all.String(), err)
		}
	}
	var out bytes.Buffer
	if err := r.Repeat(&out, nil); err != nil || out.String() != "abd" {
		t.Errorf("without stderr it repeats %q, and the error is %v", out.String(), err)
	}
	for _, want := range []error{io.ErrShortWrite, io.ErrClosedPipe} {
		w := broken{}
		if want == io.ErrClosedPipe {
			w.err = want
		}
		if err := r.Repeat(w, nil); err != want {
			t.Errorf("the error is %v, want %v", err, want)
		}
	}
}

func TestTooMuch(t *testing.T) {
	const room = 40_000
	r := Record{Room: room, TooMuch: io.ErrNoProgress}
	if _, err := io.Copy(r.Stderr(), strings.NewReader(strings.Repeat("x", room))); err != nil {
		t.Errorf("as much as may be: %v", err)
	}
	if _, err := r.Stdout().Write([]byte("x")); err != io.ErrNoProgress {
		t.Errorf("a byte more: %v", err)
	}
}
