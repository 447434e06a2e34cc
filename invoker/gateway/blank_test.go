package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/polyvoke/polyvoke/protocol"
)

// HTTP/2 lets blanks into what is a line of a message of HTTP/1.1: none gets to a program that reads lines.
func TestBlanks(t *testing.T) {
	b := newBed(t)
	b.deployProbe(t, "probe", protocol.HTTPRoute{Route: "/inetd/{rest...}", Request: protocol.HTTPMessage})
	server := httptest.NewUnstartedServer(b.both[0])
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	d := &door{name: "HTTP/2", url: server.URL, client: server.Client()}
	for query, want := range map[string]int{"a HTTP/1.1": 400, "a=b c=d": 400, " a": 400, "a ": 400, "a=b%20c": 200} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/inetd/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.RawQuery = query
		if a, err := d.send(r); err != nil || a.status != want {
			t.Errorf("%q: %v, %s; want %d", query, err, a, want)
		}
	}
}
