package protocol

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// No header of polyvoke's or of NATS's own comes from a client, in whatever spelling that a process may take for it.
func TestOwnHeaders(t *testing.T) {
	for name, passes := range map[string]bool{
		"Fn-": false, "fn-": false, "Fn-Auth": false, "FN-AUTH": false, "Fn_": false, "Fn_auth": false, "fN_Auth": false,
		"Nats-": false, "nats-": false, "Nats-Msg-Id": false, "Nats_": false, "NATS_msg-id": false, "Fn": true, "Nats": true,
		"Fnord": true, "Fnord-X": true, "Natsume-X": true, "Fn.Auth": false, "nats!x": false, "Fn~": false, "X-Fn-Auth": true, "F-N": true, "": true,
	} {
		if OwnHeader(name) == passes {
			t.Errorf("%q is one's own: %v", name, passes)
		}
		q := HTTPRequest{Header: map[string][]string{name: {"x"}}}
		for _, q.Only = range [][]string{nil, {name}} {
			if h, err := q.Headers(); err != nil || (h[name] != nil) != passes {
				t.Errorf("%q of a client: %v, %v", name, h, err)
			}
		}
		reply, err := ReplyHTTP(HTTPCGI, []byte("Status: 200\n"+name+": x\n\n"))
		if name != "" && (err != nil || (len(reply.Header) > 0) != passes) {
			t.Errorf("%q of a function: %v, %v", name, reply.Header, err)
		}
	}
}

// FuzzHTTPRequest checks that nothing that a client sends becomes a header that means something on the way, that a
// message on stdin is the request that net/http reads, and that the environment of CGI has no traps.
func FuzzHTTPRequest(f *testing.F) {
	f.Add("GET", "/a/b%20c", "x=y", "example.org:8080", "X-Mine", "1", "/a/{id...}", "body")
	f.Add("POST", "/", "", "h", "Fn-Auth", "key:admin", "/", "")
	f.Add("PUT", "/x", "", "h", "Proxy", "http://evil", "/{x}", "b")
	f.Add("PUT", "/x", "", "h", "Connection", "X-Mine", "", "b")
	f.Add("PUT", "/x", "q", "[::1]:1", "Content_Type", "x", "GET /{a}", "b")
	f.Add("XaOST", "/", "", "h", "Fn-", "key:admin", "/", "")
	f.Add("GET", "/", "", "h", "Fn_Auth", "key:admin", "/", "")
	f.Add("GET", "/", "", "h", "Fn 1-Auth", "key:admin", "/", "")
	f.Add("GET", "/", "", "h", "F.n-Auth", "key:admin", "/", "")
	f.Add("GET", "/y", "", "h", "Fn-Param-Y", "z", "/{x}", "")
	f.Fuzz(func(t *testing.T, method, path, query, host, name, value, route, body string) {
		text := method + " " + withQuery(path, query) + " HTTP/1.1\r\nHost: " + host + "\r\n" + name + ": " + value + "\r\n\r\n"
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil || r.URL.Host != "" || r.URL.EscapedPath() == "" || r.ContentLength != 0 || len(r.TransferEncoding) > 0 {
			return // no gateway gets it
		}
		q := HTTPRequest{Kind: HTTPCGI, Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Host: r.Host,
			Route: route, Client: "127.0.0.1", Header: r.Header, Params: []HTTPParam{{"x", path}}}
		h, err := q.Headers()
		if err != nil {
			if CodeOf(err) != CodeHeaders {
				t.Errorf("code %d: %v", CodeOf(err), err)
			}
			return
		}
		q.Header = nil
		known, err := q.Headers() // which are all the gateway's
		if err != nil {
			t.Fatal(err)
		}
		q.Header = r.Header
		for k, v := range h {
			if (ours(k) || HopByHop(k) || k == "Proxy") && !slices.Equal(v, known[k]) {
				t.Errorf("the client's header %q has got through", k)
			}
		}
		checkMessage(t, &q, body)
		request := Request{Header: h, Body: []byte(body)}
		env, err := request.CGI(func() string { return "id" })
		if err != nil {
			return
		}
		for _, e := range env {
			variable, _, _ := strings.Cut(e, "=")
			if variable == "HTTP_PROXY" || ours(strings.TrimPrefix(variable, "HTTP_")) && variable != "FN_ID" ||
				strings.Contains(e, "\x00") {
				t.Errorf("a trap: %q", e)
			}
		}
	})
}

// ours reports whether a process may take a header, or its variable of CGI, for one of polyvoke's or of NATS's own.
func ours(name string) bool {
	name = strings.Map(variable, name)
	return strings.HasPrefix(name, "FN_") || strings.HasPrefix(name, "NATS_")
}

func isForged(variable string) bool {
	return strings.HasPrefix(variable, "HTTP_") && strings.HasSuffix(variable, "=forged")
}

// No header is a variable of CGI that another one is, too.
func TestCGINames(t *testing.T) {
	for name, is := range map[string]bool{"X-Mine": true, "x-mine": true, "X1": true, "X_Mine": false, "X.Mine": false,
		"X!Mine": false, "X~Mine": false, "Fn.Auth": false, "Fn-Auth": false, "Proxy": false, "X Mine": false} {
		r := Request{Header: Header{HeaderHTTP: {HTTPCGI}, name: {"forged"}}}
		env, err := r.CGI(func() string { return "id" })
		if got := slices.ContainsFunc(env, isForged); err != nil || got != is {
			t.Errorf("%q: %q, %v", name, env, err)
		}
	}
}

// checkMessage checks that a message on stdin is the request that it is made of.
func checkMessage(t *testing.T, q *HTTPRequest, body string) {
	t.Helper()
	b, err := q.Message([]byte(body))
	if err != nil {
		return
	}
	in := bufio.NewReader(bytes.NewReader(b))
	r, err := http.ReadRequest(in)
	if err != nil {
		t.Fatalf("net/http cannot read %q: %v", b, err)
	}
	got, err := io.ReadAll(r.Body)
	if rest, _ := io.ReadAll(in); err != nil || string(got) != body || len(rest) > 0 || r.Method != q.Method ||
		r.URL.EscapedPath() != q.Path || r.URL.RawQuery != q.Query {
		t.Errorf("%q is read as %s %s %q (%v), and %q is left", b, r.Method, r.URL, got, err, rest)
	}
}
