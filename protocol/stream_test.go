package protocol

import (
	"strings"
	"testing"
)

func TestParseChunk(t *testing.T) {
	for _, c := range []struct {
		sequence, end string
		want          Chunk
		ok            bool
		code          int
	}{
		{"", "", Chunk{}, false, 0},
		{"", "1", Chunk{}, false, 0},
		{"1", "", Chunk{Sequence: 1}, true, 0},
		{"4611686018427387903", "1", Chunk{Sequence: 1<<62 - 1, End: true}, true, 0},
		{"2", "0", Chunk{Sequence: 2}, true, 0},
		{"0", "", Chunk{}, true, 400},
		{"-1", "", Chunk{}, true, 400},
		{"4611686018427387904", "", Chunk{}, true, 400},
		{"1 ", "", Chunk{}, true, 400},
	} {
		h := Header{"fn-seq": {c.sequence}, HeaderEnd: {c.end}}
		got, ok, err := ParseChunk(h)
		if got != c.want || ok != c.ok || CodeOf(err) != c.code {
			t.Errorf("%q: %+v, %t, %v", c.sequence, got, ok, err)
		}
		if again := (Header{}); ok && err == nil {
			got.Put(again)
			if back, _, _ := ParseChunk(again); back != got {
				t.Errorf("%+v comes back as %+v", got, back)
			}
		}
	}
}

func TestIsStreamSubject(t *testing.T) {
	for subject, want := range map[string]bool{
		"fn._stream.a.b": true, "fn._stream.a": false, "fn._stream.a.b.c": false, "fn._stream..b": false,
		"fn._stream.*.b": false, "fn._stream.a.>": false, "fn._stream.a.b c": false, "fn.greet": false, "": false,
		"fn._stream.a." + strings.Repeat("x", MaxSubject): false, "$JS.API.x.y": false,
	} {
		if got := IsStreamSubject(subject); got != want {
			t.Errorf("%.80q: %t", subject, got)
		}
	}
}

// TestStreamRequest checks that a request for a stream comes back as it was, and that of a body in chunks nothing is
// left that an older invoker would take for a body.
func TestStreamRequest(t *testing.T) {
	ask := Request{Function: Ref{Name: "f"}, Stream: true, Credit: 16, Chunks: true,
		Header: Header{"fn-body-size": {"3"}, "Fn-Body-Digest": {Digest(nil)}}}
	subject, h, body, err := ask.Message()
	if err != nil || len(body) > 0 {
		t.Fatal(body, err)
	}
	if _, err := ParseClaim(h); CodeOf(err) != CodeBadRequest {
		t.Errorf("an older invoker finds %v", err)
	}
	got, err := ParseRequest(subject, h, nil)
	if err != nil || !got.Stream || !got.Chunks || got.Credit != 16 || got.Claim != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, h := range []Header{{HeaderCredit: {"x"}}, {HeaderCredit: {"0"}}, {HeaderCredit: {"-1"}}} {
		if _, err := ParseRequest("fn.f", h, nil); err != nil {
			t.Errorf("%v of a call that asks for no stream: %v", h, err)
		}
		h[HeaderStream] = []string{"1"}
		if _, err := ParseRequest("fn.f", h, nil); CodeOf(err) != CodeBadRequest {
			t.Errorf("%v: %v", h, err)
		}
	}
}

// FuzzStreamHeaders reads what any client, or any invoker, may say of a stream.
func FuzzStreamHeaders(f *testing.F) {
	f.Add("1", "1", "16", "fn._stream.a.b")
	f.Add("0", "", "-1", "fn._stream.a.b\r\n")
	f.Add("18446744073709551615", "2", "+1", "fn._stream")
	f.Fuzz(func(t *testing.T, sequence, end, credit, subject string) {
		c, ok, err := ParseChunk(Header{HeaderSequence: {sequence}, HeaderEnd: {end}})
		if err != nil && CodeOf(err) != CodeBadRequest || ok && err == nil && (c.Sequence == 0 || c.Sequence>>62 > 0) {
			t.Errorf("chunk %+v, %v", c, err)
		}
		n, err := ParseCredit(credit)
		if err != nil && CodeOf(err) != CodeBadRequest || n < Cancel {
			t.Errorf("credit %d, %v", n, err)
		}
		if IsStreamSubject(subject) && (strings.ContainsAny(subject, "\r\n \t*>") || !strings.HasPrefix(subject, RootStream)) {
			t.Errorf("%q is the subject of a stream", subject)
		}
		if IsStreamSubject(subject) && CheckReply(subject, DefaultLine) == nil {
			t.Errorf("a request may be answered on %q", subject)
		}
	})
}
