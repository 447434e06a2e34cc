package streams

import (
	"errors"
	"io"
	"sync/atomic"

	"github.com/polyvoke/polyvoke/protocol"
)

// Inlet is a Reader that passes on at most so many bytes of another. With the first one more it fails. If the other one
// fails, that is the caller's fault: without a code of its own the error has the code 400. Size may be called from any
// goroutine.
type Inlet struct {
	r    io.Reader
	most int64
	over error
	size atomic.Int64
}

// NewInlet returns an Inlet that passes on at most so many bytes, and fails with an error if there are more.
func NewInlet(r io.Reader, most int64, over error) *Inlet {
	return &Inlet{r: r, most: most, over: over}
}

// Read implements io.Reader.
func (i *Inlet) Read(b []byte) (int, error) {
	left := i.most - i.size.Load()
	if int64(len(b)) > left+1 {
		b = b[:left+1]
	}
	n, err := i.r.Read(b)
	if n < 0 || n > len(b) {
		return 0, io.ErrNoProgress
	}
	if int64(n) > left {
		i.size.Store(i.most)
		return int(left), i.over
	}
	i.size.Add(int64(n))
	var known *protocol.Error
	if err != nil && !errors.Is(err, io.EOF) && !errors.As(err, &known) {
		err = protocol.Errorf(protocol.CodeBadRequest, "", "the request's body could not be read to its end: %w", err)
	}
	return n, err
}

// Size returns how many bytes have passed.
func (i *Inlet) Size() int64 { return i.size.Load() }
