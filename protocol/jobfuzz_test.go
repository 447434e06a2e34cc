package protocol

import (
	"testing"
	"time"
)

// FuzzParseJob checks that whatever comes in a queue is a job within its bounds, or an error of its sender's, and that
// what only invokers may say is believed on their subjects only.
func FuzzParseJob(f *testing.F) {
	f.Add("job.greet.x", "Fn-Id", "a", "Fn-Delay", "10m", []byte("{}"))
	f.Add("polyvoke.job.greet", "fn-attempt", "3", "Fn-Story", `[{"number":1}]`, []byte{})
	f.Add("job.greet", "fn-priority", "high", "Fn-Priority", "low", []byte{})
	f.Add("polyvoke.turn.greet.rank.low.a.-", "Fn-Subject", "job.greet.x", "Fn-Id", "a", []byte{})
	f.Add("job.greet", "Fn-Revision", "7", "Fn-At", "2020-01-01T00:00:00Z", []byte(nil))
	f.Add("polyvoke.turn.greet.rank.low.a.-", "X", "", "Fn-Id", "@", []byte(nil)) // several things are wrong
	f.Add("job.greet", "Fn-Timeout", "soon", "Fn-Id", "a.>", []byte(nil))
	f.Add("job.greet", "Fn-Dry-Run", "1", "Fn-Id", "a.>", []byte(nil))
	f.Fuzz(func(t *testing.T, subject, k1, v1, k2, v2 string, body []byte) {
		j, err := ParseJob(subject, Header{k1: {v1}, k2: {v2}}, body)
		if !j.Redo && (j.Before != 0 || j.Revision != 0 || j.Story != nil || !j.Accepted.IsZero()) {
			t.Fatalf("%q: a caller is believed: %+v", subject, j)
		}
		if id := j.Request.ID; id != "" && checkJobID(id) != nil {
			t.Fatalf("the id %q", id)
		}
		if err != nil {
			if code := CodeOf(err); code != CodeBadRequest && code != CodeHeaders {
				t.Fatalf("code %d: %v", code, err)
			}
			return
		}
		if j.Before < 0 || j.Most < 0 || j.Most > MaxAttempts || j.Delay < 0 || j.Delay > time.Duration(MaxJobAge) {
			t.Fatalf("out of bounds: %+v", j)
		}
		if p, err := ParsePriority(j.Priority.String()); err != nil || p != j.Priority {
			t.Fatalf("the priority %d", j.Priority)
		}
		name, _, _, err := ParseJobSubject(RedoSubject(subject))
		if err != nil || name != j.Request.Function.Name {
			t.Fatalf("it is given back to %q, %v", name, err)
		}
		if key, id, err := ParseJobKey(ResultKey(name, "x")); err != nil || key != name || id != "x" {
			t.Fatalf("its key is %q, %q, %v", key, id, err)
		}
	})
}

// FuzzParseRankSubject checks that what is read comes back as it was, and is nothing else.
func FuzzParseRankSubject(f *testing.F) {
	line := JobKey{Arg: 1}.Line(&Request{Args: []string{"a"}}, "x")
	f.Add(RankSubject("greet", "high", "_1-x", ""))
	f.Add(RankSubject("greet", "low", "a", line))
	f.Add(EntrySubject("greet", line, "a"))
	f.Add(TurnSubject("greet", line))
	f.Fuzz(func(t *testing.T, subject string) {
		r, ok := ParseRankSubject(subject)
		if !ok {
			return
		}
		if again := RankSubject(r.Function, r.Priority.String(), r.ID, r.Line); again != subject {
			t.Fatalf("%q comes back as %q", subject, again)
		}
		if _, _, _, entry := ParseEntrySubject(subject); entry || IsTurn(subject) {
			t.Fatalf("%q is a turn, or an entry", subject)
		}
	})
}

// FuzzParseBackoff checks that what is read is within its bounds and comes back as it was.
func FuzzParseBackoff(f *testing.F) {
	f.Add("1s..5m")
	f.Add("10s")
	f.Add("5m..1s")
	f.Fuzz(func(t *testing.T, s string) {
		b, err := ParseBackoff(s)
		if err != nil {
			return
		}
		if again, err := ParseBackoff(b.String()); err != nil || again != b {
			t.Fatalf("%q: %v comes back as %v, %v", s, b, again, err)
		}
		for n := range 70 {
			if pause := b.After(n + 1); pause < time.Duration(b.First)/2 || pause > time.Duration(b.Most) {
				t.Fatalf("%q: after %d verdicts %s", s, n+1, pause)
			}
		}
	})
}
