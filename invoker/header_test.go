package invoker_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// rawClient speaks to a NATS server without a client library, so that it can send what none would.
type rawClient struct {
	t  testing.TB
	c  net.Conn
	in *bufio.Reader
}

// newRawClient connects, and subscribes to the replies of request.
func newRawClient(t testing.TB, s *server.Server) *rawClient {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	r := &rawClient{t, c, bufio.NewReader(c)}
	r.send(`CONNECT {"verbose":false,"headers":true,"no_responders":true}` + "\r\nSUB answers 1\r\n")
	return r
}

func (r *rawClient) send(text string) {
	r.t.Helper()
	if err := r.c.SetDeadline(time.Now().Add(patience)); err != nil {
		r.t.Fatal(err)
	}
	if _, err := io.WriteString(r.c, text); err != nil {
		r.t.Fatal(err)
	}
}

// request sends a block of headers, as it is, and a body, and returns the reply.
func (r *rawClient) request(subject, block, body string) protocol.Reply {
	r.t.Helper()
	r.send(fmt.Sprintf("HPUB %s answers %d %d\r\n%s%s\r\n", subject, len(block), len(block)+len(body), block, body))
	for {
		line, err := r.in.ReadString('\n')
		if err != nil {
			r.t.Fatalf("%s with %.200q: %v", subject, block, err)
		}
		words := strings.Fields(line)
		switch words[0] {
		case "PING":
			r.send("PONG\r\n")
		case "-ERR":
			r.t.Fatalf("%s with %.200q: %s", subject, block, line)
		case "MSG", "HMSG":
			return r.reply(words)
		}
	}
}

// reply reads the message that the words of a line announce.
func (r *rawClient) reply(words []string) protocol.Reply {
	r.t.Helper()
	size, err := strconv.Atoi(words[len(words)-1])
	if err != nil {
		r.t.Fatal(err)
	}
	all := make([]byte, size+len("\r\n"))
	if _, err := io.ReadFull(r.in, all); err != nil {
		r.t.Fatal(err)
	}
	var h nats.Header
	headers := 0
	if words[0] == "HMSG" {
		if headers, err = strconv.Atoi(words[len(words)-2]); err == nil {
			h, err = nats.DecodeHeadersMsg(all[:headers])
		}
	}
	out, bad := protocol.ParseReply(protocol.Header(h), all[headers:size])
	if err != nil || bad != nil {
		r.t.Fatalf("%q: %v, %v", all, err, bad)
	}
	return out
}

// connectionOf returns the id that the server knows the connection of an invoker by.
func connectionOf(t testing.TB, s *server.Server, not *nats.Conn) uint64 {
	t.Helper()
	all, err := s.Connz(&server.ConnzOptions{Subscriptions: true})
	if err != nil {
		t.Fatal(err)
	}
	own, _ := not.GetClientID()
	for _, c := range all.Conns {
		if c.Cid != own && c.NumSubs > 5 {
			return c.Cid
		}
	}
	t.Fatal("the invoker is not connected")
	return 0
}

// headerBlock is a block of headers, and what a function that prints the header X-User does with it.
type headerBlock struct {
	about, block string
	want         string // the file; empty: there is none
	code         int    // of the error
	text         string // of its message
}

// headerBlocks returns blocks that no client library would send.
func headerBlocks() []headerBlock {
	many := func(n int, size int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "X-%d: %s\r\n", i, strings.Repeat("v", size))
		}
		return b.String()
	}
	return []headerBlock{
		{about: "none", block: "NATS/1.0\r\n\r\n", code: 404},
		{about: "one", block: "NATS/1.0\r\nX-User: a\r\n\r\n", want: "a"},
		{about: "without a blank", block: "NATS/1.0\r\nX-User:a\r\nFn-Id:7\r\n\r\n", want: "a"},
		{about: "with blanks", block: "NATS/1.0\r\nX-User:  \t a \r\n\r\n", want: "a "},
		{about: "line feeds only", block: "NATS/1.0\nX-User: a\n\n", want: "a"},
		{about: "with a status", block: "NATS/1.0 100 Go on\r\nX-User: a\r\n\r\n", want: "a"},
		{about: "in other cases", block: "NATS/1.0\r\nx-user: a\r\nX-USER: b\r\nX-User: c\r\nx-user: d\r\n\r\n",
			want: "a\nb\nc\nd"},
		{about: "in other cases, with a body", block: "NATS/1.0\r\nx-user: a\r\nX-User: b\r\n\r\n", want: "a\nb"},
		{about: "bytes", block: "NATS/1.0\r\nX-User: \xff\x00\x01\xc3\x28\r\r\n\r\n", want: "\xff\x00\x01\xc3\x28\r"},
		{about: "a line without a colon", block: "NATS/1.0\r\nX-User: a\r\nbroken\r\nFn-Dry-Run: 1\r\n\r\n",
			code: 400, text: `line 3 of the headers has no colon: "broken"`},
		{about: "a folded line", block: "NATS/1.0\r\nX-User: a\r\n more: b\r\nFn-Dry-Run: 1\r\n\r\n",
			code: 400, text: `header name " more"`},
		{about: "an empty line", block: "NATS/1.0\r\nX-User: a\r\n\r\nFn-Dry-Run: 1\r\n\r\n",
			code: 400, text: "line 3 of the headers is empty"},
		{about: "an empty line, with a status", block: "NATS/1.0 100 Go on\r\n\r\nFn-Dry-Run: 1\r\n\r\n",
			code: 400, text: "line 2 of the headers is empty"},
		{about: "an empty name among others without a blank", block: "NATS/1.0\r\na:1\r\nb:2\r\nc:3\r\n:\r\n\r\n",
			code: 400, text: "a header has no name"},
		{about: "more behind the end", block: "NATS/1.0\r\na:1\r\nb:2\r\n\r\nxx",
			code: 400, text: "line 4 of the headers is empty"},
		{about: "an empty name", block: "NATS/1.0\r\n: a\r\nFn-Dry-Run: 1\r\n\r\n", code: 400, text: "a header has no name"},
		{about: "a blank before the colon", block: "NATS/1.0\r\nFn-Dry-Run : 1\r\n\r\n",
			code: 400, text: `header name "Fn-Dry-Run "`},
		{about: "a name in other letters", block: "NATS/1.0\r\nF\u00fcn: 1\r\n\r\n",
			code: 400, text: "visible characters of ASCII"},
		{about: "another beginning", block: "NATS/2.0\r\nFn-Dry-Run: 1\r\n\r\n", code: 400, text: "not with NATS/1.0"},
		{about: "no beginning", block: "Fn-Dry-Run: 1\r\n\r\n", code: 400, text: "not with NATS/1.0"},
		{about: "no end", block: "NATS/1.0\r\nFn-Dry-Run: 1\r\n", code: 400, text: "has no end"},
		{about: "no line", block: "NATS/1.0", code: 400, text: "has no end"},
		{about: "an id with control characters", block: "NATS/1.0\r\nFn-Id: a\tb\r\n\r\n", code: 400, text: "Fn-Id"},
		{about: "an id that is not UTF-8", block: "NATS/1.0\r\nFn-Id: a\xff\r\n\r\n", code: 400, text: "Fn-Id"},
		{about: "a long id", block: "NATS/1.0\r\nFn-Id: " + strings.Repeat("a", 129) + "\r\n\r\n", code: 400, text: "Fn-Id"},
		{about: "as many as there may be", block: "NATS/1.0\r\n" + many(protocol.MaxHeaders-1, 200) + "X-User: a\r\n\r\n",
			want: "a"},
		{about: "one more", block: "NATS/1.0\r\n" + many(protocol.MaxHeaders, 1) + "X-User: a\r\n\r\n",
			code: 431, text: "257 headers"},
		{about: "many", block: "NATS/1.0\r\n" + many(20_000, 10) + "\r\n", code: 431, text: "20000 headers"},
		{about: "a long one", block: "NATS/1.0\r\n" + many(1, 64<<10) + "\r\n", code: 431, text: "65543 bytes"},
	}
}

// TestHeaderBlocks sends blocks of headers that no client library would. A broken one is refused, and nothing in it
// is ignored.
func TestHeaderBlocks(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	deploy(t, connect(t, s), protocol.Function{Name: "cat", Args: []string{"cat", "/request/headers/x-user"}}, probe())
	raw := newRawClient(t, s)
	for _, c := range headerBlocks() {
		for _, body := range []string{"", "body", strings.Repeat("x", 100<<10)} {
			r := raw.request("fn.cat", c.block, body)
			if c.code != 0 {
				if r.Err == nil || r.Err.Code != c.code || !strings.Contains(r.Err.Msg, c.text) {
					t.Errorf("%s: got %v (body %.80q), want code %d with %q", c.about, r.Err, r.Body, c.code, c.text)
				}
			} else if r.Err != nil || string(r.Body) != c.want {
				t.Errorf("%s: got %.80q, %v, want %.80q", c.about, r.Body, r.Err, c.want)
			}
		}
	}
}

// TestHeadersInEnvironment sends headers whose names become the same in the environment.
func TestHeadersInEnvironment(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	deploy(t, connect(t, s), protocol.Function{Name: "env", Meta: protocol.MetaEnv, Args: []string{"env"},
		Env: map[string]string{"HEADER_X_OWN": "mine", "FN_ID": "mine"}}, probe())
	raw := newRawClient(t, s)
	for range 5 {
		r := raw.request("fn.env", "NATS/1.0\r\nx_user: no\r\nX-User: a\r\nX_User: no\r\nx-user: b\r\nX-Own: no\r\n\r\n", "")
		got := map[string]string{}
		for _, e := range strings.Split(strings.TrimSuffix(string(r.Body), "\x00"), "\x00") {
			name, value, _ := strings.Cut(e, "=")
			got[name] = value
		}
		if got["HEADER_X_USER"] != "a, b" || got["HEADER_X_OWN"] != "mine" ||
			got["FN_ID"] != "mine" || got["FN_SUBJECT"] != "fn.env" {
			t.Fatalf("environment %q, error %v", got, r.Err)
		}
	}
	wantError(t, raw.request("fn.env", "NATS/1.0\r\nX: a\x00b\r\n\r\n", ""), protocol.CodeBadRequest,
		"HEADER_X has a NUL byte")
}

// FuzzHeaderBlock sends any block of headers: an invoker refuses it, or has understood all of it, and answers the
// next call on the same connection.
func FuzzHeaderBlock(f *testing.F) {
	for _, block := range []string{
		"NATS/1.0\r\nFn-Dry-Run: 1\r\n\r\n",
		"NATS/1.0\r\nx: a\r\nX: b\r\n\r\n",
		"NATS/1.0\r\n\r\nFn-Dry-Run: 1\r\n\r\n",
		"NATS/1.0\r\n:\r\nFn-Dry-Run:1\r\n\r\n",
		"NATS/1.0 503\r\nFn-Id:a\r\n\r\n",
		"\r\n\r\n",
		"NATS/1.0\nFn-Timeout: 1ns\n\n",
	} {
		f.Add([]byte(block), []byte("body"))
		f.Add([]byte(block), []byte(nil))
	}
	s := startServer(f)
	startInvoker(f, s)
	nc := connect(f, s)
	deployProbe(f, nc, "echo", protocol.Limits{})
	first := connectionOf(f, s, nc)
	raw := newRawClient(f, s)
	f.Fuzz(func(t *testing.T, block, body []byte) {
		if len(block) == 0 || len(block)+len(body) > 512<<10 || bytes.Contains(bytes.ToLower(block), []byte("fn-body-")) {
			return // it is not a message with headers, or not one of this test
		}
		raw.t = t
		h, broken := protocol.ParseHeader(block)
		want := protocol.Request{}
		if broken == nil {
			broken = want.ReadHeader(h)
		}
		r := raw.request("fn.echo", string(block), string(body))
		switch {
		case broken != nil:
			if r.Err == nil || r.Err.Code != protocol.CodeOf(broken) {
				t.Errorf("%q: got %v, want %v", block, r.Err, broken)
			}
		case r.Err != nil:
			if r.Err.Code != protocol.CodeTimeout {
				t.Errorf("%q: %v", block, r.Err)
			}
		case want.DryRun != (len(r.Body) == 0 && len(body) > 0) && len(body) > 0, !want.DryRun && !bytes.Equal(r.Body, body):
			t.Errorf("%q: a dry run is %t, the body %q", block, want.DryRun, r.Body)
		}
		if got := connectionOf(t, s, nc); got != first {
			t.Fatalf("%q: the invoker has a new connection", block)
		}
	})
}

// TestBytes sends every byte that NATS lets through, in arguments, headers and bodies.
func TestBytes(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	nc := connect(t, s)
	raw := newRawClient(t, s)
	deploy(t, nc, protocol.Function{Name: "args", Env: map[string]string{"PROBE": "args"},
		Triggers: []protocol.Trigger{{Subject: "bytes.*.*"}}}, probe())
	deploy(t, nc, protocol.Function{Name: "cat", Args: []string{"cat", "/request/headers/x"}}, probe())
	deploy(t, nc, protocol.Function{Name: "echo", Args: []string{"echo"}}, probe())
	deploy(t, nc, protocol.Function{Name: "env", Meta: protocol.MetaEnv, Args: []string{"env"}}, probe())
	for c := range 256 {
		b := string([]byte{'a', byte(c), 'z'})
		name := strconv.Quote(b)
		if r := raw.request("fn.echo", "NATS/1.0\r\n\r\n", b); string(r.Body) != b {
			t.Errorf("body %s: %q, %v", name, r.Body, r.Err)
		}
		if c != '\n' {
			if r := raw.request("fn.cat", "NATS/1.0\r\nX: "+b+"\r\n\r\n", ""); string(r.Body) != b {
				t.Errorf("header %s: %q, %v", name, r.Body, r.Err)
			}
			r := raw.request("fn.env", "NATS/1.0\r\nX: "+b+"\r\n\r\n", "")
			if c == 0 {
				wantError(t, r, protocol.CodeBadRequest, "NUL")
			} else if !bytes.Contains(r.Body, []byte("HEADER_X="+b+"\x00")) {
				t.Errorf("variable %s: %q, %v", name, r.Body, r.Err)
			}
		}
		if strings.ContainsRune(" \t\r\n.", rune(c)) {
			continue // it ends a token
		}
		r := raw.request("bytes.args."+b, "NATS/1.0\r\n\r\n", "")
		if c == 0 {
			wantError(t, r, protocol.CodeBadRequest, "NUL")
			wantError(t, raw.request("fn.args.args."+b, "NATS/1.0\r\n\r\n", ""), protocol.CodeBadRequest, "")
			continue
		}
		if string(r.Body) != "args\x00args\x00"+b+"\x00" {
			t.Errorf("argument %s by a trigger: %q, %v", name, r.Body, r.Err)
		}
		r = raw.request("fn.args.args."+b, "NATS/1.0\r\n\r\n", "")
		refused := c == '\f' && r.Err != nil && r.Err.Code == protocol.CodeBadRequest
		if string(r.Body) != "args\x00args\x00"+b+"\x00" && !refused {
			t.Errorf("argument %s: %q, %v", name, r.Body, r.Err)
		}
	}
}

// TestLargestRequests has functions ask for the largest input that is let in, of each kind, by each host call that
// gives it to them. Each ends within its time, or at its deadline.
func TestLargestRequests(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	nc := connect(t, s)
	raw := newRawClient(t, s)
	var headers, names strings.Builder
	headers.WriteString("NATS/1.0\r\n")
	value := strings.Repeat("v", protocol.MaxHeaderBytes/protocol.MaxHeaders-len("X-000: \r\n"))
	for i := range protocol.MaxHeaders {
		fmt.Fprintf(&headers, "X-%03d: %s\r\n", i, value)
		fmt.Fprintf(&names, "x-%03d\n", i)
	}
	headers.WriteString("\r\n")
	env := map[string]string{"PROBE": "env"}
	for i := range 4000 {
		env[fmt.Sprint("V", i)] = "12345678"
	}
	tokens := strings.Repeat(".a", 1900)
	large := strings.Repeat("x", 512<<10)
	for _, c := range []struct {
		about         string
		f             protocol.Function
		subject, body string
		size          int    // of the reply, at least
		begins        string // the reply
	}{
		{"list headers", protocol.Function{Args: []string{"ls", "/request/headers"}},
			"fn.f", "", names.Len(), names.String()},
		{"open a header", protocol.Function{Args: []string{"cat", "/request/headers/x-255"}}, "fn.f", "", 200, "vvv"},
		{"hold headers", protocol.Function{Args: []string{"hold", "/request/headers/x-255", "10000"}}, "fn.f", "", 2, ""},
		{"environment by headers", protocol.Function{Meta: protocol.MetaEnv, Args: []string{"env"}},
			"fn.f", "", protocol.MaxHeaderBytes * 9 / 10, "FN_ID="},
		{"environment", protocol.Function{Env: env}, "fn.f", "", 57 << 10, ""},
		{"arguments", protocol.Function{Args: []string{"x"}, Env: map[string]string{"PROBE": "args"},
			Triggers: []protocol.Trigger{{Subject: "many.>"}}},
			"many.args" + tokens, "", 2 * 1900, "f\x00args\x00a\x00"},
		{"body", protocol.Function{Args: []string{"echo"}}, "fn.f", large, len(large), "xxx"},
		{"body, twice", protocol.Function{Args: []string{"twice"}}, "fn.f", large, 0, fmt.Sprintf("%d\n0\n", len(large))},
	} {
		c.f.Name = "f"
		deploy(t, nc, c.f, probe())
		r := raw.request(c.subject, headers.String(), c.body)
		if r.Err != nil || len(r.Body) < c.size || !strings.HasPrefix(string(r.Body), c.begins) {
			t.Errorf("%s: got %d bytes, %.60q, error %v, want %d bytes", c.about, len(r.Body), r.Body, r.Err, c.size)
		}
		but := strings.TrimSuffix(headers.String(), "X-255: "+value+"\r\n\r\n")
		for _, short := range []string{"1ms", "3ms", "10ms"} {
			r := raw.request(c.subject, but+"Fn-Timeout: "+short+"\r\n\r\n", c.body)
			if r.Err != nil && r.Err.Code != protocol.CodeTimeout && r.Exit != 66 {
				t.Errorf("%s within %s: %v", c.about, short, r.Err)
			}
		}
	}
}

// TestReplyOfHTTP checks that the success of a request of HTTP has no headers, since its gateway made the id, and that
// all else has the id.
func TestReplyOfHTTP(t *testing.T) {
	s := startServer(t)
	nc := connect(t, s)
	startInvoker(t, s)
	deployProbe(t, nc, "probe", protocol.Limits{})
	for _, tt := range []struct {
		about, subject string
		header         []string
		id             bool
	}{
		{"of HTTP", "fn.probe.echo", []string{protocol.HeaderHTTP, protocol.HTTPFiles}, false},
		{"not of HTTP", "fn.probe.echo", nil, true},
		{"of HTTP, with a report", "fn.probe.echo", []string{protocol.HeaderHTTP, "files", protocol.HeaderReport, "1"}, true},
		{"of HTTP, a failure", "fn.probe.exit.65", []string{protocol.HeaderHTTP, protocol.HTTPFiles}, true},
	} {
		r := call(t, nc, tt.subject, nil, append(tt.header, protocol.HeaderID, "the-id")...)
		if got := r.ID == "the-id"; got != tt.id || !tt.id && len(r.Header) > 0 {
			t.Errorf("%s: %+v", tt.about, r)
		}
	}
}
