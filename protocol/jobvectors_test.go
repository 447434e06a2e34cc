package protocol

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// lines are what a vector wants, line by line.
type lines struct{ strings.Builder }

// add adds a line, if there is something to say.
func (l *lines) add(show bool, name string, value any) {
	if show {
		fmt.Fprintf(&l.Builder, "%s: %v\n", name, value)
	}
}

func TestJobVectors(t *testing.T) {
	vectors(t, "jobs.txtar", func(in, _ string) string {
		j, err := ParseJob(message(in))
		if err != nil {
			return fmt.Sprintf("error %d: %v", CodeOf(err), err)
		}
		var out lines
		r := &j.Request
		out.add(true, "function", r.Function)
		out.add(len(r.Args) > 0, "args", strings.Join(r.Args, " "))
		out.add(r.ID != "", "id", r.ID)
		out.add(r.Timeout != 0, "timeout", r.Timeout)
		out.add(j.Redo, "redo", j.Redo)
		out.add(j.Delay != 0, "delay", j.Delay)
		out.add(!j.At.IsZero(), "at", j.At.UTC().Format(time.RFC3339Nano))
		out.add(j.Most != 0, "attempts at most", j.Most)
		out.add(j.Priority != PriorityNormal, "priority", j.Priority)
		out.add(j.Before != 0, "verdicts so far", j.Before)
		out.add(!j.Accepted.IsZero(), "accepted", j.Accepted.Format(time.RFC3339Nano))
		for _, a := range j.Story {
			out.add(true, fmt.Sprint("attempt ", a.Number), fmt.Sprintf("exit %d, code %d", a.Exit, a.Code))
		}
		out.add(j.Revision != 0, "revision", j.Revision)
		out.add(len(r.Header) > 0, "headers", strings.Join(slices.Sorted(maps.Keys(r.Header)), ", "))
		out.add(true, "body", string(r.Body))
		if !r.Patient {
			t.Error("a job does not wait for room")
		}
		return strings.TrimSuffix(out.String(), "\n")
	})
}

func TestRecordVectors(t *testing.T) {
	vectors(t, "records.txtar", func(in, _ string) string {
		_, h, body := message(in)
		r, err := ParseRecord(h, body)
		if err != nil {
			return fmt.Sprintf("error %d: %v", CodeOf(err), err)
		}
		var out lines
		out.add(true, "state", r.State)
		out.add(r.Reason != "", "reason", r.Reason)
		out.add(r.Attempts > 0, "attempts", r.Attempts)
		out.add(!r.Accepted.IsZero(), "accepted", r.Accepted.Format(time.RFC3339Nano))
		out.add(r.Reply.ID != "", "id", r.Reply.ID)
		out.add(r.Reply.Exit > 0, "exit", r.Reply.Exit)
		if e := r.Reply.Err; e != nil {
			out.add(true, "error", fmt.Sprintf("%d %s", e.Code, e.Msg))
		}
		if c := r.Reply.Claim; c != nil {
			out.add(true, "claim", fmt.Sprintf("%s %d", c.Object, c.Size))
		}
		out.add(len(r.Reply.Body) > 0, "body", string(r.Reply.Body))
		back, err := ParseRecord(r.Message())
		if err != nil || back.State != r.State || back.Reason != r.Reason || back.Attempts != r.Attempts ||
			!back.Accepted.Equal(r.Accepted) || CodeOf(asErr(back.Reply.Err)) != CodeOf(asErr(r.Reply.Err)) {
			t.Errorf("read back: %+v, %v", back, err)
		}
		return strings.TrimSuffix(out.String(), "\n")
	})
}
