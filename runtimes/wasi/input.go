package wasi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// input is stdin.
type input struct {
	host   *host
	r      io.Reader // nil is empty
	pump   *pump     // reads r, if r may block
	direct bool      // r is in memory and cannot block
	ended  bool      // the end of r has been seen
}

// begin sets the Reader of a run.
func (i *input) begin(r io.Reader) {
	i.r = r
	switch r.(type) {
	case nil, *bytes.Reader, *bytes.Buffer, *strings.Reader:
		i.direct = true
	}
}

// end gives the Reader up.
func (i *input) end() {
	if i.pump != nil {
		i.pump.stop()
	}
	*i = input{host: i.host}
}

// Read implements io.Reader. An error other than io.EOF ends the process.
func (i *input) Read(b []byte) (int, error) {
	i.host.live()
	if i.r == nil || i.ended {
		return 0, io.EOF
	}
	for range 100 {
		n, err := i.read(b)
		switch {
		case errors.Is(err, io.EOF):
			i.ended = true
			return n, io.EOF
		case err != nil:
			i.host.stop(err)
		case n > 0 || len(b) == 0:
			return n, nil
		}
	}
	i.host.stop(io.ErrNoProgress)
	return 0, io.ErrNoProgress
}

// read reads once, and gives up when the context ends.
func (i *input) read(b []byte) (int, error) {
	if i.direct {
		return i.r.Read(b)
	}
	if i.pump == nil {
		i.pump = startPump(i.r)
	}
	return i.pump.read(i.host.ctx.Done(), b, i.host.live)
}

// pump reads from a Reader that may block, in a goroutine of its own, so that the Reader can be
// given up. It uses a buffer of its own, because it may go on reading when the guest's memory
// has long become that of another process.
type pump struct {
	ask  chan int    // how many bytes are wanted; closed at the end
	got  chan pumped // what the Reader said; holds one, so that a pump that was given up can end
	busy bool        // an answer is due
	buf  []byte
}

// pumped is the result of one Read.
type pumped struct {
	n   int
	err error
}

// pumpSize is how much is read at once.
const pumpSize = 1 << 16

// startPump starts the goroutine.
func startPump(r io.Reader) *pump {
	p := &pump{ask: make(chan int, 1), got: make(chan pumped, 1), buf: make([]byte, pumpSize)}
	go p.run(r)
	return p
}

// run reads when it is asked to. A Reader can end the goroutine, so got is closed by a defer.
func (p *pump) run(r io.Reader) {
	defer close(p.got)
	for n := range p.ask {
		p.once(r, p.buf[:n])
	}
}

// once reads once and answers, also if Read panics or ends the goroutine.
func (p *pump) once(r io.Reader, b []byte) {
	result := pumped{err: errors.New("the Reader ended its goroutine")}
	defer func() {
		if e := recover(); e != nil {
			result = pumped{err: fmt.Errorf("the Reader panicked: %v", e)}
		}
		p.got <- result
	}()
	result.n, result.err = r.Read(b)
}

// read reads into b. When done is closed first, it calls giveUp.
func (p *pump) read(done <-chan struct{}, b []byte, giveUp func()) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	p.ask <- min(len(b), len(p.buf))
	p.busy = true
	select {
	case g := <-p.got:
		p.busy = false
		return copy(b, p.buf[:g.n]), g.err
	case <-done:
		giveUp()
		return 0, io.ErrUnexpectedEOF // not reached: the context has ended
	}
}

// stop ends the goroutine and waits for it, unless it is stuck in the Reader.
func (p *pump) stop() {
	close(p.ask)
	if !p.busy {
		<-p.got
	}
}
