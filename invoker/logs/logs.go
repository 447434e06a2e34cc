// Package logs publishes what functions write on stderr.
//
// In go bytes as a process writes them; out come lines on the function's log subject, while the
// process still runs, and the end of it all for an error reply.
package logs

import (
	"bytes"
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
)

// maxLog is how many bytes of stderr a call may publish. What follows is left out, but for
// the tail that an error reply carries.
const maxLog = 1 << 20

const (
	// shortLine is up to how many bytes a line fits any message.
	shortLine = 512
	// besides is how many bytes a message with a line has besides it.
	besides = 512
)

// Writer is one process's stderr. It is for one goroutine at a time.
type Writer struct {
	NC       *nats.Conn    // where lines are published
	Function protocol.Ref  // that writes
	ID       func() string // returns the call's id; asked for each line
	Hide     Hider         // keeps secrets out of it all; nil: there are none

	hold      bool       // lines wait for Release or Discard
	held      []heldLine // in their order
	room      int        // how many bytes more may wait
	line      []byte     // begun, not ended
	kept      []byte     // the end of everything
	published int
	size      int64
}

// Hider keeps out of a log what it must not show.
type Hider interface {
	// Hide takes what a process writes, piece by piece, and returns what of it can be shown, until the next call. With
	// last it returns all that is left.
	Hide(text []byte, last bool) []byte
	// HideLine is Hide for a whole text.
	HideLine(text string) string
}

// heldLine is a line that waits.
type heldLine struct {
	text     string
	platform bool
}

// Hold lets lines wait in memory from now on until Release or Discard, as long as they take no more than some bytes. A
// line that is over that releases them all, and itself.
func (w *Writer) Hold(most int) { w.hold, w.room = true, most }

// Held reports whether nothing was published since Hold.
func (w *Writer) Held() bool { return w.hold }

// Release publishes the lines that wait, and lets no more wait.
func (w *Writer) Release() {
	w.hold = false
	for _, l := range w.held {
		w.send(l.text, l.platform)
	}
	w.held = nil
}

// Discard forgets all that was written since Hold, and lets further lines wait: for a process that is run again.
func (w *Writer) Discard(most int) {
	*w = Writer{NC: w.NC, Function: w.Function, ID: w.ID, line: w.line[:0], kept: w.kept[:0], held: w.held[:0]}
	w.Hold(most)
}

// Write implements io.Writer. It never fails: a full log does not end a process.
func (w *Writer) Write(p []byte) (int, error) {
	w.size += int64(len(p))
	if w.Hide == nil {
		w.write(p)
	} else {
		w.write(w.Hide.Hide(p, false))
	}
	return len(p), nil
}

// write takes what can be shown.
func (w *Writer) write(p []byte) {
	w.keep(p)
	for rest := p; len(rest) > 0; {
		text, after, ended := bytes.Cut(rest, []byte{'\n'})
		if len(w.line)+len(text) > shortLine {
			if room := w.longest() - len(w.line); len(text) > room {
				text, after, ended = rest[:room], rest[room:], true
			}
		}
		w.line = append(w.line, text...)
		if rest = after; ended {
			w.flushLine()
		}
	}
}

// longest returns how long a line may be that is published, in bytes.
func (w *Writer) longest() int {
	if w.NC == nil {
		return protocol.MaxLogLine
	}
	return min(protocol.MaxLogLine, max(shortLine, int(w.NC.MaxPayload())-besides))
}

// keep remembers the end of what was written, between one and two times protocol.MaxTail.
func (w *Writer) keep(p []byte) {
	if len(p) > protocol.MaxTail {
		p = p[len(p)-protocol.MaxTail:]
	}
	if len(w.kept)+len(p) > 2*protocol.MaxTail {
		w.kept = append(w.kept[:0], w.Tail()...)
	}
	w.kept = append(w.kept, p...)
}

// Tail returns the last protocol.MaxTail bytes.
func (w *Writer) Tail() []byte {
	return w.kept[max(0, len(w.kept)-protocol.MaxTail):]
}

// Size returns how many bytes were written.
func (w *Writer) Size() int64 { return w.size }

// Flush publishes a last line that was not ended.
func (w *Writer) Flush() {
	if w.Hide != nil {
		w.write(w.Hide.Hide(nil, true))
	}
	if len(w.line) > 0 {
		w.flushLine()
	}
}

// flushLine publishes the line that has been gathered, as long as the call may.
func (w *Writer) flushLine() {
	was := w.published
	w.published += len(w.line) + 1
	switch {
	case w.published <= maxLog:
		w.publish(string(w.line), false)
	case was <= maxLog:
		w.Platform("the rest of this call's log is left out: it is over 1 MiB")
	}
	w.line = w.line[:0]
}

// Platform publishes a line of polyvoke's own.
func (w *Writer) Platform(text string) {
	if w.Hide != nil {
		text = w.Hide.HideLine(text)
	}
	w.publish(text, true)
}

// publish sends a line, or lets it wait.
func (w *Writer) publish(text string, platform bool) {
	if w.NC == nil {
		return // the process was not even prepared; the reply says why
	}
	if !w.hold {
		w.send(text, platform)
		return
	}
	w.held = append(w.held, heldLine{text, platform})
	if w.room -= len(text) + heldBesides; w.room < 0 {
		w.Release()
	}
}

// heldBesides is what a line that waits takes besides its text, in bytes.
const heldBesides = 32

// send sends a line to the function's log subject. Nobody may be listening, and a lost
// connection shows elsewhere, so an error is not looked at.
func (w *Writer) send(text string, platform bool) {
	line := protocol.LogLine{Function: w.Function, ID: w.ID(), Text: text, Platform: platform}
	h, body := line.Message()
	_ = w.NC.PublishMsg(&nats.Msg{Subject: protocol.LogSubject(w.Function.Name), Header: nats.Header(h), Data: body})
}

// openTimeout bounds Open.
const openTimeout = 10 * time.Second

// Open makes the stream that keeps recent lines for readers that come late, if there is none.
func Open(ctx context.Context, js jetstream.JetStream, replicas int) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	_, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:              protocol.StreamLog,
		Description:       "recent log lines of polyvoke's functions",
		Subjects:          []string{protocol.LogSubject(">")},
		Storage:           jetstream.MemoryStorage,
		Replicas:          replicas,
		Discard:           jetstream.DiscardOld,
		MaxMsgsPerSubject: 1000,
		MaxBytes:          64 << 20,
		MaxAge:            time.Hour,
		NoAck:             true,
	})
	return err
}
