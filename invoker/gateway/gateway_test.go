package gateway_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// probe is the conformance suite's probe.
var probe = runtimestest.Wasm()

// probeRoutes are the routes of the probe: its mode and arguments are in the path.
var probeRoutes = []protocol.HTTPRoute{
	{Route: "/probe/{mode}", Args: true},
	{Route: "/probe/{mode}/{a}", Args: true},
	{Route: "/probe/{mode}/{a}/{b}", Args: true},
	{Route: "POST /cgi", Reply: protocol.HTTPCGI},
	{Route: "POST /message", Reply: protocol.HTTPMessage},
	{Route: "POST /inetd", Request: protocol.HTTPMessage},
	{Route: "POST /typed", Type: "application/json"},
	{Route: "GET /narrow/{mode}/{a...}", Args: true, Headers: []string{"x-one"}},
	{Route: "example.org/{$}"},
	{Route: "GET /tree/"},
}

// answerCases are requests, and what must be in their answers. Both ways to the function give the same.
var answerCases = []struct {
	about, method, path, body string
	header                    []string
	status                    int
	want                      string // in the answer; lines of headers are in it
}{
	{"a body", "POST", "/fn/probe", "hello", nil, 200, "Content-Type: text/plain; charset=utf-8\n"},
	{"the body", "POST", "/fn/probe", "hello", nil, 200, "hello"},
	{"nothing", "POST", "/fn/probe", "", nil, 204, "Fn-Id: ID"},
	{"no page is guessed", "POST", "/fn/probe", "<html><script>", nil, 200, "Content-Type: text/plain; charset=utf-8\n"},
	{"an image is", "POST", "/fn/probe", "\x89PNG\r\n\x1a\n", nil, 200, "Content-Type: image/png\n"},
	{"no sniffing", "POST", "/fn/probe", "x", nil, 200, "X-Content-Type-Options: nosniff\n"},
	{"HEAD", "HEAD", "/probe/args/x", "", nil, 200, "Content-Length: 13\n"},
	{"a type", "POST", "/typed", "{}", nil, 200, "Content-Type: application/json\n"},
	{"a type of nothing", "POST", "/typed", "", nil, 200, "Content-Type: application/json\n"},
	{"a version", "POST", "/fn/probe@1", "x", nil, 200, "x"},
	{"an escaped version", "POST", "/fn/probe%401", "x", nil, 200, "x"},
	{"no such version", "POST", "/fn/probe@7", "x", nil, 404, `there is no function probe@7`},
	{"no such function", "POST", "/fn/nobody", "x", nil, 404, `there is no function nobody`},
	{"no name", "POST", "/fn/", "x", nil, 400, "a function needs a name"},
	{"a bad name", "POST", "/fn/a.b", "x", nil, 400, `function name`},
	{"arguments", "GET", "/probe/args/b%20c", "", nil, 200, "probe\x00args\x00b c\x00"},
	{"an argument with a dot", "GET", "/probe/args/a.b", "", nil, 200, "probe\x00args\x00a.b\x00"},
	{"exit 65", "GET", "/probe/exit/65", "", nil, 400, `"exit":65`},
	{"exit 66", "GET", "/probe/exit/66", "", nil, 404, `"exit":66`},
	{"exit 69", "GET", "/probe/exit/69", "", nil, 503, "Retry-After: 1\n"},
	{"exit 75", "GET", "/probe/exit/75", "", nil, 503, `"exit":75`},
	{"exit 77", "GET", "/probe/exit/77", "", nil, 403, `"exit":77`},
	{"exit 3", "GET", "/probe/exit/3", "", nil, 500, `"status":500`},
	{"a problem", "GET", "/probe/exit/3", "", nil, 500, "Content-Type: application/problem+json\n"},
	{"a problem as text", "GET", "/probe/exit/3", "", []string{"Accept: text/plain"}, 500, "500 Internal Server Error: "},
	{"JSON if it is accepted too", "GET", "/probe/exit/3", "", []string{"Accept: text/plain, */*;q=0.1"}, 500, `"status":500`},
	{"a trap", "GET", "/probe/trap", "", nil, 500, `"instance":"urn:uuid:ID"`},
	{"method", "GET", "/probe/cat/%2Frequest%2Fmethod", "", nil, 200, "GET"},
	{"path", "GET", "/probe/cat/%2Frequest%2Fpath?a=b", "", nil, 200, "/probe/cat/%2Frequest%2Fpath"},
	{"query", "GET", "/probe/cat/%2Frequest%2Fquery?a=b&c=%20", "", nil, 200, "a=b&c=%20"},
	{"route", "GET", "/probe/cat/%2Frequest%2Froute", "", nil, 200, "/probe/{mode}/{a}"},
	{"client", "GET", "/probe/cat/%2Frequest%2Fclient", "", nil, 200, "127.0.0.1"},
	{"a parameter", "GET", "/probe/cat/%2Frequest%2Fparams%2Fa", "", nil, 200, "/request/params/a"},
	{"a header", "GET", "/probe/cat/%2Frequest%2Fheaders%2Fx-mine", "", []string{"X-Mine: 1"}, 200, "1"},
	{"headers that come twice", "GET", "/probe/cat/%2Frequest%2Fheaders%2Fx", "", []string{"X: 1", "X: 2"}, 200, "1\n2"},
	{"Host", "GET", "/probe/cat/%2Frequest%2Fheaders%2Fhost", "", []string{"Host: me.example"}, 200, "me.example"},
	{"traceparent", "GET", "/narrow/cat/%2Frequest%2Fheaders%2Ftraceparent", "",
		[]string{"Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, 200, "00-0af7651916cd43dd"},
	{"a header of the list", "GET", "/narrow/cat/%2Frequest%2Fheaders%2Fx-one", "", []string{"X-One: 1"}, 200, "1"},
	{"CGI", "POST", "/cgi", "Status: 418 Teapot\nX-Y: z\nSet-Cookie: a\nSet-Cookie: b\n\nhello", nil, 418,
		"Set-Cookie: a\nSet-Cookie: b\n"},
	{"CGI without a block", "POST", "/cgi", "hello", nil, 502, "no empty line ends its headers"},
	{"CGI with a control character", "POST", "/cgi", "Status: 200\nX: a\rY: b\n\n", nil, 502, "has a control character"},
	{"CGI's location", "POST", "/cgi", "Location: /here\n\n", nil, 302, "Location: /here\n"},
	{"CGI's length", "POST", "/cgi", "Status: 200\nContent-Length: 99\n\nhello", nil, 200, "Content-Length: 5\n"},
	{"CGI's framing", "POST", "/cgi", "Status: 200\nTransfer-Encoding: chunked\nConnection: x\n\nhello", nil, 200, "hello"},
	{"a message", "POST", "/message", "HTTP/1.1 201 Created\r\nX: y\r\nContent-Length: 2\r\n\r\nhi", nil, 201, "X: y\n"},
	{"a message without its body", "POST", "/message", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", nil, 502,
		"its body has 0 bytes, and its Content-Length says 2"},
	{"a message without a body", "POST", "/message", "HTTP/1.1 304 N\r\nContent-Length: 2\r\nX: y\r\n\r\n", nil, 304,
		"X: y\n"},
	{"a broken message", "POST", "/message", "hello", nil, 502, "no empty line"},
	{"a message on stdin", "POST", "/inetd?a=b", "hi", []string{"Host: me.example", "X-B: 2", "X-A: 1"}, 200,
		"POST /inetd?a=b HTTP/1.1\r\nHost: me.example\r\nAccept-Encoding: identity\r\nUser-Agent: Go-http-client/1.1\r\n" +
			"X-A: 1\r\nX-B: 2\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"},
	{"a host", "GET", "/", "", []string{"Host: EXAMPLE.org:8080"}, 204, ""},
	{"another host", "GET", "/", "", nil, 404, "no function has a route"},
	{"another method", "PUT", "/cgi", "", nil, 405, "Allow: POST, OPTIONS\n"},
	{"OPTIONS", "OPTIONS", "/cgi", "", nil, 204, "Allow: POST, OPTIONS\n"},
	{"CONNECT", "CONNECT", "/fn/probe", "", nil, 501, "a gateway is no proxy"},
	{"CONNECT of a route", "CONNECT", "/probe/args", "", nil, 501, "a gateway is no proxy"},
	{"CONNECT of a job", "CONNECT", "/job/probe", "", nil, 501, "a gateway is no proxy"},
	{"OPTIONS of a function", "OPTIONS", "/fn/probe", "", nil, 204, "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\n"},
	{"an unclean path", "GET", "//probe/./args", "", nil, 307, "Location: /probe/args\n"},
	{"a path without its slash", "GET", "/tree", "", nil, 307, "Location: /tree/\n"},
	{"the rest is as it was sent", "GET", "/fn/probe/a//../%2e%2E", "", nil, 204, ""},
}

// Each request has the same answer from both gateways, to the byte.
func TestAnswers(t *testing.T) {
	b := newBed(t)
	b.deployProbe(t, "probe", probeRoutes...)
	for _, tt := range answerCases {
		header := append([]string{"Accept-Encoding: identity"}, tt.header...)
		a := b.same(t, tt.method, tt.path, tt.body, header...)
		if a.status != tt.status || !strings.Contains(a.String(), tt.want) {
			t.Errorf("%s: %s %s: want %d with %q, got\n%s", tt.about, tt.method, tt.path, tt.status, tt.want, a)
		}
		if !uuidForm.MatchString(a.header.Get("Fn-Id")) {
			t.Errorf("%s: the answer has no Fn-Id", tt.about)
		}
	}
}

// What means something on the way does not come from a client.
func TestForbiddenHeaders(t *testing.T) {
	b := newBed(t)
	b.deployProbe(t, "probe", probeRoutes...)
	for _, name := range []string{"Fn-Id", "fn-report", "Fn-Dry-Run", "FN-AUTH", "Nats-Msg-Id", "Fn-Body-Object", "Proxy",
		"Proxy-Authorization", "Keep-Alive", "Te", "X-Forwarded-For", "Forwarded", "X-Real-Ip", "Fn-Hops", "Fn-Param-Mode"} {
		a := b.same(t, "GET", "/probe/cat/%2Frequest%2Fheaders%2F"+strings.ToLower(name), "", name+": forged")
		if strings.Contains(a.String(), "forged") {
			t.Errorf("%s has got through: %s", name, a)
		}
	}
	a := b.same(t, "GET", "/probe/cat/%2Frequest%2Fheaders%2Fx-mine", "", "Connection: x-mine", "X-Mine: 1")
	if a.status == 200 {
		t.Errorf("a header that Connection names has got through: %s", a)
	}
}

// A body that is too long is refused before, or while, it comes, however the function is called.
func TestTooLarge(t *testing.T) {
	b := newBed(t)
	f := protocol.Function{Name: "small", Limits: protocol.Limits{Input: 10}}
	b.deploy(t, f, probe)
	for _, path := range []string{"/fn/small", "/job/small"} {
		for _, chunked := range []bool{false, true} {
			for _, d := range b.both {
				r, err := http.NewRequestWithContext(t.Context(), "POST", d.url+path, strings.NewReader("12345678901"))
				if err != nil {
					t.Fatal(err)
				}
				if chunked {
					r.ContentLength = -1
				}
				a, err := d.send(r)
				if err != nil || a.status != 413 || !strings.Contains(a.body, "the most that small takes (limits.input)") {
					t.Errorf("%s %s, chunked %t: %v, %s", d.name, path, chunked, err, a)
				}
			}
		}
	}
	if a := b.same(t, "POST", "/fn/small", "1234567890"); a.status != 200 {
		t.Errorf("a body of the limit: %s", a)
	}
}

// A body that is too large for a message comes and goes all the same.
func TestLargeBodies(t *testing.T) {
	b := newBed(t)
	b.deployProbe(t, "probe")
	large := strings.Repeat("ghijklmnopqrstuv", 3<<20/16) // nothing that ids could begin with
	if a := b.same(t, "POST", "/fn/probe", large, "Accept-Encoding: identity"); a.status != 200 || a.body != large {
		t.Errorf("status %d, %d bytes", a.status, len(a.body))
	}
}

// Many headers are refused with the same code on both ways, and as many as are allowed get through.
func TestManyHeaders(t *testing.T) {
	b := newBed(t)
	b.deployProbe(t, "probe", probeRoutes...)
	for n, want := range map[int]int{200: 200, 300: 431} {
		lines := make([]string, n)
		for i := range lines {
			lines[i] = "X: 1"
		}
		if a := b.same(t, "POST", "/fn/probe", "x", lines...); a.status != want {
			t.Errorf("%d headers: %s", n, a)
		}
	}
}

// A new version has its routes at once, and a function that is gone has none.
func TestRoutesFollow(t *testing.T) {
	b := newBed(t)
	b.deployProbe(t, "probe", protocol.HTTPRoute{Route: "/one"})
	b.same(t, "GET", "/one", "")
	b.deployProbe(t, "probe", protocol.HTTPRoute{Route: "/two"})
	if a := b.same(t, "GET", "/one", ""); a.status != 404 {
		t.Errorf("the old route: %s", a)
	}
	if a := b.same(t, "GET", "/two", ""); a.status != 204 {
		t.Errorf("the new route: %s", a)
	}
	for _, d := range b.both {
		d.Remove("probe")
	}
	if a := b.same(t, "GET", "/two", ""); a.status != 404 {
		t.Errorf("the route of no function: %s", a)
	}
}

// A deployment whose route conflicts with another function's is refused, and says whose.
func TestConflict(t *testing.T) {
	b := newBed(t)
	b.deployProbe(t, "first", protocol.HTTPRoute{Route: "GET /orders/{id}"})
	f := protocol.Function{Name: "second", HTTP: []protocol.HTTPRoute{{Route: "GET /orders/{name}"}}}
	_, err := b.Client.Deploy(t.Context(), f, probe)
	if protocol.CodeOf(err) != protocol.CodeConflict || !strings.Contains(err.Error(), "function first has") {
		t.Errorf("a route of another function's: %v", err)
	}
	f.HTTP[0].Route = "GET /orders/new"
	b.deploy(t, f, probe)
	b.deployProbe(t, "first", protocol.HTTPRoute{Route: "GET /orders/{x}"}, protocol.HTTPRoute{Route: "GET /orders/"})
	if _, err := b.Client.Remove(t.Context(), "first"); err != nil {
		t.Fatal(err)
	}
	f.HTTP[0].Route = "GET /orders/{name}"
	b.deploy(t, f, probe)
}

// Two functions that conflict all the same, as two invokers can deploy them, do no harm: one of them has the route.
func TestConflictAtOnce(t *testing.T) {
	b := newBed(t)
	b.deployProbe(t, "b", protocol.HTTPRoute{Route: "/x/{b}"})
	for _, d := range b.both {
		d.Apply(&protocol.Function{Name: "a", HTTP: []protocol.HTTPRoute{{Route: "/x/{a}"}, {Route: "/y/{a}"}}})
	}
	if a := b.same(t, "GET", "/x/1", ""); !strings.Contains(a.body, "function a:") {
		t.Errorf("the route is not that of a: %s", a)
	}
}

// Jobs are made and looked at by HTTP.
func TestJobs(t *testing.T) {
	b := newBed(t)
	b.deploy(t, protocol.Function{Name: "work", Job: &protocol.Job{Attempts: 1}}, probe)
	d := b.both[1]
	a := d.ask(t, "POST", "/job/work", "hello", "Idempotency-Key: k1")
	if a.status != 202 || a.header.Get("Location") != "/job/work.k1" || !json.Valid([]byte(a.body)) {
		t.Fatalf("a job: %s", a)
	}
	if a := d.ask(t, "POST", "/job/work", "hello", "Idempotency-Key: k1"); !strings.Contains(a.body, `"duplicate":true`) {
		t.Errorf("the job again: %s", a)
	}
	for end := time.Now().Add(patience); ; {
		a = d.ask(t, "GET", "/job/work.k1", "")
		if a.status != 202 || time.Now().After(end) {
			break
		}
	}
	if a.status != 200 || a.body != "hello" {
		t.Errorf("its outcome: %s", a)
	}
	for path, want := range map[string]int{"/job/work.nobody": 404, "/job/nobody.1": 404, "/job/": 400, "/job/x": 400} {
		if a := d.ask(t, "GET", path, ""); a.status != want {
			t.Errorf("GET %s: %s", path, a)
		}
	}
	if a := d.ask(t, "DELETE", "/job/work", ""); a.status != 405 {
		t.Errorf("DELETE: %s", a)
	}
	if a := d.ask(t, "POST", "/job/nobody", ""); a.status != 404 {
		t.Errorf("a job of no function: %s", a)
	}
}
