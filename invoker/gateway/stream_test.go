package gateway_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/gateway"
	"github.com/polyvoke/polyvoke/protocol"
)

// streamRoutes are routes of the probe whose bodies go on as they are written.
var streamRoutes = []protocol.HTTPRoute{
	{Route: "POST /stream", Stream: true, Type: "text/event-stream"},
	{Route: "POST /cgi-stream", Stream: true, Request: protocol.HTTPCGI, Reply: protocol.HTTPCGI},
	{Route: "POST /impatient", Stream: true, Idle: protocol.Duration(time.Second)}, // in which a busy machine begins
	{Route: "GET /probe/{mode}/{a}", Stream: true, Args: true},
}

// newStreams starts a bed with the probe on streamRoutes.
func newStreams(t *testing.T, change ...func(*gateway.Config)) *bed {
	t.Helper()
	b := newBed(t, change...)
	f := protocol.Function{Name: "probe", HTTP: streamRoutes, Limits: protocol.Limits{Input: 1 << 20,
		Timeout: protocol.Duration(patience)}}
	b.deploy(t, f, probe)
	return b
}

// open begins a request whose body is a pipe, and returns the answer when its headers have come.
func (d *door) open(t *testing.T, path, first string) (*io.PipeWriter, *http.Response) {
	t.Helper()
	in, out := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), "POST", d.url+path, in)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(out, first) }()
	resp, err := d.client.Do(r)
	if err != nil {
		t.Fatalf("%s: %v", d.name, err)
	}
	t.Cleanup(func() { out.Close(); resp.Body.Close() })
	return out, resp
}

// What a client sends is with the process, and what that writes is with the client, before the next is sent.
func TestStream(t *testing.T) {
	b := newStreams(t)
	for _, d := range b.both {
		out, resp := d.open(t, "/stream", "0\n")
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" ||
			resp.Header.Get("Cache-Control") != "no-store" || resp.ContentLength >= 0 {
			t.Errorf("%s: %d %v", d.name, resp.StatusCode, resp.Header)
		}
		in := bufio.NewReader(resp.Body)
		for _, want := range []string{"0\n", "1\n", "2\n", "3\n"} {
			if want != "0\n" {
				if _, err := io.WriteString(out, want); err != nil {
					t.Fatal(err)
				}
			}
			if line, err := in.ReadString('\n'); line != want || err != nil {
				t.Fatalf("%s: %q, %v; want %q", d.name, line, err, want)
			}
		}
		out.Close()
		if rest, err := io.ReadAll(in); len(rest) > 0 || err != nil {
			t.Errorf("%s: %q, %v at the end", d.name, rest, err)
		}
	}
}

// Headers that a function writes come before its body, in however many pieces.
func TestStreamCGI(t *testing.T) {
	b := newStreams(t)
	for _, d := range b.both {
		out, resp := d.open(t, "/cgi-stream", "Status: 201\nX-A: b\n\nx")
		if resp.StatusCode != 201 || resp.Header.Get("X-A") != "b" {
			t.Errorf("%s: %d %v", d.name, resp.StatusCode, resp.Header)
		}
		out.Close()
		if rest, err := io.ReadAll(resp.Body); string(rest) != "x" || err != nil {
			t.Errorf("%s: %q, %v", d.name, rest, err)
		}
	}
	for _, status := range []int{204, 304} { // which have no body, as without stream
		a := b.same(t, "POST", "/cgi-stream", fmt.Sprintf("Status: %d\nX-A: b\n\nignored", status))
		if a.status != status || a.header.Get("X-A") != "b" || a.body != "" || a.header.Get("Content-Type") != "" {
			t.Errorf("%d with a body: %s", status, a)
		}
	}
	for body, want := range map[string]int{"Status: 204\n\n": 204, "Status: 77\n\n": 502, "no block": 502, "": 502,
		"X: " + strings.Repeat("x", 1<<17): 502} {
		if a := b.same(t, "POST", "/cgi-stream", body); a.status != want {
			t.Errorf("%.20q: %.300s; want %d", body, a, want)
		}
	}
}

// A stream that fails before it has begun is answered as any call.
func TestStreamFailsEarly(t *testing.T) {
	b := newStreams(t)
	if a := b.same(t, "GET", "/probe/exit/66", ""); a.status != 404 || !strings.Contains(a.body, `"exit":66`) {
		t.Errorf("exit 66: %s", a)
	}
	if a := b.same(t, "POST", "/stream", strings.Repeat("x", 1<<20+1)); a.status != 413 {
		t.Errorf("a long body: %s", a)
	}
	if a := b.same(t, "POST", "/stream", ""); a.status != 200 || a.body != "" {
		t.Errorf("nothing: %s", a)
	}
}

// A stream of which nothing comes for too long is cut: never a quiet end.
func TestStreamIdle(t *testing.T) {
	ended := make(watcher, 10)
	b := newStreams(t, func(c *gateway.Config) { c.Observers = []gateway.Observer{ended} })
	for _, d := range b.both {
		_, resp := d.open(t, "/impatient", "x")
		if rest, err := io.ReadAll(resp.Body); err == nil || string(rest) != "x" {
			t.Errorf("%s: %q, %v; want an error", d.name, rest, err)
		}
		if e := <-ended; !e.Aborted || e.Cut != gateway.CutIdle {
			t.Errorf("%s: %+v", d.name, e)
		}
	}
}

// A stream whose function fails when it has begun is cut, and observers are told why.
func TestStreamCut(t *testing.T) {
	ended := make(watcher, 10)
	b := newStreams(t, func(c *gateway.Config) { c.Observers = []gateway.Observer{ended} })
	for name, limits := range map[string]protocol.Limits{
		gateway.CutInput:   {Input: 4, Timeout: protocol.Duration(patience)},
		gateway.CutTimeout: {Timeout: protocol.Duration(2 * time.Second)},
	} {
		f := protocol.Function{Name: name, Limits: limits,
			HTTP: []protocol.HTTPRoute{{Route: "POST /short/" + name, Stream: true}}}
		b.deploy(t, f, probe)
	}
	for _, d := range b.both {
		for _, tt := range []struct{ want, more string }{
			{gateway.CutInput, "and more than four bytes"},
			{gateway.CutTimeout, ""},
		} {
			out, resp := d.open(t, "/short/"+tt.want, "x\n")
			if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(out, tt.more) // it may be cut before all of it is sent
			if _, err := io.ReadAll(resp.Body); err == nil {
				t.Errorf("%s, %s: the stream ends well", d.name, tt.want)
			}
			if e := <-ended; !e.Aborted || e.Cut != tt.want {
				t.Errorf("%s, %s: %+v", d.name, tt.want, e)
			}
			out.Close()
		}
	}
}

// An answer of HTTP/1.0 ends with its connection, so one that is cut ends with a reset: never a quiet end.
func TestStreamCutOld(t *testing.T) {
	b := newStreams(t)
	for _, d := range b.both {
		nc, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		_ = nc.SetDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(nc, "POST /impatient HTTP/1.0\r\nContent-Length: 9\r\n\r\nx"); err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(nc); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %q, %v; want a reset", d.name, rest, err)
		}
		if resp, err := d.client.Get(d.url + "/probe/args/x"); err != nil || resp.StatusCode != 200 {
			t.Errorf("%s: the next request: %v, %v", d.name, resp, err)
		} else {
			resp.Body.Close()
		}
	}
}

// watcher tells of the end of exchanges.
type watcher chan gateway.Exchange

func (w watcher) Begin(*gateway.Exchange) {}
func (w watcher) End(e *gateway.Exchange) { w <- *e }

// A client that has gone ends the process.
func TestStreamClientGone(t *testing.T) {
	ended := make(watcher, 10)
	b := newBed(t, func(c *gateway.Config) { c.Observers = []gateway.Observer{ended} })
	f := protocol.Function{Name: "probe", HTTP: streamRoutes,
		Limits: protocol.Limits{Timeout: protocol.Duration(patience)}}
	b.deploy(t, f, probe)
	for _, d := range b.both {
		ctx, cancel := context.WithCancel(t.Context())
		in, _ := io.Pipe()
		r, err := http.NewRequestWithContext(ctx, "POST", d.url+"/stream", io.MultiReader(strings.NewReader("x\n"), in))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := d.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", d.name, err)
		}
		resp.Body.Close()
		select {
		case e := <-ended:
			if !e.Aborted || e.Cut != gateway.CutClient || e.Route != "POST /stream" || e.Out != 2 {
				t.Errorf("%s: %+v", d.name, e)
			}
		case <-time.After(patience):
			t.Errorf("%s: the call goes on", d.name)
		}
	}
}
