package protocol

import (
	"strings"
	"testing"
)

// A job's key is an argument or a header, whatever the case of its name; without one it is alone in its line.
func TestJobKey(t *testing.T) {
	line := func(key, id string, args []string, h Header) string {
		t.Helper()
		k, err := ParseKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return k.Line(&Request{Args: args, Header: h}, id)
	}
	same := func(a, b string, want bool) {
		t.Helper()
		if (a == b) != want || len(a) != lineLength {
			t.Errorf("%s and %s: the same: %v", a, b, a == b)
		}
	}
	same(line("{2}", "x", []string{"a", "b"}, nil), line("{2}", "y", []string{"c", "b"}, nil), true)
	same(line("{2}", "x", []string{"a", "b"}, nil), line("{2}", "x", []string{"a", "c"}, nil), false)
	same(line("header order", "x", nil, Header{"ORDER": {"b"}}), line("{1}", "y", []string{"b"}, nil), true)
	same(line("{2}", "x", []string{"b"}, nil), line("{2}", "y", []string{"b"}, nil), false)
	same(line("{1}", "x", nil, nil), line("{1}", "z", []string{"x"}, nil), false)
	for _, bad := range []string{"{}", "{0}", "{01}", "{65}", "{-1}", "1", "header", "header ", "header a:b", "header ä",
		"header a\n", "header nats-x", "header " + strings.Repeat("a", 65), "Header a"} {
		if _, err := ParseKey(bad); CodeOf(err) != CodeRefused {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// A turn has its arguments in a header, which must be a subject of the same function, and no turn.
func TestTurn(t *testing.T) {
	line := JobKey{Arg: 1}.Line(&Request{Args: []string{"a"}}, "x")
	subject := TurnSubject("f", line)
	j, err := ParseJob(subject, Header{HeaderSubject: {"job.f.a.b"}, HeaderAttempt: {"2"}}, nil)
	if err != nil || j.Line != line || !j.Redo || j.Before != 2 || strings.Join(j.Request.Args, " ") != "a b" ||
		j.Request.Subject != "job.f.a.b" || j.Request.Header.Get(HeaderSubject) != "" {
		t.Errorf("%+v %v", j, err)
	}
	if j, err := ParseJob(subject, Header{HeaderSubject: {"job.f"}, HeaderArgs: {`["c"]`}}, nil); err != nil ||
		len(j.Request.Args) != 1 || j.Request.Args[0] != "c" {
		t.Errorf("%+v %v", j, err)
	}
	for _, bad := range []Header{nil, {}, {HeaderSubject: {"job.g"}}, {HeaderSubject: {"x"}}, {HeaderSubject: {subject}}} {
		if _, err := ParseJob(subject, bad, nil); CodeOf(err) != CodeBadRequest {
			t.Errorf("%v: %v", bad, err)
		}
	}
	for _, other := range []string{subject + ".x", "polyvoke.turn.f", "polyvoke.turn.f.short", "polyvoke.turn.a@1." + line} {
		if _, _, _, err := ParseJobSubject(other); err == nil {
			t.Errorf("%s is a job", other)
		}
	}
	name, in, id, ok := ParseEntrySubject(EntrySubject("f", line, "_1-x"))
	if name != "f" || in != line || id != "_1-x" || !ok {
		t.Errorf("the entry is %s %s %s %v", name, in, id, ok)
	}
	for _, bad := range []string{"", ".", subject, EntrySubject("f", line, ""), EntrySubject("f", "short", "x"),
		EntrySubject("f", line, "a.b")} {
		if _, _, _, ok := ParseEntrySubject(bad); ok {
			t.Errorf("%q is an entry", bad)
		}
	}
	if name, ok := TurnOwner(TurnStream("f")); name != "f" || !ok {
		t.Error(name, ok)
	}
}

// What means something only in messages of invokers does not pass from a caller's message to one of an invoker.
func TestOfCaller(t *testing.T) {
	h := OfCaller(Header{"fn-to": {"x"}, HeaderArgs: {"[]"}, HeaderRevision: {"1"}, "Mine": {"a"}, HeaderID: {"i"}})
	if len(h) != 2 {
		t.Errorf("what is left is %v", h)
	}
}
