package localrun

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/polyvoke/polyvoke/cmd/internal/source"
	"github.com/polyvoke/polyvoke/invoker/backend/journal"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/recording"
)

// recorder keeps what a process writes and draws.
type recorder struct {
	process *runtimes.Process
	journal journal.Record
	began   time.Time
	stdout  bytes.Buffer
	stderr  tail
}

// newRecorder makes a process that is about to run keep what it draws, and what it writes beside where that goes.
func newRecorder(p *runtimes.Process) *recorder {
	r := &recorder{process: p, began: time.Now()}
	p.Draws = new(recording.Draws)
	for i, m := range p.Mounts {
		p.Mounts[i].Tree = r.journal.Tree(m.Path, m.Tree)
	}
	p.Stdout, p.Stderr = both(p.Stdout, &r.stdout), both(p.Stderr, &r.stderr)
	return r
}

// both returns a Writer to two of which the first may be nil.
func both(first, second io.Writer) io.Writer {
	if first == nil {
		return second
	}
	return io.MultiWriter(first, second)
}

// recording returns the recording of the run, which ended with err.
func (r *recorder) recording(src *source.Source, q *protocol.Request, err error) *protocol.Recording {
	f, usage := src.Function, &r.process.Usage
	f.Digest, f.Size, f.Start = protocol.Digest(src.Code), int64(len(src.Code)), ""
	rec := &protocol.Recording{Function: f, ID: q.ID, Time: r.began,
		Subject: q.Subject, Args: q.Args, Header: q.Header, Deadline: q.Deadline, Fuel: usage.Fuel, Memory: usage.Memory,
		Start: usage.Start, Duration: usage.Duration,
		Stdout: protocol.Beginning(r.stdout.Bytes(), protocol.MaxRecordedStdout),
		Stderr: protocol.Output{Size: r.stderr.size, Kept: r.stderr.b}}
	rec.Exit, rec.Code, rec.Error = judge(&f, err)
	rec.SetStdin(q.Body)
	if kept, lost := r.journal.End(); lost != "" {
		rec.Leave("files: %s", lost)
	} else if len(f.Grants) > 0 {
		rec.Files = kept
	}
	text, failed := r.process.Draws.MarshalText()
	switch why := r.process.Draws.Lost(); {
	case why != "":
		rec.Leave("time and entropy: %s", why)
	case failed != nil || len(text) > protocol.MaxRecordedDraws:
		rec.Leave("time and entropy: there is no room for what it drew")
	default:
		rec.Draws = string(text)
	}
	return rec
}

// tail keeps the last protocol.MaxTail bytes that are written.
type tail struct {
	b    []byte
	size int64
}

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.size += int64(len(b))
	t.b = append(t.b, b[max(0, len(b)-protocol.MaxTail):]...)
	t.b = t.b[max(0, len(t.b)-protocol.MaxTail):]
	return len(b), nil
}

// judge returns what a call comes to whose process ended with err: its exit code, its error code and what has failed,
// as an invoker would say it (section 6 of the specification).
func judge(f *protocol.Function, err error) (exit, code int, text string) {
	var ended *runtimes.ExitError
	var trap *runtimes.TrapError
	exit = -1
	if err == nil {
		return 0, 0, ""
	}
	memory := errors.Is(err, runtimes.ErrMemory)
	if errors.As(err, &ended) {
		exit = int(ended.Code)
		if f.IsReply(exit) && !memory {
			return exit, 0, ""
		}
		if o := protocol.FromExit(ended.Code); o.Chosen || !memory {
			return exit, o.Code, o.Text
		}
	}
	switch {
	case memory:
		return exit, protocol.CodeMemory, "it reached its memory limit"
	case errors.Is(err, runtimes.ErrOutput):
		return exit, protocol.CodeBadOutput, "it wrote more than its limit"
	case errors.Is(err, runtimes.ErrFuel):
		return exit, protocol.CodeTimeout, "it used up its fuel"
	case errors.As(err, &trap):
		return exit, protocol.CodeFailed, trap.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return exit, protocol.CodeTimeout, "it did not end in time"
	case errors.Is(err, context.Canceled):
		return exit, protocol.CodeUnavailable, "it was stopped"
	}
	return exit, protocol.CodeFailed, err.Error()
}
