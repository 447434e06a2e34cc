package preview1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/deadline"
)

// input is stdin.
type input struct {
	state  *State
	r      io.Reader // nil is empty
	pump   *pump     // reads r, if r may block
	direct bool      // r is in memory and cannot block
	ended  bool      // the end of r has been seen
}

// begin sets the Reader of a run.
func (i *input) begin(s *State, r io.Reader) {
	*i = input{state: s, r: r}
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
	*i = input{}
}

// read reads into b; 0 bytes are the end. An error other than io.EOF ends the process.
func (i *input) read(b []byte) int {
	if i.r == nil || i.ended {
		return 0
	}
	for range 100 {
		n, err := i.once(b)
		switch {
		case errors.Is(err, io.EOF):
			i.ended = true
			return n
		case err != nil:
			i.state.Stop(err)
		case n > 0:
			return n
		}
	}
	i.state.Stop(io.ErrNoProgress)
	return 0
}

// poll is read for who does not want to wait: ok says whether there was something to read, the end included.
func (i *input) poll(b []byte) (n int, ok bool) {
	if i.r != nil && !i.ready() && !i.start().poll() {
		return 0, false
	}
	return i.read(b), true
}

// once reads once, and gives up when the context ends.
func (i *input) once(b []byte) (int, error) {
	if i.direct {
		return i.r.Read(b)
	}
	p := i.start()
	if !p.full {
		i.state.await(p.request(len(b)), true)
		p.receive()
	}
	return p.take(b)
}

// start returns the pump.
func (i *input) start() *pump {
	if i.pump == nil {
		i.pump = startPump(i.r)
		if d := i.state.Draws; d != nil {
			d.Lose("its stdin came in parts, at times of their own")
		}
	}
	return i.pump
}

// ready reports whether a read would return at once.
func (i *input) ready() bool { return i.direct || i.ended || i.pump != nil && i.pump.full }

// available returns how many bytes are known to be there.
func (i *input) available() int {
	if l, ok := i.r.(interface{ Len() int }); ok && i.direct {
		return l.Len()
	}
	if i.pump != nil {
		return len(i.pump.have)
	}
	return 0
}

// await waits until a read would return at once or, if timed, for d. It reports whether d has passed.
func (i *input) await(timed bool, d time.Duration) bool {
	p := i.start()
	done := p.request(pumpSize)
	if !timed {
		i.state.await(done, true)
		p.receive()
		return false
	}
	i.state.nap(d)
	passed, stop := deadline.After(d)
	defer stop()
	either, leave := first(done, passed)
	defer leave() // also if Wait panics
	i.state.await(either, false)
	return !p.receive()
}

// first returns a channel that is closed when one of two is, and a function that stops looking for that and returns
// when nobody does any more.
func first(a, b <-chan struct{}) (either <-chan struct{}, leave func()) {
	c, stop, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-a:
		case <-b:
		case <-stop:
			return
		}
		close(c)
	}()
	return c, func() { close(stop); <-ended }
}

// pump reads from a Reader that may block, in a goroutine of its own, so that the Reader can be
// given up. It uses a buffer of its own, because it may go on reading when the guest's memory
// has long become that of another process.
type pump struct {
	ask  chan asked    // closed at the end
	got  chan pumped   // what the Reader said; holds one, so that a pump that was given up can end
	busy bool          // an answer is due
	done chan struct{} // closed when it is there
	buf  []byte
	full bool   // there is an answer: have, then err
	have []byte // in buf
	err  error
}

// asked is how many bytes are wanted, and whom to tell when there is an answer.
type asked struct {
	n    int
	done chan struct{}
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
	p := &pump{ask: make(chan asked, 1), got: make(chan pumped, 1), buf: make([]byte, pumpSize)}
	go p.run(r)
	return p
}

// run reads when it is asked to. A Reader can end the goroutine, so got is closed by a defer.
func (p *pump) run(r io.Reader) {
	defer close(p.got)
	for a := range p.ask {
		p.once(r, p.buf[:a.n], a.done)
	}
}

// once reads once and answers, also if Read panics or ends the goroutine.
func (p *pump) once(r io.Reader, b []byte, done chan struct{}) {
	result := pumped{err: errors.New("the Reader ended its goroutine")}
	defer func() {
		if e := recover(); e != nil {
			result = pumped{err: fmt.Errorf("the Reader panicked: %v", e)}
		}
		p.got <- result
		close(done)
	}()
	result.n, result.err = r.Read(b)
}

// request asks for up to n bytes, unless that has been done. The channel that it returns is closed when there is an
// answer.
func (p *pump) request(n int) <-chan struct{} {
	if !p.busy {
		p.done = make(chan struct{})
		p.ask <- asked{min(n, len(p.buf)), p.done}
		p.busy = true
	}
	return p.done
}

// receive takes the answer if it is there, and reports whether it is.
func (p *pump) receive() bool {
	select {
	case g := <-p.got:
		p.busy, p.full, p.have, p.err = false, true, p.buf[:g.n], g.err
		return true
	default:
		return false
	}
}

// poll asks for something to read, and reports whether it is there already.
func (p *pump) poll() bool {
	p.request(pumpSize)
	return p.receive()
}

// take moves what there is of the answer to b. The error comes with the last byte.
func (p *pump) take(b []byte) (int, error) {
	n := copy(b, p.have)
	p.have = p.have[n:]
	if len(p.have) > 0 {
		return n, nil
	}
	err := p.err
	p.full, p.err = false, nil
	return n, err
}

// stop ends the goroutine and waits for it, unless it is stuck in the Reader.
func (p *pump) stop() {
	close(p.ask)
	if !p.busy {
		<-p.got
	}
}
