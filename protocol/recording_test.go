package protocol

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// recordingOf returns a recording with something in each field.
func recordingOf(body []byte) Recording {
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	r := Recording{Format: RecordingFormat,
		Function: Function{Name: "greet", Version: 3, Env: map[string]string{"A": "b"}},
		ID:       "_1-a", Attempt: 2, Time: now, Invoker: "host",
		Subject: "job.greet.a", Args: []string{"a"},
		Header: Header{"X": {"y"}}, Deadline: now.Add(time.Second), Draws: "AQAAAA==",
		Stdout: Beginning([]byte("out"), MaxRecordedStdout), Stderr: Output{Size: 9, Kept: []byte("err")}, Exit: 1, Code: 500,
		Error: "failed", Fuel: 7, Memory: 65536, Start: "fresh", Duration: time.Millisecond}
	r.SetStdin(body)
	return r
}

// TestRecording writes a recording and reads it.
func TestRecording(t *testing.T) {
	r := recordingOf([]byte("in"))
	b, err := r.Encode(MaxRecording)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseRecording(b)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := got.Encode(MaxRecording); err != nil || !bytes.Equal(again, b) || len(got.LeftOut) > 0 {
		t.Errorf("got %s\nwant %s\nerror %v", again, b, err)
	}
	if q := got.Request(); string(q.Body) != "in" || q.ID != "_1-a" || q.Function.String() != "greet@3" ||
		!q.Deadline.Equal(r.Deadline) || q.Header.Get("x") != "y" {
		t.Errorf("the request is %+v", q)
	}
}

// withFiles returns what gives a recording files, which do changes.
func withFiles(do func(f *RecordedFiles)) func(*Recording) {
	return func(r *Recording) {
		r.Function.Grants = []Grant{{KV: "stock"}}
		r.Files = &RecordedFiles{Mounts: []RecordedMount{{Path: "/kv/stock", ReadOnly: true}}, Ops: []FileOp{
			{Op: OpList, Path: "/kv/stock", Entries: []FileEntry{{Name: "tea"}}},
			{Op: OpRead, Path: "/kv/stock/tea", N: 10, Data: []byte("1"), Info: &FileInfo{Time: &r.Time}}}}
		do(r.Files)
	}
}

// TestRecordingFiles writes a recording with files and reads it. Without room they go, and that is said.
func TestRecordingFiles(t *testing.T) {
	r := recordingOf([]byte("in"))
	withFiles(func(*RecordedFiles) {})(&r)
	b, err := r.Encode(MaxRecording)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseRecording(b)
	if err != nil || got.Format != 2 || got.Files == nil || len(got.Files.Ops) != 2 ||
		string(got.Files.Ops[1].Data) != "1" {
		t.Fatalf("got %+v, error %v", got, err)
	}
	r.Files.Ops[1].Data = make([]byte, MaxRecordedFiles)
	if b, err = r.Encode(100 << 10); err != nil {
		t.Fatal(err)
	}
	if got, err = ParseRecording(b); err != nil || got.Files != nil || got.Format != 1 || len(got.LeftOut) != 1 {
		t.Errorf("without room: %+v, error %v", got, err)
	}
}

// TestRecordingRoom writes recordings for which there is too little room.
func TestRecordingRoom(t *testing.T) {
	whole, few := recordingOf(bytes.Repeat([]byte("x"), MaxRecordedStdin)), recordingOf(nil)
	if len(whole.LeftOut) > 0 {
		t.Errorf("the longest stdin: %q", whole.LeftOut)
	}
	if long := recordingOf(make([]byte, MaxRecordedStdin+1)); len(long.LeftOut) != 1 || long.Stdin.Kept != nil ||
		long.Stdin.Size != MaxRecordedStdin+1 {
		t.Errorf("a longer stdin: %d bytes are kept, %q", len(long.Stdin.Kept), long.LeftOut)
	}
	b, err := whole.Encode(4 << 10)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseRecording(b)
	if err != nil || len(got.LeftOut) != 1 || got.Draws != "" || got.Stdin.Size != MaxRecordedStdin ||
		string(got.Stdout.Kept) != "out" {
		t.Errorf("without room for stdin: %+v, error %v", got, err)
	}
	if _, err := few.Encode(100); CodeOf(err) != CodeTooLarge {
		t.Errorf("without any room: %v", err)
	}
}

// TestRecordingBad reads what is no recording, or a hostile one.
func TestRecordingBad(t *testing.T) {
	for _, c := range []struct {
		change func(*Recording)
		says   string
	}{
		{func(r *Recording) { r.Format = 3 }, "the recording has the format 3"},
		{func(r *Recording) { r.Format = -1 }, "the recording has the format -1"},
		{func(r *Recording) { r.Function.Name = "a/b" }, "name"},
		{func(r *Recording) { r.Function.Limits.Memory = 1 << 40 }, "limits.memory"},
		{func(r *Recording) { r.Args = []string{"a\x00"} }, "NUL byte"},
		{func(r *Recording) { r.ID = "\x00" }, "NUL byte"},
		{func(r *Recording) { r.Header = Header{"a b": {"c"}} }, "headers"},
		{func(r *Recording) { r.Header = Header{"a": make([]string, MaxHeaders+1)} }, "headers"},
		{func(r *Recording) { r.Draws = strings.Repeat("A", MaxRecordedDraws+1) }, "more draws"},
		{func(r *Recording) { r.LeftOut = make([]string, 99) }, "leaves out more"},
		{withFiles(func(f *RecordedFiles) { f.Mounts = append(f.Mounts, f.Mounts[0]) }), "more folders"},
		{withFiles(func(f *RecordedFiles) { f.Mounts[0].Path = "/request" }), `"/request", which its manifest`},
		{withFiles(func(f *RecordedFiles) { f.Ops = make([]FileOp, MaxRecordedOps+1) }), "more folders"},
		{withFiles(func(f *RecordedFiles) { f.Ops[0].Op = "format" }), "operation 1 on files"},
		{withFiles(func(f *RecordedFiles) { f.Ops[0].At = -2 }), "operation 1 on files"},
		{withFiles(func(f *RecordedFiles) { f.Ops[0].Done = f.Ops[0].N + 1 }), "operation 1 on files"},
		{withFiles(func(f *RecordedFiles) { f.Ops[0].N = -1 }), "operation 1 on files"},
		{withFiles(func(f *RecordedFiles) { f.Ops[0].Entries = []FileEntry{{Name: "../x"}} }), "operation 1 on files"},
		{withFiles(func(f *RecordedFiles) { f.Ops[0].Entries = []FileEntry{{Name: "a\x00"}} }), "operation 1 on files"},
		{func(r *Recording) { r.Stdin.Size = -1 }, "the recording keeps 2 bytes of -1"},
	} {
		r := recordingOf([]byte("in"))
		c.change(&r)
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseRecording(b); CodeOf(err) != CodeRefused || !strings.Contains(err.Error(), c.says) {
			t.Errorf("got %v, want %q", err, c.says)
		}
	}
	for _, b := range []string{"", "null", "[]", "{", strings.Repeat(" ", MaxRecording+1)} {
		if _, err := ParseRecording([]byte(b)); CodeOf(err) != CodeRefused {
			t.Errorf("%.10q: %v", b, err)
		}
	}
}

// FuzzParseRecording reads any bytes: what is a recording can be written and read again.
func FuzzParseRecording(f *testing.F) {
	r := recordingOf([]byte("in"))
	b, _ := r.Encode(MaxRecording)
	f.Add(b)
	f.Add([]byte(`{"format":1,"function":{"name":"a"},"stdin":{"size":0}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRecording(b)
		if err != nil {
			return
		}
		b, err = r.Encode(MaxRecording)
		if err != nil {
			return // it grows, or a time is of a year that JSON has no form for
		}
		if _, err := ParseRecording(b); err != nil {
			t.Errorf("what was written cannot be read: %v\n%s", err, b)
		}
	})
}

// TestSampling reads which runs are recorded.
func TestSampling(t *testing.T) {
	for _, c := range []struct {
		text                    string
		draw, keepGood, keepBad bool
	}{
		{"", false, false, false},
		{"off", false, false, false},
		{"failed", true, false, true},
		{"all", true, true, true},
		{"100%", true, true, true},
	} {
		s, err := ParseSampling(c.text)
		if err != nil || s.Draw() != c.draw || s.Off() == c.draw {
			t.Errorf("%q: %+v draws %v, error %v", c.text, s, s.Draw(), err)
		}
		if c.draw && (s.Keeps(false) != c.keepGood || s.Keeps(true) != c.keepBad) {
			t.Errorf("%q keeps good ones %v, bad ones %v", c.text, s.Keeps(false), s.Keeps(true))
		}
	}
	half, err := ParseSampling("50%")
	drawn := 0
	for range 10_000 {
		if half.Draw() {
			drawn++
		}
	}
	if err != nil || drawn < 4000 || drawn > 6000 {
		t.Errorf("half of 10,000 are %d, error %v", drawn, err)
	}
	for _, text := range []string{"on", "1", "0%", "-1%", "101%", "NaN%", "%", "all ", "Inf%"} {
		f := Function{Name: "a", Job: &Job{Record: text}}
		if err := f.Check(); CodeOf(err) != CodeRefused || !strings.Contains(err.Error(), `"off", "failed", "all"`) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestRecordingRequests reads what control verbs are asked for.
func TestRecordingRequests(t *testing.T) {
	for text, ok := range map[string]bool{
		`{"function":"a"}`: true, `{"function":"a","last":1000}`: true, `{"function":"a","last":1001}`: false,
		`{"function":"a","last":-1}`: false, `{"function":"a.*"}`: false, `{}`: false, ``: false, `[]`: false,
	} {
		if q, err := ParseRecordingsRequest([]byte(text)); (err == nil) != ok || !ok && CodeOf(err) != CodeBadRequest ||
			ok && q.Last < 1 {
			t.Errorf("%s: %+v, %v", text, q, err)
		}
	}
	digest := Digest(nil)
	for text, ok := range map[string]bool{
		`{"digest":"` + digest + `"}`: true, `{"runtime":"python"}`: true, `{"runtime":"python@2"}`: true, `{}`: false,
		`{"digest":"` + digest + `","runtime":"python"}`: false, `{"digest":"sha256:1"}`: false, `{"runtime":"a.b"}`: false,
	} {
		if _, err := ParseModuleRequest([]byte(text)); (err == nil) != ok || !ok && CodeOf(err) != CodeBadRequest {
			t.Errorf("%s: %v", text, err)
		}
	}
	name, id, err := ParseRecordSubject(RecordSubject("greet", "_1-a"))
	if name != "greet" || id != "_1-a" || err != nil {
		t.Errorf("%s, %s, %v", name, id, err)
	}
	if _, _, err := ParseRecordSubject("fn.greet.a"); err == nil {
		t.Error("any subject is that of a recording")
	}
}
