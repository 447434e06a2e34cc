package frontdoor

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSmuggling sends what two servers could read in two ways: after each, a request must not have been hidden. The
// second request of each message is for /hidden, and must be seen either as a request of its own or not at all.
func TestSmuggling(t *testing.T) {
	var seen []string
	s := open(t, Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		seen = append(seen, r.URL.Path)
	})})
	const hidden = "GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"
	length := fmt.Sprintf("Content-Length: %d\r\n", len("0\r\n\r\n")+len(hidden))
	for name, c := range map[string]struct {
		headers, body string
		want          []int
	}{
		"length and chunks":          {length + "Transfer-Encoding: chunked\r\n", "0\r\n\r\n" + hidden, []int{200}},
		"chunks and length":          {"Transfer-Encoding: chunked\r\n" + length, "0\r\n\r\n" + hidden, []int{200}},
		"two lengths":                {"Content-Length: 0\r\n" + length, hidden, []int{400}},
		"two lengths in one":         {"Content-Length: 0, 5\r\n", hidden, []int{400}},
		"the same length twice":      {"Content-Length: 3\r\nContent-Length: 3\r\n", "abc", []int{200}},
		"a signed length":            {"Content-Length: +3\r\n", "abc", []int{400}},
		"a negative length":          {"Content-Length: -1\r\n", hidden, []int{400}},
		"a length in hexadecimal":    {"Content-Length: 0x3\r\n", "abc", []int{400}},
		"an unknown coding":          {"Transfer-Encoding: xchunked\r\n", hidden, []int{501}},
		"chunks twice":               {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", hidden, []int{501}},
		"chunks and identity":        {"Transfer-Encoding: chunked, identity\r\n", hidden, []int{501}},
		"a vertical tab":             {"Transfer-Encoding: \vchunked\r\n", hidden, []int{400}},
		"a space before the colon":   {"Transfer-Encoding : chunked\r\n", hidden, []int{400}},
		"a folded line":              {"X-A: b\r\n Transfer-Encoding: chunked\r\n", "", []int{200}},
		"a first line folded":        {" Transfer-Encoding: chunked\r\n", hidden, []int{400}},
		"a bare CR in a header":      {"X-A: b\rTransfer-Encoding: chunked\r\n", hidden, []int{400}},
		"a NUL in a header":          {"X-A: b\x00\r\n", hidden, []int{400}},
		"no name":                    {": x\r\n", hidden, []int{400}},
		"two hosts":                  {"Host: other\r\n", hidden, []int{400}},
		"a chunk with a signed size": {"Transfer-Encoding: chunked\r\n", "+5\r\nabcde\r\n0\r\n\r\n", []int{200}},
		"a chunk with a bare LF":     {"Transfer-Encoding: chunked\r\n", "5;a\nabcde\r\n0\r\n\r\n" + hidden, []int{200}},
	} {
		t.Run(name, func(t *testing.T) {
			seen = nil
			answers := raw(t, s, "POST /first HTTP/1.1\r\nHost: localhost\r\n"+c.headers+"\r\n"+c.body)
			got := statuses(t, answers)
			if len(got) == 0 || got[0] != c.want[0] {
				t.Errorf("statuses %v, want %v first: %q", got, c.want, answers)
			}
			if slices.Contains(seen, "/hidden") && !strings.Contains(name, "a chunk with") {
				t.Errorf("the hidden request was seen: %q", seen)
			}
		})
	}
}

// TestOversized sends headers without end.
func TestOversized(t *testing.T) {
	s := open(t, Config{MaxHeader: 8 << 10})
	for name, c := range map[string]struct {
		request string
		want    int
	}{
		"one long header": {"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: " + strings.Repeat("a", 64<<10) + "\r\n\r\n", 431},
		"many headers":    {"GET / HTTP/1.1\r\nHost: localhost\r\n" + strings.Repeat("X-A: b\r\n", 8<<10) + "\r\n", 431},
		"a long path":     {"GET /" + strings.Repeat("a", 64<<10) + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 431},
		"no line at all":  {strings.Repeat("a", 64<<10), 431},
	} {
		t.Run(name, func(t *testing.T) {
			c1 := dial(t, s, "127.0.0.1")
			go func() { _, _ = io.WriteString(c1, c.request) }() // the server may close before it has all
			a, err := http.ReadResponse(bufio.NewReader(c1), nil)
			if err != nil {
				t.Fatal(err)
			}
			a.Body.Close()
			if a.StatusCode != c.want {
				t.Errorf("status %d, want %d", a.StatusCode, c.want)
			}
		})
	}
}

// TestSlowLoris has a thousand clients send half a request each and wait. Others are answered meanwhile, from the same
// address and from another one.
func TestSlowLoris(t *testing.T) {
	s := open(t, Config{Connections: 600, OfAddress: 500, HeaderTime: patience})
	for range 1000 {
		c := dial(t, s, "127.0.0.1")
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: local") // it may have been closed for another
	}
	for _, from := range []string{"127.0.0.1", "127.0.0.2"} {
		c := dial(t, s, from)
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") {
			t.Errorf("from %s: %q, %v", from, answer, err)
		}
	}
	if n := s.conns.open(); n > 501 {
		t.Errorf("there are %d connections", n)
	}
}

// TestSlowHeader checks that half a request is given up.
func TestSlowHeader(t *testing.T) {
	s := open(t, Config{HeaderTime: 50 * time.Millisecond})
	c := dial(t, s, "127.0.0.1")
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: local"); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(c); err != nil || strings.HasPrefix(string(answer), "HTTP/1.1 200 ") {
		t.Errorf("%q, %v", answer, err)
	}
}

// TestSlowBody checks that a body that does not go on is given up, and that one that does may take its time.
func TestSlowBody(t *testing.T) {
	s := open(t, Config{BodyTime: 300 * time.Millisecond})
	c := dial(t, s, "127.0.0.1")
	if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc"); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
		t.Errorf("%q, %v", answer, err)
	}
	for _, pause := range []time.Duration{100 * time.Millisecond, time.Second} { // a busy machine gets a second chance
		s := open(t, Config{BodyTime: 3 * pause})
		c := dial(t, s, "127.0.0.1")
		_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 8\r\n\r\n")
		for range 8 {
			time.Sleep(pause) // that is what is tested: time that passes
			_, _ = io.WriteString(c, "a")
		}
		answer, err := io.ReadAll(c)
		if err == nil && strings.Contains(string(answer), `body="aaaaaaaa"`) {
			break
		}
		if pause == time.Second {
			t.Errorf("%q, %v", answer, err)
		}
	}
}

// TestSlowReader checks that a client that takes nothing of an answer is given up, and does not stop the server's end.
func TestSlowReader(t *testing.T) {
	failed := make(chan error, 1)
	s := open(t, Config{WriteTime: 200 * time.Millisecond, Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					failed <- err
					return
				}
			}
		})})
	c := dial(t, s, "127.0.0.1")
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-failed:
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("the answer ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the answer has not ended")
	}
}

// TestRebinding asks for operators' paths under names that somebody else has given this machine.
func TestRebinding(t *testing.T) {
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "secret") })
	s := open(t, Config{Console: ok, Metrics: ok, Hosts: []string{"functions.example.org"}, Pprof: true})
	for host, want := range map[string]int{
		"localhost:8080": 200, "127.0.0.1:8080": 200, "[::1]:8080": 200, "LOCALHOST.": 200, "functions.example.org": 200,
		"dev.localhost": 200, "evil.example.org": 421, "localhost.evil.example.org": 421, "127.0.0.1.evil.example.org": 421,
		"": 400, "evil.example.org:8080": 421,
	} {
		for _, path := range []string{"/_/", "/metrics", "/debug/pprof/cmdline"} {
			want := want
			answer := raw(t, s, "GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
			if host == "" {
				want = 421
			}
			if got := statuses(t, answer); len(got) != 1 || got[0] != want {
				t.Errorf("%s at host %q: %v, want %d", path, host, got, want)
			}
		}
	}
}

// TestUnreadBody checks that a body that nobody reads, and that does not come, holds nothing up for long.
func TestUnreadBody(t *testing.T) {
	s := open(t, Config{BodyTime: 200 * time.Millisecond, Handler: http.NotFoundHandler()})
	c := dial(t, s, "127.0.0.1")
	if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc"); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 404 ") {
		t.Errorf("%q, %v", answer, err)
	}
}
