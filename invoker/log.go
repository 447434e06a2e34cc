package invoker

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

// logWriter is a process's stderr: it publishes line by line as they are written, and keeps the
// tail.
type logWriter struct {
	f         *function
	c         *call
	line      []byte // begun, not ended
	kept      []byte // the end of everything
	published int
}

// Write implements io.Writer. It never fails: a full log does not end a process.
func (w *logWriter) Write(p []byte) (int, error) {
	w.keep(p)
	for rest := p; len(rest) > 0; {
		text, after, ended := bytes.Cut(rest, []byte{'\n'})
		if room := protocol.MaxLogLine - len(w.line); len(text) > room {
			text, after, ended = rest[:room], rest[room:], true
		}
		w.line = append(w.line, text...)
		if rest = after; ended {
			w.flushLine()
		}
	}
	return len(p), nil
}

// keep remembers the end of what was written, between one and two times protocol.MaxTail.
func (w *logWriter) keep(p []byte) {
	if len(p) > protocol.MaxTail {
		p = p[len(p)-protocol.MaxTail:]
	}
	if len(w.kept)+len(p) > 2*protocol.MaxTail {
		w.kept = append(w.kept[:0], w.tail()...)
	}
	w.kept = append(w.kept, p...)
}

// tail returns the last protocol.MaxTail bytes.
func (w *logWriter) tail() []byte {
	return w.kept[max(0, len(w.kept)-protocol.MaxTail):]
}

// flush publishes a last line that was not ended.
func (w *logWriter) flush() {
	if len(w.line) > 0 {
		w.flushLine()
	}
}

// flushLine publishes the line that has been gathered, as long as the call may.
func (w *logWriter) flushLine() {
	was := w.published
	w.published += len(w.line) + 1
	switch {
	case w.published <= maxLog:
		w.publish(string(w.line), false)
	case was <= maxLog:
		w.platform("the rest of this call's log is left out: it is over 1 MiB")
	}
	w.line = w.line[:0]
}

// platform publishes a line of polyvoke's own.
func (w *logWriter) platform(text string) { w.publish(text, true) }

// publish sends a line to the function's log subject. Nobody may be listening, and a lost
// connection shows elsewhere, so an error is not looked at.
func (w *logWriter) publish(text string, platform bool) {
	if w.f == nil {
		return // the process was not even prepared; the reply says why
	}
	line := protocol.LogLine{Function: w.c.version.ref, ID: w.c.id(), Text: text, Platform: platform}
	h, body := line.Message()
	_ = w.f.v.nc.PublishMsg(&nats.Msg{Subject: protocol.LogSubject(w.f.name), Header: nats.Header(h), Data: body})
}

// openLog makes the stream that keeps recent lines for readers who come late.
func (v *Invoker) openLog(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	_, err := v.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:              protocol.StreamLog,
		Description:       "recent log lines of polyvoke's functions",
		Subjects:          []string{protocol.LogSubject(">")},
		Storage:           jetstream.MemoryStorage,
		Replicas:          v.Replicas,
		Discard:           jetstream.DiscardOld,
		MaxMsgsPerSubject: 1000,
		MaxBytes:          64 << 20,
		MaxAge:            time.Hour,
		NoAck:             true,
	})
	return err
}
