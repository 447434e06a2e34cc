package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestAppendEvent(t *testing.T) {
	e := Event{Subject: "a.b", Sequence: 7, Time: time.Date(2026, 12, 1, 8, 0, 0, 5, time.UTC)}
	const head = `{"subject":"a.b","sequence":7,"time":"2026-12-01T08:00:00.000000005Z"`
	for body, want := range map[string]string{
		"":                     "",
		`{"a": [1,` + "\n2]}":  `,"data":{"a":[1,2]}`,
		"12345678901234567890": `,"data":12345678901234567890`,
		"null":                 `,"data":null`,
		"tea":                  `,"data_base64":"dGVh"`,
		"1 2":                  `,"data_base64":"MSAy"`,
		"\"\xff\"":             `,"data_base64":"Iv8i"`,
		strings.Repeat("[", 20000) + strings.Repeat("]", 20000): "base64",
	} {
		got := string(AppendEvent(nil, e, []byte(body)))
		if want == "base64" {
			if !strings.Contains(got, `"data_base64":"`) {
				t.Errorf("%.20s: %.100s", body, got)
			}
			continue
		}
		if got != head+want+"}\n" {
			t.Errorf("%q: %s, want %s", body, got, want)
		}
	}
	e.Header = Header{"A": {"1", "x\n"}}
	want := head + `,"headers":{"A":["1","x\n"]}` + "}\n"
	if got := string(AppendEvent(nil, e, nil)); got != want {
		t.Errorf("with headers: %s, want %s", got, want)
	}
}

// FuzzEvent checks that a line is one line, of JSON, and has all of the event.
func FuzzEvent(f *testing.F) {
	f.Add("a.b", uint64(1), "K", "v", []byte(`{"a":1}`))
	f.Add("a\n", uint64(0), "", "\xff", []byte("\xff\n"))
	f.Add("<>&", uint64(0), "", "\u2028", []byte("\"\u2028\""))
	f.Fuzz(func(t *testing.T, subject string, sequence uint64, name, value string, body []byte) {
		e := Event{Subject: subject, Sequence: sequence, Time: time.Unix(1, 2).UTC(), Header: Header{name: {value}}}
		line := AppendEvent([]byte("x"), e, body)[1:]
		var got Event
		if err := json.Unmarshal(line, &got); err != nil || bytes.Count(line, []byte("\n")) != 1 ||
			line[len(line)-1] != '\n' {
			t.Fatalf("%q: %v", line, err)
		}
		if got.Sequence != sequence || sequenceOf(line) != sequence || !got.Time.Equal(e.Time) ||
			got.Subject != strings.ToValidUTF8(subject, "\ufffd") && got.Subject == subject {
			t.Fatalf("%+v became %+v", e, got)
		}
		var compact bytes.Buffer
		switch {
		case got.Data != nil:
			if json.Compact(&compact, body) != nil || !bytes.Equal(compact.Bytes(), got.Data) {
				t.Fatalf("the body %q became %q", body, got.Data)
			}
		case !bytes.Equal(got.Base64, body):
			t.Fatalf("the body %q became %q", body, got.Base64)
		}
	})
}

func TestFailedLines(t *testing.T) {
	for _, test := range []struct {
		stderr string
		exit   int
		want   []int
	}{
		{"failed: 2\n", 1, []int{2}},
		{"starting\nfailed: 3 no such order\nfailed: 1\nfailed: 3\nbye", 75, []int{1, 3}},
		{"failed: 2-4 the shop is away\r\n", 1, []int{2, 3, 4}},
		{"failed: 5", 1, []int{5}},
		{"failed: 1-5", 1, []int{1, 2, 3, 4, 5}},
		{"nothing is named\n", 1, nil},
		{"it failed: 2\n", 1, nil},
		{"failed: 6\n", 1, nil},
		{"failed: 2\nfailed: 0\n", 1, nil},
		{"failed: 3-2\n", 1, nil},
		{"failed: x\n", 1, nil},
		{"failed: \n", 1, nil},
		{"failed: 1-99999999999999999999\n", 1, nil},
		{"failed: -1\n", 1, nil},
		{"failed: 2\n", -1, nil}, // a trap, or the deadline
		{"failed: 2\n", 0, nil},
		{strings.Repeat("x", MaxTail-10) + "\nfailed: 2\n", 1, nil}, // its beginning may be missing
	} {
		r := Reply{Exit: test.exit, Body: []byte(test.stderr), Err: &Error{Code: CodeFailed}}
		if got := FailedLines(5, &r); !slices.Equal(got, test.want) {
			t.Errorf("%.40q, exit %d: %v, want %v", test.stderr, test.exit, got, test.want)
		}
	}
}

// batchOf returns a batch with the sequences from first on, and its id.
func batchOf(first, count int) (id string, body []byte) {
	for i := range count {
		body = AppendEvent(body, Event{Subject: "s", Sequence: uint64(first + i)}, []byte("1"))
	}
	return Trigger{Stream: "S"}.BatchID(uint64(first), count, time.UnixMicro(36)), body
}

func TestSplitBatch(t *testing.T) {
	source := Trigger{Stream: "S"}.SourceID()
	for _, test := range []struct {
		what         string
		count, exit  int
		stderr       string
		before, most int
		want         string // of each part: the id's middle, attempts, wait
		succeeded    bool
	}{
		{what: "success", count: 4, succeeded: true},
		{what: "one line", count: 1, exit: 1, most: 5},
		{what: "named, retry", count: 4, exit: 1, stderr: "failed: 2\nfailed: 4\n", most: 5,
			want: "s-11 1 true, s-13 1 true"},
		{what: "named, useless", count: 4, exit: 65, stderr: "failed: 2\n", most: 5, want: "s-11 0 false"},
		{what: "named, the last verdict", count: 4, exit: 1, stderr: "failed: 2\n", before: 4, most: 5,
			want: "s-11 4 true"},
		{what: "unnamed", count: 5, exit: 1, most: 5, want: "b-10-2 0 false, b-12-3 0 false"},
		{what: "unnamed, useless", count: 2, exit: 65, most: 5, want: "s-10 0 false, s-11 0 false"},
		{what: "trap", count: 3, exit: -1, stderr: "failed: 1\n", most: 5, want: "s-10 0 false, b-11-2 0 false"},
		{what: "unavailable", count: 4, exit: 75, most: 5},
		{what: "unavailable for too long", count: 4, exit: 75, before: 4, most: 5,
			want: "b-10-2 4 true, b-12-2 4 true"},
	} {
		id, body := batchOf(10, test.count)
		r := Reply{Exit: test.exit, Body: []byte(test.stderr), Err: &Error{Code: CodeFailed}}
		if test.succeeded {
			r.Err = nil
		}
		var got []string
		seen := 0
		for _, p := range SplitBatch(id, body, &r, test.before, test.most) {
			middle := strings.Replace(strings.TrimSuffix(p.ID, "-10"), source, "", 1)
			got = append(got, fmt.Sprintf("%s %d %t", middle[1:], p.Attempts, p.Wait))
			if bytes.Count(p.Body, []byte("\n")) != p.Count || !bytes.Contains(body, p.Body) || checkJobID(p.ID) != nil {
				t.Errorf("%s: part %+v", test.what, p)
			}
			seen += p.Count
		}
		if strings.Join(got, ", ") != test.want {
			t.Errorf("%s: %q, want %q", test.what, got, test.want)
		}
	}
}

// Whatever line of a batch fails, halving finds it, and runs every other one successfully.
func TestSplitFindsTheCulprit(t *testing.T) {
	for count := 2; count <= 40; count++ {
		for culprit := range count {
			id, body := batchOf(1, count)
			succeeded, runs := 0, 0
			queue := []Part{{ID: id, Body: body, Count: count}}
			for ; len(queue) > 0; queue = queue[1:] {
				p := queue[0]
				runs++
				if !bytes.Contains(p.Body, fmt.Appendf(nil, `"sequence":%d,`, culprit+1)) {
					succeeded += p.Count
					continue
				}
				parts := SplitBatch(p.ID, p.Body, &Reply{Exit: 1, Err: &Error{Code: CodeFailed}}, 0, 5)
				if (parts == nil) != (p.Count == 1) {
					t.Fatalf("%d lines, culprit %d: parts %v of %+v", count, culprit, parts, p)
				}
				queue = append(queue, parts...)
			}
			if succeeded != count-1 || runs > 2*7+1 {
				t.Errorf("%d lines, culprit %d: %d succeeded in %d runs", count, culprit, succeeded, runs)
			}
		}
	}
}

// FuzzSplitBatch checks that no line is lost, doubled or torn, whatever a process writes.
func FuzzSplitBatch(f *testing.F) {
	f.Add("failed: 2\n", 1, 4, 0)
	f.Add("failed: 1-3 x", 75, 3, 4)
	f.Fuzz(func(t *testing.T, stderr string, exit, count, before int) {
		id, body := batchOf(1, 1+int(uint(count)%50))
		lines := slices.Collect(strings.Lines(string(body)))
		r := Reply{Exit: exit, Body: []byte(stderr), Err: &Error{Code: CodeFailed}}
		named := FailedLines(len(lines), &r)
		var want, got []string
		for i, line := range lines {
			if named == nil || slices.Contains(named, i+1) {
				want = append(want, line)
			}
		}
		parts := SplitBatch(id, body, &r, before, 5)
		for _, p := range parts {
			got = append(got, slices.Collect(strings.Lines(string(p.Body)))...)
		}
		if parts != nil && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %q, want %q", stderr, got, want)
		}
	})
}

// What an invoker says about the event of a job is believed; what a caller says is taken off.
func TestParseJobOfTrigger(t *testing.T) {
	h := Header{HeaderArgs: {`["a.b","put"]`}, HeaderTo: {"done"}, HeaderSourceSubject: {"$KV.b.a.b"}, "K": {"v"}}
	j, err := ParseJob("polyvoke.job.f", h, nil)
	if err != nil || !slices.Equal(j.Request.Args, []string{"a.b", "put"}) || j.To != "done" ||
		!reflect.DeepEqual(j.Request.Header, Header{HeaderSourceSubject: {"$KV.b.a.b"}, "K": {"v"}}) {
		t.Errorf("%+v, %v", j, err)
	}
	j, err = ParseJob("job.f.x", h, nil)
	if err != nil || !slices.Equal(j.Request.Args, []string{"x"}) || j.To != "" ||
		!reflect.DeepEqual(j.Request.Header, Header{"K": {"v"}}) {
		t.Errorf("of a caller: %+v, %v", j, err)
	}
	for _, bad := range []string{"x", "{}", "[1]", `["a\u0000"]`, `["a"]x`} {
		if _, err := ParseJob("polyvoke.job.f", Header{HeaderArgs: {bad}}, nil); CodeOf(err) != CodeBadRequest {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}

// FuzzParseArgs checks that arguments come through a header as they were.
func FuzzParseArgs(f *testing.F) {
	f.Add("a.b", "put")
	f.Add("\r\n\x01\u2028", "\"\\")
	f.Fuzz(func(t *testing.T, a, b string) {
		want := []string{strings.ToValidUTF8(a, "\ufffd"), strings.ToValidUTF8(b, "\ufffd")}
		text := FormatArgs([]string{a, b})
		if strings.ContainsAny(text, "\r\n") {
			t.Fatalf("%q would break a header", text)
		}
		got, err := ParseArgs(text)
		if (err != nil) != strings.Contains(a+b, "\x00") {
			t.Fatalf("%q: error %v", text, err)
		}
		if err == nil && utf8.ValidString(a) && utf8.ValidString(b) && !slices.Equal(got, want) {
			t.Fatalf("%q became %q", want, got)
		}
	})
}
