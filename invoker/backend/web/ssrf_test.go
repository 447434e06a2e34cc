package web

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// strict allows one address, at which these tests have their servers.
var strict = Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.9.9.9/32")}}

// victim listens at 127.0.0.1, which is refused, and fails the test if anybody connects. It returns the port.
func victim(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Errorf("somebody has connected from %s", c.RemoteAddr())
			c.Close()
		}
	})
	t.Cleanup(func() { l.Close(); running.Wait() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// TestRefusedAddresses grants addresses that must not be reached: whoever writes a manifest does not decide that.
func TestRefusedAddresses(t *testing.T) {
	port := victim(t)
	for _, host := range []string{"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]",
		"169.254.169.254", "[fd00:ec2::254]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "10.0.0.1", "192.168.0.1",
		"100.100.100.200", "[fe80::1]", "224.0.0.1", "255.255.255.255", "[::7f00:1]"} {
		r := newWorld(t, Config{Guard: strict}, protocol.Grant{HTTP: "http://" + host + ":" + port, Methods: all}).begin()
		name := host + ":" + port + "/latest/meta-data"
		_, err := r.get(name)
		r.is("reading "+name, err, syscall.EACCES, "is refused")
		r.is("writing "+name, r.put(name, "x"), syscall.EACCES, "is refused")
		if got := r.must(name + ".error"); !strings.Contains(got, `"errno":"EACCES"`) {
			t.Errorf("%s: the problem is %s", name, got)
		}
	}
}

// TestRefusedNames resolves names to addresses that must not be reached.
func TestRefusedNames(t *testing.T) {
	port := victim(t)
	names := resolver(t, func(name string) []string {
		return map[string][]string{"local.example": {"127.0.0.1"}, "meta.example": {"169.254.169.254"},
			"two.example": {"10.0.0.1", "127.0.0.1"}, "any.example": {"0.0.0.0"}}[name]
	})
	for _, host := range []string{"local.example", "meta.example", "two.example", "any.example", "localhost"} {
		r := newWorld(t, Config{Guard: strict, Resolver: names},
			protocol.Grant{HTTP: "http://" + host + ":" + port}).begin()
		_, err := r.get(host + ":" + port + "/x")
		r.is(host, err, syscall.EACCES, "is refused")
	}
	r := newWorld(t, Config{Guard: strict, Resolver: names}, protocol.Grant{HTTP: "none.example"}).begin()
	_, err := r.get("none.example/x")
	r.is("a name without addresses", err, syscall.EIO, "no such host")
}

// serveAt starts a server at an address of loopback.
func serveAt(t *testing.T, addr string, h http.HandlerFunc) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	s.Start()
	t.Cleanup(s.Close)
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

// TestRebinding resolves a name to an address that may be reached first, and then to one that must not be: each
// connection is judged by the address that it is made to.
func TestRebinding(t *testing.T) {
	var inside atomic.Int64
	port := serveAt(t, "127.9.9.9:0", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close") // so that the next request connects again
		fmt.Fprint(w, "public")
	})
	l, err := net.Listen("tcp", "127.0.0.1:"+port) // the same port inside
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(
		func(http.ResponseWriter, *http.Request) { inside.Add(1) })}}
	s.Start()
	defer s.Close()
	var asked atomic.Int64
	names := resolver(t, func(string) []string {
		if asked.Add(1)%2 == 1 {
			return []string{"127.9.9.9"}
		}
		return []string{"127.0.0.1"}
	})
	w := newWorld(t, Config{Guard: strict, Resolver: names, Concurrency: 1},
		protocol.Grant{HTTP: "http://rebind.example:" + port})
	good, bad := 0, 0
	for range 20 {
		r := w.begin()
		if got, err := r.get("rebind.example:" + port + "/x"); err == nil && got == "public" {
			good++
		} else {
			r.is("the second answer", err, syscall.EACCES, "is refused")
			bad++
		}
	}
	if inside.Load() != 0 || good == 0 || bad == 0 {
		t.Errorf("%d good, %d refused, %d inside", good, bad, inside.Load())
	}
}

// TestRedirects follows redirects inside of what is granted, and no others.
func TestRedirects(t *testing.T) {
	inside := victim(t)
	var other string
	seen := make(chan *http.Request, 100)
	handle := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen <- r
		to := r.URL.Query().Get("to")
		if code := r.URL.Query().Get("code"); to != "" {
			status := http.StatusFound
			_, _ = fmt.Sscan(code, &status)
			w.Header().Set("Location", to)
			w.WriteHeader(status)
			return
		}
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.Path, body)
	}
	port := serveAt(t, "127.9.9.9:0", handle)
	other = "127.9.9.9:" + serveAt(t, "127.9.9.9:0", handle)
	at := "127.9.9.9:" + port
	w := newWorld(t, Config{Guard: strict}, protocol.Grant{HTTP: "http://" + at + "/in", Methods: all},
		protocol.Grant{HTTP: "http://" + other + "/in"}, protocol.Grant{HTTP: "http://127.0.0.1:" + inside})
	ask := func(r *run, to, code string) string {
		return at + "/in?to=" + strings.NewReplacer("/", "%2F", "?", "%3F", "&", "%26", "@", "%40", "%", "%25").Replace(to) +
			"&code=" + code
	}
	for to, want := range map[string]string{"/in/x": "GET /in/x ", "in/y": "GET /in/y ", "http://" + other + "/in/z": "GET /in/z ",
		"//" + other + "/in#fragment": "GET /in ", "/out/../in/x": "GET /in/x "} {
		r := w.begin()
		if got, err := r.get(ask(r, to, "302")); err != nil || got != want {
			t.Errorf("to %s: %q, %v; the log is %q", to, got, err, r.log)
		}
	}
	for to, why := range map[string]string{
		"/out":                                "no grant of http speaks of it",
		"/in/../out":                          "no grant of http speaks of it",
		"/in/%2e%2e/out":                      "servers take away",
		"/in/..%2Fout":                        "servers take away",
		"https://" + at + "/in":               "no grant of http speaks of it",
		"http://evil.example/in":              "no grant of http speaks of it",
		"http://" + at + "@evil.example/in":   "a user in it",
		"http://user:pass@" + at + "/in":      "a user in it",
		"ftp://" + at + "/in":                 "the scheme",
		"file:///etc/passwd":                  "the scheme",
		"gopher:x":                            "no URL",
		"http://127.0.0.1:" + inside + "/x":   "is refused",
		"http://2130706433:" + inside + "/x":  "ends with a number",
		"http://0x7f000001:" + inside + "/x":  "ends with a number",
		"http://0177.0.0.1:" + inside + "/x":  "ends with a number",
		"http://[::ffff:127.0.0.1]:" + inside: "no grant of http speaks of it",
		"http://169.254.169.254/latest":       "no grant of http speaks of it",
		"http://localhost:" + inside + "/x":   "no grant of http speaks of it",
		"http://" + at + "\\@evil.example/in": "redirected to",
		"http://%zz/":                         "no URL",
	} {
		r := w.begin()
		name := ask(r, to, "302")
		_, err := r.get(name)
		r.is("to "+to, err, syscall.EACCES, why)
		if strings.Contains(why, "refused") {
			continue
		}
		if got := r.must(name + ".status"); got != "302" {
			t.Errorf("to %s: the status is %q", to, got)
		}
	}
	for code, want := range map[string]string{"301": "GET /in/x ", "302": "GET /in/x ", "303": "GET /in/x ",
		"307": "POST /in/x body", "308": "POST /in/x body"} {
		r := w.begin()
		name := ask(r, "/in/x", code)
		if err := r.put(name, "body"); err != nil {
			t.Fatal(err)
		}
		if got := r.must(name); got != want {
			t.Errorf("%s: got %q", code, got)
		}
	}
	r := w.begin()
	err := r.put(ask(r, "http://"+other+"/in", "307"), "body")
	r.is("a method that is not granted there", err, syscall.EACCES, "the method POST is not granted")
	loop := newWorld(t, Config{Guard: strict}, protocol.Grant{HTTP: "http://127.9.9.9:" + serveAt(t, "127.9.9.9:0",
		func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"x", 302) })})
	r = loop.begin()
	list, _ := r.ReadDir(r.ctx, ".")
	_, err = r.get(list[0].Name + "/x")
	r.is("an endless redirect", err, syscall.EIO, "more than 10 times")
}

// TestSecretsStay checks that what a function sends to one origin does not go to another by a redirect, nor after one
// that leads back.
func TestSecretsStay(t *testing.T) {
	seen := make(chan http.Header, 10)
	var first, second string
	first = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if seen <- r.Header; r.URL.Path == "/back" {
			return
		}
		http.Redirect(w, r, "http://"+second+"/x", http.StatusFound)
	})
	second = serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header
		http.Redirect(w, r, "http://"+first+"/back", http.StatusFound)
	})
	r := newWorld(t, Config{}, protocol.Grant{HTTP: "http://" + first}, protocol.Grant{HTTP: "http://" + second}).begin()
	if err := r.put(first+"/a.headers", "Authorization: Bearer x\nCookie: a=b\nX-Api-Key: k\nAccept: text/plain"); err != nil {
		t.Fatal(err)
	}
	r.must(first + "/a")
	for hop := range 3 {
		h := <-seen
		for _, name := range []string{"Authorization", "Cookie", "X-Api-Key"} {
			if has := h[name] != nil; has != (hop == 0) {
				t.Errorf("hop %d: %s is %q", hop, name, h[name])
			}
		}
		if h.Get("Accept") != "text/plain" || h["Referer"] != nil {
			t.Errorf("hop %d: %v", hop, h)
		}
	}
}

// raw starts a server that answers each connection by writing.
func raw(t *testing.T, answer func(c net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					answer(c)
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); running.Wait() })
	return l.Addr().String()
}

// TestHostileServers bounds what servers do.
func TestHostileServers(t *testing.T) {
	endless := func(c net.Conn, piece string) {
		for {
			if _, err := io.WriteString(c, piece); err != nil {
				return
			}
		}
	}
	const head = "HTTP/1.1 200 OK\r\n"
	for name, one := range map[string]struct {
		answer func(c net.Conn)
		want   error
		why    string
	}{
		"an endless header":   {func(c net.Conn) { io.WriteString(c, head+"X: "); endless(c, "xxxxxxxx") }, syscall.EIO, "failed"},
		"endless headers":     {func(c net.Conn) { io.WriteString(c, head); endless(c, "X: y\r\n") }, syscall.EIO, "failed"},
		"endless information": {func(c net.Conn) { endless(c, "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n") }, syscall.EIO, "failed"},
		"an endless body": {func(c net.Conn) { io.WriteString(c, head+"\r\n"); endless(c, "xxxxxxxx") },
			files.ErrTooLarge, "max_bytes"},
		"an endless body in pieces": {func(c net.Conn) {
			io.WriteString(c, head+"Transfer-Encoding: chunked\r\n\r\n")
			endless(c, "8\r\nxxxxxxxx\r\n")
		}, files.ErrTooLarge, "max_bytes"},
		"a body that is said to be endless": {func(c net.Conn) {
			io.WriteString(c, head+"Content-Length: 9223372036854775807\r\n\r\n")
		}, files.ErrTooLarge, "max_bytes"},
		"a body that is shorter than said": {func(c net.Conn) { io.WriteString(c, head+"Content-Length: 10\r\n\r\nhello") },
			syscall.EIO, "unexpected EOF"},
		"a body that ends in a piece": {func(c net.Conn) {
			io.WriteString(c, head+"Transfer-Encoding: chunked\r\n\r\n8\r\nxxx")
		}, syscall.EIO, "unexpected EOF"},
		"two lengths": {func(c net.Conn) {
			io.WriteString(c, head+"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!")
		}, syscall.EIO, "failed"},
		"a length below zero": {func(c net.Conn) { io.WriteString(c, head+"Content-Length: -5\r\n\r\nhello") }, syscall.EIO, "failed"},
		"another protocol":    {func(c net.Conn) { io.WriteString(c, "220 smtp.example ESMTP\r\n") }, syscall.EIO, "failed"},
		"nothing":             {func(net.Conn) {}, syscall.EIO, "failed"},
		"a change of protocol": {func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
		}, syscall.EIO, "101"},
		"a bomb": {func(c net.Conn) {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			_, _ = z.Write(make([]byte, 20<<20))
			z.Close()
			fmt.Fprintf(c, head+"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", b.Len())
			_, _ = b.WriteTo(c)
		}, files.ErrTooLarge, "max_bytes"},
	} {
		at := raw(t, one.answer)
		r := newWorld(t, Config{}, protocol.Grant{HTTP: "http://" + at}).beginWith(backend.Call{Output: 1 << 20})
		_, err := r.get(at + "/x")
		r.is(name, err, one.want, one.why)
		if held := r.holding.held.Load(); held > 2<<20 {
			t.Errorf("%s: %d bytes are held", name, held)
		}
	}
	at := raw(t, func(c net.Conn) { io.WriteString(c, head+"Content-Length: 5\r\n\r\nhello, and more") })
	r := newWorld(t, Config{}, protocol.Grant{HTTP: "http://" + at}).begin()
	if got := r.must(at + "/x"); got != "hello" {
		t.Errorf("a body that is longer than said: %q", got)
	}
}

// TestSlowServers sends a byte at a time, for ever: the deadline of the call ends that.
func TestSlowServers(t *testing.T) {
	for name, text := range map[string]string{"headers": "HTTP/1.1 200 OK\r\nX: ", "body": "HTTP/1.1 200 OK\r\n\r\n"} {
		ended := make(chan struct{})
		at := raw(t, func(c net.Conn) {
			defer close(ended)
			io.WriteString(c, text)
			for {
				if _, err := io.WriteString(c, "x"); err != nil {
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
		r := newWorld(t, Config{}, protocol.Grant{HTTP: "http://" + at}).beginWith(
			backend.Call{Deadline: time.Now().Add(100 * time.Millisecond)})
		if _, err := r.get(at + "/x"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		r.End()
		<-ended
	}
}

// TestInjection puts ends of lines wherever a function can write: what arrives is one request, with what was meant.
func TestInjection(t *testing.T) {
	var got bytes.Buffer
	var mu sync.Mutex
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b := make([]byte, 1<<16)
			n, _ := c.Read(b)
			mu.Lock()
			got.Write(b[:n])
			mu.Unlock()
			io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
			c.Close()
		}
	})
	defer running.Wait()
	defer l.Close()
	at := l.Addr().String()
	w := newWorld(t, Config{}, protocol.Grant{HTTP: "http://" + at, Methods: all})
	for _, name := range []string{at + "/x\r\nEvil: 1", at + "/x?\nEvil: 1", at + "/x HTTP/1.1\r\nEvil: 1", at + "\r\nEvil: 1/x",
		at + "/x%0d%0aEvil: 1", at + "/\r\n\r\nGET /evil"} {
		if _, err := w.begin().get(name); err == nil {
			t.Errorf("%q was asked for", name)
		}
	}
	r := w.beginWith(backend.Call{ID: func() string { return "id\r\nEvil: 1" }, Header: protocol.Header{
		"traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nEvil: 1"},
		"tracestate":  {"a=b\r\nEvil: 1"}}})
	for _, text := range []string{"X: y\rEvil: 1", "X\r: y", "X\x00: y", "X: \x0b"} {
		if err := r.put(at+"/x.headers", text); err != nil {
			t.Fatal(err)
		}
		if _, err := r.get(at + "/x"); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := r.put(at+"/y HTTP?a b", "x"); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if text := got.String(); !strings.HasPrefix(text, "POST /y%20HTTP?a%20b HTTP/1.1\r\n") ||
		strings.Contains(text, "\nEvil") || strings.Count(text, "HTTP/1.1") != 1 {
		t.Errorf("what has come is %q", text)
	}
	for _, line := range r.log {
		if strings.ContainsAny(line, "\r\n") {
			t.Errorf("the log has %q", line)
		}
	}
}

// TestTLS checks who a server is.
func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Proto)
	}))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = quiet
	s.StartTLS() // for example.com and 127.0.0.1
	defer s.Close()
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	names := resolver(t, func(string) []string { return []string{"127.0.0.1"} })
	grants := []protocol.Grant{{HTTP: "example.com:" + port}, {HTTP: "wrong.test:" + port}, {HTTP: "http://plain.test:" + port}}
	r := newWorld(t, Config{RootCAs: pool, Resolver: names}, grants...).begin()
	if got := r.must("example.com:" + port + "/x"); got != "HTTP/2.0" {
		t.Errorf("got %q", got)
	}
	_, err := r.get("wrong.test:" + port + "/x")
	r.is("another name", err, syscall.EIO, "certificate is valid for")
	_, err = r.get("plain.test:" + port + "/x")
	r.is("without TLS", err, syscall.EIO, "")
	r = newWorld(t, Config{Resolver: names}, grants...).begin()
	_, err = r.get("example.com:" + port + "/x")
	r.is("whom nobody knows", err, syscall.EIO, "certificate")
}

// TestNoProxy checks that proxies of the environment are not used: they would connect in place of the guard.
func TestNoProxy(t *testing.T) {
	port := victim(t)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, "http://127.0.0.1:"+port)
	}
	if os.Getenv("HTTP_PROXY") == "" {
		t.Fatal("there is no proxy")
	}
	at := serveAt(t, "127.9.9.9:0", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	r := newWorld(t, Config{Guard: strict}, protocol.Grant{HTTP: "http://127.9.9.9:" + at}).begin()
	if got := r.must("127.9.9.9:" + at + "/x"); got != "hello" {
		t.Errorf("got %q", got)
	}
}

// TestSentOnce breaks connections after a request: one with an effect is not sent again.
func TestSentOnce(t *testing.T) {
	var mu sync.Mutex
	posts := 0
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				for b := bufio.NewReader(c); ; {
					req, err := http.ReadRequest(b)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					if req.Method == http.MethodPost {
						mu.Lock()
						posts++
						mu.Unlock()
						return // without an answer
					}
					io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				}
			})
		}
	})
	defer running.Wait()
	at := l.Addr().String()
	w := newWorld(t, Config{}, protocol.Grant{HTTP: "http://" + at, Methods: all})
	defer w.web.Close()
	defer l.Close()
	for _, body := range []string{"", "x"} {
		r := w.begin()
		r.must(at + "/get") // so that there is a connection
		if err := r.put(at+"/x", body); !errors.Is(err, syscall.EIO) {
			t.Errorf("%q: %v", body, err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if posts != 2 {
		t.Errorf("2 requests were sent %d times", posts)
	}
}
