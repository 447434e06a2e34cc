package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/protocol"
)

// http2 serves the first gateway by HTTP/2.
func (b *bed) http2(t *testing.T) *door {
	t.Helper()
	server := httptest.NewUnstartedServer(b.both[0])
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return &door{name: "HTTP/2", url: server.URL, client: server.Client()}
}

// A body that is too long ends its request, and not the connection, which others have too.
func TestTooLargeHTTP2(t *testing.T) {
	b := newBed(t)
	f := protocol.Function{Name: "small", Limits: protocol.Limits{Input: 10},
		HTTP: []protocol.HTTPRoute{{Route: "/stream", Stream: true}}}
	b.deploy(t, f, probe)
	d := b.http2(t)
	for i, path := range []string{"/fn/small", "/stream", "/job/small", "/fn/small"} {
		var got httptrace.GotConnInfo
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			GotConn: func(c httptrace.GotConnInfo) { got = c }})
		r, err := http.NewRequestWithContext(ctx, "POST", d.url+path, strings.NewReader("12345678901"))
		if err != nil {
			t.Fatal(err)
		}
		if a, err := d.send(r); err != nil || a.status != 413 || got.Reused != (i > 0) {
			t.Errorf("%d: %s: %v, %s; the connection is that of before: %t", i, path, err, a, got.Reused)
		}
	}
}

// HTTP/2 lets blanks into what is a line of a message of HTTP/1.1: none gets to a program that reads lines.
func TestBlanks(t *testing.T) {
	b := newBed(t)
	b.deployProbe(t, "probe", protocol.HTTPRoute{Route: "/inetd/{rest...}", Request: protocol.HTTPMessage})
	d := b.http2(t)
	for query, want := range map[string]int{"a HTTP/1.1": 400, "a=b c=d": 400, " a": 400, "a ": 400, "a=b%20c": 200} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", d.url+"/inetd/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.RawQuery = query
		if a, err := d.send(r); err != nil || a.status != want {
			t.Errorf("%q: %v, %s; want %d", query, err, a, want)
		}
	}
}
