package frontdoor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long a test waits for what must happen, on a busy machine.
const patience = time.Minute

// autocert gives up what an authority has not needed in a goroutine that nobody can end.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("golang.org/x/crypto/acme/autocert.(*Manager).deactivatePendingAuthz"))
}

// open opens a server and serves until the test ends.
func open(t *testing.T, c Config) *Server {
	t.Helper()
	if c.Addr == "" {
		c.Addr = "127.0.0.1:0"
	}
	if c.Handler == nil {
		c.Handler = http.HandlerFunc(mirror)
	}
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Log(err)
		}
	})
	return s
}

// mirror answers with what it has got, in lines.
func mirror(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "text/plain")
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "%s %s %s\nproto=%s host=%s scheme=%s client=%s body=%q\n", r.Method, r.URL.Path, r.URL.RawQuery,
		r.Proto, r.Host, schemeOf(r), peerOf(r), body)
	for _, k := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Real-Ip", "X_forwarded_for", "Forwarded"} {
		if v, ok := r.Header[k]; ok {
			fmt.Fprintf(w, "%s=%q\n", k, v)
		}
	}
}

// dial connects to a server from an address of this machine.
func dial(t *testing.T, s *Server, from string) net.Conn {
	t.Helper()
	d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", s.conns.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// raw sends bytes and returns all that comes until the server closes the connection.
func raw(t *testing.T, s *Server, bytes string) string {
	t.Helper()
	c := dial(t, s, "127.0.0.1")
	if _, err := io.WriteString(c, bytes); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Log(err) // the server was quicker
	}
	answer, err := io.ReadAll(c)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatalf("the server did not end the connection; it said %q", answer)
	}
	return string(answer)
}

// statuses returns the status lines of answers one after another.
func statuses(t *testing.T, answers string) (all []int) {
	t.Helper()
	r := bufio.NewReader(strings.NewReader(answers))
	for {
		a, err := http.ReadResponse(r, nil)
		if err != nil {
			return all
		}
		_, _ = io.Copy(io.Discard, a.Body)
		all = append(all, a.StatusCode)
	}
}

// get asks for a path, with headers as NAME: VALUE, and returns status and body.
func get(t *testing.T, s *Server, path string, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, s.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
		} else {
			r.Header[name] = append(r.Header[name], value)
		}
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	a, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, string(body)
}

// schemeOf returns the scheme that a request's client has used.
func schemeOf(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}
