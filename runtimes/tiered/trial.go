package tiered

import (
	"errors"
	"io"
	"sync"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/recording"
)

// room is how much a process of a draft may write, in bytes. One that writes more is started again in the whole.
const room = 1 << 20

// errRoom ends a process of a draft that writes more than is held back.
var errRoom = errors.New("there is no room to hold back what the process writes")

// trial is a run that can be made again as if it had not been.
type trial struct {
	process runtimes.Process // what the draft runs
	tape    tape
	said    recording.Record
}

// newTrial returns a trial of a process.
func newTrial(p *runtimes.Process) *trial {
	t := &trial{process: *p, tape: tape{source: p.Stdin}, said: recording.Record{Room: room, TooMuch: errRoom}}
	if p.Stdin != nil {
		t.process.Stdin = &view{tape: &t.tape}
	}
	t.process.Stdout, t.process.Stderr = t.said.Stdout(), t.said.Stderr()
	return t
}

// inVain reports whether a run that has ended like this must be made again: it may have come to what a draft lacks.
func inVain(err error) bool {
	var trap *runtimes.TrapError
	return errors.As(err, &trap) || errors.Is(err, errRoom)
}

// finish writes what the process has written. An error of that is what the process has come to; otherwise it is err.
func (t *trial) finish(p *runtimes.Process, err error) error {
	if e := t.said.Repeat(p.Stdout, p.Stderr); e != nil {
		return e
	}
	return err
}

// again returns the process for a second run.
func (t *trial) again(p *runtimes.Process) *runtimes.Process {
	again := *p
	if p.Stdin != nil {
		again.Stdin = &view{tape: &t.tape}
	}
	return &again
}

// tape keeps what was read from a source. A read may go on when the run that has asked for it has ended.
type tape struct {
	mu     sync.Mutex
	source io.Reader
	read   []byte
	err    error // that the source has ended with
}

// view is a Reader of a tape, from its beginning.
type view struct {
	tape *tape
	at   int
}

// Read implements io.Reader.
func (v *view) Read(b []byte) (int, error) {
	t := v.tape
	t.mu.Lock()
	defer t.mu.Unlock()
	if v.at == len(t.read) {
		if t.err != nil || len(b) == 0 {
			return 0, t.err
		}
		var n int
		n, t.err = t.source.Read(b)
		t.read = append(t.read, b[:n]...)
		v.at += n
		if n > 0 {
			return n, nil
		}
		return 0, t.err
	}
	n := copy(b, t.read[v.at:])
	v.at += n
	return n, nil
}
