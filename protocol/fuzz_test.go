package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func FuzzParseRequest(f *testing.F) {
	f.Add("fn.greet.x", "Fn-Id", "a", "Fn-Timeout", "3s", []byte("{}"))
	f.Add("fn.greet@2", "fn-body-object", "o", "Fn-Body-Size", "3", []byte{})
	f.Add("fn.", "", "", "\x00", "\r\n", []byte(nil))
	f.Fuzz(func(t *testing.T, subject, k1, v1, k2, v2 string, body []byte) {
		r, err := ParseRequest(subject, Header{k1: {v1}, k2: {v2}}, body)
		if err != nil {
			if CodeOf(err) != CodeBadRequest && CodeOf(err) != CodeHeaders {
				t.Fatalf("code %d: %v", CodeOf(err), err)
			}
			return
		}
		if strings.ContainsAny(r.ID, "\r\n") {
			t.Fatalf("the id %q can begin a header", r.ID)
		}
		again, err := CallSubject(r.Function, r.Args...)
		if len(subject) <= MaxCall && (err != nil || again != subject) {
			t.Fatalf("%q is written as %q, %v", subject, again, err)
		}
	})
}

// FuzzParseHeader checks that a block of headers that is read has nothing else in it, and comes back as it was when
// it is written in the usual form.
func FuzzParseHeader(f *testing.F) {
	f.Add([]byte("NATS/1.0\r\na: 1\r\nA: 2\r\nb:3\r\n\r\n"))
	f.Add([]byte("NATS/1.0 503\n\n"))
	f.Add([]byte("NATS/1.0\r\n\r\na: 1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, block []byte) {
		h, err := ParseHeader(block)
		if err != nil {
			if CodeOf(err) != CodeBadRequest {
				t.Fatalf("code %d: %v", CodeOf(err), err)
			}
			return
		}
		if h.Folds() {
			t.Fatalf("%q: names differ in case only", h)
		}
		values := 0
		usual := headerBegin + headerEnd
		for name, list := range h {
			values += len(list)
			for _, v := range list {
				usual += name + ": " + v + headerEnd
			}
		}
		if lines := bytes.Count(block, []byte("\n")); lines != values+2 {
			t.Fatalf("%q: %d lines, %d values", block, lines, values)
		}
		back, err := ParseHeader([]byte(usual + headerEnd))
		if err != nil || !cmp.Equal(back, h) {
			t.Fatalf("%q is read back as %q, %v", h, back, err)
		}
	})
}

func FuzzParseReply(f *testing.F) {
	f.Add("Nats-Service-Error", "x", "Nats-Service-Error-Code", "500", []byte("tail"))
	f.Add("Fn-Function", "a@1", "Fn-Exit", "-1", []byte{})
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 string, body []byte) {
		r, err := ParseReply(Header{k1: {v1}, k2: {v2}}, body)
		if err != nil {
			return
		}
		h, _ := r.Message()
		for k, values := range h {
			if strings.ContainsAny(k+strings.Join(values, ""), "\r\n") {
				t.Fatalf("header %q: %q would break the message", k, values)
			}
		}
		back, err := ParseReply(h, r.Body)
		if err != nil || back.Exit != r.Exit && r.Err == nil && r.Report != nil {
			t.Fatalf("%+v is read back as %+v, %v", r, back, err)
		}
	})
}

func FuzzParseNameRequest(f *testing.F) {
	for _, s := range []string{
		`{"name":"greet"}`, `{"name":7}`, `{"name":""}`, `{}`, `[]`, ``, `{"name":"a b"}`, `{"name":"x"}x`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := ParseNameRequest(b)
		if err != nil && CodeOf(err) != CodeBadRequest {
			t.Errorf("%q: code %d: %v", b, CodeOf(err), err)
		}
		if err == nil && CheckName(q.Name) != nil {
			t.Errorf("%q: the name %q is taken", b, q.Name)
		}
	})
}

func FuzzParseFunction(f *testing.F) {
	f.Add([]byte(`{"name":"greet","limits":{"timeout":"500ms","memory":"64MiB"},"trigger":[{"subject":"a.*"}]}`))
	f.Add([]byte(`{"name":"greet","env":{"A":"b"},"args":["x"],"created":"2026-01-02T03:04:05Z"}`))
	f.Add([]byte(`{"name":"greet","needs":["teleport","a\n"],"to":"Mars"}`))
	f.Add([]byte(`{"name":"greet","NEEDS":["teleport"],"to":"Mars"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseFunction(b)
		if err != nil {
			if code := CodeOf(err); code != CodeRefused && code != CodeUnknownNeed {
				t.Fatalf("code %d: %v", CodeOf(err), err)
			}
			return
		}
		out, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseFunction(out)
		if err != nil || !m.Same(&again) {
			t.Fatalf("%s is written as %s: %v", bytes.TrimSpace(b), out, err)
		}
	})
}

func FuzzMatch(f *testing.F) {
	f.Add("orders.*.>", "orders.eu.a.b")
	f.Fuzz(func(t *testing.T, pattern, subject string) {
		args, ok := Match(pattern, subject)
		if ok && CheckPattern(pattern) == nil && literalSubject(subject) {
			if !Overlap(pattern, subject) {
				t.Fatalf("%q matches %q without overlapping it", pattern, subject)
			}
			for _, a := range args {
				if strings.Contains(a, ".") {
					t.Fatalf("argument %q is more than a token", a)
				}
			}
		}
	})
}

// literalSubject reports whether s can be published to.
func literalSubject(s string) bool {
	for tok := range strings.SplitSeq(s, ".") {
		if !literalToken(tok) {
			return false
		}
	}
	return true
}

func FuzzSizeAndDuration(f *testing.F) {
	f.Add("64MiB")
	f.Add("500ms")
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := ParseSize(s); err == nil {
			if again, err := ParseSize(n.String()); err != nil || again != n {
				t.Fatalf("%q: %v, %v, %v", s, n, again, err)
			}
		}
		if d, err := ParseDuration(s); err == nil {
			if again, err := ParseDuration(d.String()); err != nil || again != d {
				t.Fatalf("%q: %v, %v, %v", s, d, again, err)
			}
		}
	})
}

func FuzzDestination(f *testing.F) {
	f.Add("orders.*.new", "orders.{1}.valid", "orders.eu.new")
	f.Add("mail.*.>", "sent.{1}.{2}", "mail.de.a.b")
	f.Add(">", "a.{1}", "x")
	f.Add("a", "{9999999999999999999}", "a")
	f.Fuzz(func(t *testing.T, subject, to, message string) {
		r := Trigger{Subject: subject, To: to}
		manifest := Function{Name: "f", Triggers: []Trigger{r}}
		checked := manifest.Check() == nil
		got, err := r.Destination(message)
		if err != nil && CodeOf(err) != CodeBadRequest {
			t.Fatalf("code %d: %v", CodeOf(err), err)
		}
		if !checked || err != nil || to == "" {
			return
		}
		if _, ok := Match(r.DestinationPattern(), got); !ok {
			t.Fatalf("%q is none of %q", got, r.DestinationPattern())
		}
		if Reserved(got) || strings.HasPrefix(got, "_") || !literalSubject(got) {
			t.Fatalf("a message goes where it must not: %q", got)
		}
	})
}

// Whatever is let in is answered within a line that the server takes, and outside of what is polyvoke's.
func FuzzCheckReply(f *testing.F) {
	f.Add("_INBOX.x", DefaultLine)
	f.Add("polyvoke.api.remove", DefaultLine)
	f.Add(strings.Repeat("x", 4089), DefaultLine)
	f.Fuzz(func(t *testing.T, reply string, line int) {
		err := CheckReply(reply, line)
		if err != nil && CodeOf(err) != CodeBadRequest && CodeOf(err) != CodeForbidden {
			t.Fatalf("code %d: %v", CodeOf(err), err)
		}
		if err != nil {
			return
		}
		if published := fmt.Sprintf("%s %d %d", reply, 1<<30, 1<<30); len(published) > line {
			t.Fatalf("a line of %d bytes, where the server takes %d", len(published), line)
		}
		for _, root := range []string{RootCall, RootJob, RootDead, RootLog, RootAPI, RootLater, RootDue, RootSocket,
			RootEvent, "$JS", "$KV.x"} {
			if reply == root || Overlap(reply, root+".>") {
				t.Fatalf("an answer goes to %q", reply)
			}
		}
	})
}
