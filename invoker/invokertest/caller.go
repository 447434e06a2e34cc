package invokertest

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// callerProbe is the function that TestCaller calls.
const callerProbe = "caller-probe"

// callerCase is one call, and what must come of it.
type callerCase struct {
	about   string
	request protocol.Request // of callerProbe unless it names another
	timeout time.Duration    // of the context; 0: none, less: it has ended
	code    int              // of the failure; 0: none
	exit    int              // of a reply; ignored without one
	body    string           // of a success
}

// callerCases returns the table of TestCaller.
func callerCases() []callerCase {
	const probe = callerProbe
	large := strings.Repeat("0123456789abcdef", 3<<20/16) // more than a message takes
	name := func(name, version string) protocol.Ref { return protocol.Ref{Name: name, Version: version} }
	header := func(name, value string) protocol.Header { return protocol.Header{name: {value}} }
	loop := protocol.Request{Args: []string{"loop"}}
	patient := protocol.Request{Args: []string{"loop"}, Timeout: 100 * time.Millisecond}
	return []callerCase{
		{about: "a body", request: protocol.Request{Body: []byte("Hello")}, body: "Hello"},
		{about: "bytes", request: protocol.Request{Body: []byte("\x00\xff\r\n")}, body: "\x00\xff\r\n"},
		{about: "nothing"},
		{about: "a large body", request: protocol.Request{Body: []byte(large)}, body: large},
		{about: "arguments", request: protocol.Request{Args: []string{"args", "a", "@b"}},
			body: probe + "\x00args\x00a\x00@b\x00"},
		{about: "a version", request: protocol.Request{Function: name(probe, "1"), Body: []byte("1")}, body: "1"},
		{about: "a header", request: protocol.Request{Header: header("Mine", "x"), Body: []byte("x")}, body: "x"},
		{about: "an id", request: protocol.Request{ID: "my id", Body: []byte("x")}, body: "x"},
		{about: "a report", request: protocol.Request{Report: true, Body: []byte("x")}, body: "x"},
		{about: "a time", request: protocol.Request{Timeout: time.Minute, Body: []byte("x")}, timeout: patience, body: "x"},
		{about: "exit 65", request: protocol.Request{Args: []string{"exit", "65"}}, code: 400, exit: 65},
		{about: "exit 66", request: protocol.Request{Args: []string{"exit", "66"}}, code: 404, exit: 66},
		{about: "exit 75", request: protocol.Request{Args: []string{"exit", "75"}}, code: 503, exit: 75},
		{about: "exit 77", request: protocol.Request{Args: []string{"exit", "77"}}, code: 403, exit: 77},
		{about: "exit 3", request: protocol.Request{Args: []string{"exit", "3"}}, code: 500, exit: 3},
		{about: "a trap", request: protocol.Request{Args: []string{"trap"}}, code: 500, exit: -1},
		{about: "no such function", request: protocol.Request{Function: name("no-such", "")}, code: 404, exit: -1},
		{about: "no such version", request: protocol.Request{Function: name(probe, "77")}, code: 404, exit: -1},
		{about: "the context's deadline", request: loop, timeout: 100 * time.Millisecond, code: 504, exit: -1},
		{about: "the request's time", request: patient, code: 504, exit: -1},
		{about: "a context that has ended", request: loop, timeout: -1, code: 503, exit: -1},
	}
}

// TestCaller checks that a Caller keeps to what protocol.Caller says, as testing/fstest.TestFS does for an fs.FS. It
// deploys a function on s, which must be reachable by the Caller.
func TestCaller(t *testing.T, s *Server, c protocol.Caller) {
	t.Helper()
	f := protocol.Function{Name: callerProbe, Limits: protocol.Limits{Timeout: protocol.Duration(time.Minute)}}
	if _, err := s.Client.Deploy(t.Context(), f, runtimestest.Wasm()); err != nil {
		t.Fatal(err)
	}
	for _, tt := range callerCases() {
		if tt.request.Function.Name == "" {
			tt.request.Function.Name = callerProbe
		}
		tt.check(t, c)
	}
}

// check makes one call, and looks at what has come of it.
func (tt *callerCase) check(t *testing.T, c protocol.Caller) {
	t.Helper()
	wait := patience
	if tt.timeout > 0 {
		wait = tt.timeout
	}
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	if tt.timeout < 0 {
		cancel()
	}
	r := tt.request
	r.Body = bytes.Clone(r.Body)
	reply, err := c.Call(ctx, &r)
	code := protocol.CodeOf(protocol.Failure(reply, err))
	switch {
	case (reply == nil) == (err == nil):
		t.Errorf("%s: the reply is %+v and the error %v: one must be nil", tt.about, reply, err)
	case code != tt.code:
		t.Errorf("%s: code %d, want %d: %v", tt.about, code, tt.code, protocol.Failure(reply, err))
	case reply != nil && reply.Exit != tt.exit:
		t.Errorf("%s: exit %d, want %d", tt.about, reply.Exit, tt.exit)
	case code == 0 && string(reply.Body) != tt.body:
		t.Errorf("%s: the body is %.100q (%d bytes), want %.100q", tt.about, reply.Body, len(reply.Body), tt.body)
	case code == 0 && r.ID != "" && reply.ID != r.ID:
		t.Errorf("%s: the id is %q, want %q", tt.about, reply.ID, r.ID)
	case code == 0 && r.Report && (reply.Report == nil || reply.Report.Function.String() != callerProbe+"@1"):
		t.Errorf("%s: the report is %+v", tt.about, reply.Report)
	}
	tt.unchanged(t, &r)
	if reply != nil && len(r.Body) > 0 && code == 0 { // whoever made the request may use its memory again
		clear(r.Body)
		if string(reply.Body) != tt.body {
			t.Errorf("%s: the reply shares memory with the request", tt.about)
		}
	}
}

// unchanged checks that a request is still what it was before the call.
func (tt *callerCase) unchanged(t *testing.T, r *protocol.Request) {
	t.Helper()
	was := &tt.request
	if r.ID != was.ID || r.Claim != nil || r.Timeout != was.Timeout || !r.Deadline.IsZero() || r.Subject != "" ||
		!bytes.Equal(r.Body, was.Body) || len(r.Header) != len(was.Header) || len(r.Args) != len(was.Args) {
		t.Errorf("%s: the call has changed its request", tt.about)
	}
}
