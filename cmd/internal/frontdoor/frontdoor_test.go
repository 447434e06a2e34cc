package frontdoor

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/gateway"
	"github.com/polyvoke/polyvoke/protocol"
)

func TestPaths(t *testing.T) {
	named := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) })
	}
	var notReady error = errors.New("starting")
	s := open(t, Config{Handler: named("functions"), Console: named("console"), Metrics: named("metrics"),
		OpenAPI: named("openapi"), Ready: func() error { return notReady }})
	for path, want := range map[string]string{
		"/": "functions", "/fn/x": "functions", "/healthz": "ok\n", "/metrics": "metrics", "/_/": "console",
		"/_/a/b": "console", "/_/openapi.json": "openapi", "/healthz/x": "functions", "/_": "console",
		"//healthz": "functions", "/fn/../healthz": "functions", "/_x": "functions",
	} {
		if status, body := get(t, s, path); status != 200 || body != want {
			t.Errorf("%s: %d %q, want %q", path, status, body, want)
		}
	}
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap"} {
		if status, _ := get(t, s, path); status != 404 {
			t.Errorf("%s: %d although nobody asked for it", path, status)
		}
	}
	if status, body := get(t, s, "/readyz"); status != 503 || body != "starting\n" {
		t.Errorf("not ready: %d %q", status, body)
	}
	notReady = nil
	if status, body := get(t, s, "/readyz"); status != 200 || body != "ok\n" {
		t.Errorf("ready: %d %q", status, body)
	}
}

// TestOperators checks that what a proxy passes on is not this machine's own.
func TestOperators(t *testing.T) {
	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	own, err := ParsePrefixes([]string{"127.0.0.2"})
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, Config{Metrics: ok, Pprof: true})
	proxied := open(t, Config{Metrics: ok, Pprof: true, Trust: Trust{Proxies: own}})
	if status, _ := get(t, s, "/metrics"); status != 200 {
		t.Errorf("metrics from here: %d", status)
	}
	for _, path := range []string{"/metrics", "/debug/pprof/cmdline"} {
		for _, header := range []string{"X-Forwarded-For: 192.0.2.1", "Forwarded: for=127.0.0.1", "X-Real-Ip: 127.0.0.1"} {
			if status, _ := get(t, s, path, header); status != 404 {
				t.Errorf("%s with %s: %d", path, header, status)
			}
		}
		c := dial(t, proxied, "127.0.0.2")
		_, _ = io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"+
			"X-Forwarded-For: 192.0.2.1\r\n\r\n")
		if a, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || a.StatusCode != 404 {
			t.Errorf("%s by a trusted proxy for another: %v, %v", path, a, err)
		}
	}
}

// TestSettings refuses what cannot be, and names the setting.
func TestSettings(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	cert, key := writeCertificate(t, dir, "a", time.Hour)
	_, otherKey := writeCertificate(t, dir, "b", time.Hour)
	old, oldKey := writeCertificate(t, dir, "old", -time.Hour)
	for setting, c := range map[string]Config{
		"http: listen":                 {Addr: taken.Addr().String()},
		"http: listen tcp: address":    {Addr: "nonsense"},
		"tls-key: it is missing":       {TLS: TLS{Cert: cert}},
		"tls-cert: it is missing":      {TLS: TLS{Key: key}},
		"tls-cert: tls: private key":   {TLS: TLS{Cert: cert, Key: otherKey}},
		"tls-cert: open":               {TLS: TLS{Cert: "none.pem", Key: key}},
		"tls-cert: the certificate in": {TLS: TLS{Cert: old, Key: oldKey}},
		"acme: a certificate comes":    {TLS: TLS{Cert: cert, Key: key, ACME: ACME{Domains: []string{"a.example"}}}},
		"acme: \"localhost\"":          {TLS: TLS{ACME: ACME{Domains: []string{"localhost"}}}},
		"acme-cache: it is missing":    {TLS: TLS{ACME: ACME{Domains: []string{"a.example"}}}},
		"acme-directory: \"http://x\"": {TLS: TLS{ACME: ACME{Domains: []string{"a.example"}, Cache: dir,
			Directory: "http://x"}}},
		"acme-root: ": {TLS: TLS{ACME: ACME{Domains: []string{"a.example"}, Cache: dir,
			Root: key}}},
		"proxy-header: \"x\"":                 {Trust: Trust{Header: "x"}},
		"http-connections: it must":           {Connections: -1},
		"http-connections-per-address: it mu": {OfAddress: -1},
		"http-max-header: it must":            {MaxHeader: 10},
	} {
		if c.Addr == "" {
			c.Addr = "127.0.0.1:0"
		}
		c.Handler = http.NotFoundHandler()
		s, err := Open(c)
		if err == nil {
			s.Close()
		}
		var named *Setting
		if !errors.As(err, &named) || !strings.HasPrefix(err.Error(), "--"+setting) {
			t.Errorf("%s: %v", setting, err)
		}
	}
}

// writeCertificate writes a certificate for localhost and its key, and returns their files.
func writeCertificate(t *testing.T, dir, name string, valid time.Duration) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(valid)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	for file, b := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: der},
		key:  {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// presented returns the name of the certificate that a server shows to a new client.
func presented(t *testing.T, s *Server) string {
	t.Helper()
	c, err := tls.Dial("tcp", s.conns.Addr().String(), &tls.Config{InsecureSkipVerify: true}) // it is looked at only
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// TestCertificateChanges replaces the certificate's files while the server runs: by other files, by broken ones, and by
// others again.
func TestCertificateChanges(t *testing.T) {
	dir := t.TempDir()
	cert, key := writeCertificate(t, dir, "first", time.Hour)
	s := open(t, Config{TLS: TLS{Cert: cert, Key: key}})
	if name := presented(t, s); name != "first" {
		t.Fatalf("certificate %q", name)
	}
	replace := func(file, by string) {
		t.Helper()
		if err := os.Rename(by, file); err != nil {
			t.Fatal(err)
		}
	}
	next, nextKey := writeCertificate(t, dir, "second", time.Hour)
	replace(cert, next)
	replace(key, nextKey)
	for end := time.Now().Add(patience); presented(t, s) != "second"; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the new certificate is not shown")
		}
	}
	if err := os.WriteFile(key, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err == nil {
		t.Error("a broken key is no error")
	}
	if name := presented(t, s); name != "second" {
		t.Errorf("certificate %q after a broken key", name)
	}
	next, nextKey = writeCertificate(t, dir, "third", time.Hour)
	replace(cert, next)
	replace(key, nextKey)
	if err := s.Reload(); err != nil {
		t.Error(err)
	}
	if name := presented(t, s); name != "third" {
		t.Errorf("certificate %q", name)
	}
}

// TestProtocols speaks both versions of HTTP, with TLS and without it.
func TestProtocols(t *testing.T) {
	dir := t.TempDir()
	cert, key := writeCertificate(t, dir, "a", time.Hour)
	plain := open(t, Config{})
	encrypted := open(t, Config{TLS: TLS{Cert: cert, Key: key}})
	for _, c := range []struct {
		s    *Server
		set  func(*http.Protocols)
		want string
	}{
		{plain, func(p *http.Protocols) { p.SetHTTP1(true) }, "proto=HTTP/1.1 "},
		{plain, func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }, "proto=HTTP/2.0 "},
		{encrypted, func(p *http.Protocols) { p.SetHTTP1(true) }, "proto=HTTP/1.1 "},
		{encrypted, func(p *http.Protocols) { p.SetHTTP2(true) }, "proto=HTTP/2.0 "},
	} {
		tr := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
		c.set(tr.Protocols)
		a, err := (&http.Client{Transport: tr, Timeout: patience}).Post(c.s.URL()+"/x", "", strings.NewReader("hello"))
		if err != nil {
			t.Errorf("%s: %v", c.want, err)
			continue
		}
		body, _ := io.ReadAll(a.Body)
		a.Body.Close()
		tr.CloseIdleConnections()
		if !strings.Contains(string(body), c.want) || !strings.Contains(string(body), `body="hello"`) {
			t.Errorf("%s: %s", c.want, body)
		}
	}
}

// TestDrain ends a server while a request is answered and a connection has been taken over: the request is answered,
// the connection is told, and no new one is taken.
func TestDrain(t *testing.T) {
	begun, goOn, told := make(chan bool), make(chan bool), make(chan bool)
	taken := make(chan net.Conn, 1)
	s, err := Open(Config{Addr: "127.0.0.1:0", Ending: func(context.Context) { close(told) },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/take" {
				c, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
				}
				taken <- c
				return
			}
			close(begun)
			<-goOn
			_, _ = io.WriteString(w, "whole")
		})})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	c := dial(t, s, "127.0.0.1")
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	other := dial(t, s, "127.0.0.1")
	_, _ = io.WriteString(other, "GET /take HTTP/1.1\r\nHost: localhost\r\n\r\n")
	<-begun
	<-taken
	cancel()
	<-told
	close(goOn)
	if answer, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(answer), "whole") ||
		!strings.Contains(string(answer), "Connection: close") {
		t.Errorf("%q, %v", answer, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := io.ReadAll(other); err != nil && !errors.Is(err, io.EOF) {
		t.Logf("the connection that was taken over ended with %v", err)
	}
	if n := s.conns.open(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
	if c, err := net.Dial("tcp", s.conns.Addr().String()); err == nil {
		c.Close()
		t.Error("a new connection is taken")
	}
}

// TestDrainEnds cuts off what does not end by itself.
func TestDrainEnds(t *testing.T) {
	begun := make(chan bool)
	s, err := Open(Config{Addr: "127.0.0.1:0", Drain: 50 * time.Millisecond,
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(begun)
			<-r.Context().Done()
		})})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	c := dial(t, s, "127.0.0.1")
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	<-begun
	cancel()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "1 connections were cut off") {
		t.Errorf("error %v", err)
	}
}

// TestNotice checks that a server that is to end says so at once, and goes on to answer for a while.
func TestNotice(t *testing.T) {
	s, err := Open(Config{Addr: "127.0.0.1:0", Notice: time.Hour, Handler: http.HandlerFunc(mirror),
		Ready: func() error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	if status, body := get(t, s, "/readyz"); status != http.StatusOK {
		t.Fatalf("/readyz answers %d %s before the end", status, body)
	}
	cancel()
	status, body := 0, ""
	for end := time.Now().Add(patience); status != http.StatusServiceUnavailable; time.Sleep(5 * time.Millisecond) {
		if status, body = get(t, s, "/readyz"); time.Now().After(end) {
			t.Fatalf("/readyz answers %d %s", status, body)
		}
	}
	if !strings.Contains(body, "this server ends") {
		t.Errorf("/readyz says %q", body)
	}
	for _, path := range []string{"/", "/healthz"} {
		if status, body := get(t, s, path); status != http.StatusOK {
			t.Errorf("%s answers %d %s while the server is to end", path, status, body)
		}
	}
	select {
	case err := <-done:
		t.Fatalf("the server has ended: %v", err)
	default:
	}
	s.Close() // without a listener there is nothing to wait for
	if err := <-done; err == nil || !errors.Is(err, net.ErrClosed) {
		t.Errorf("error %v", err)
	}
}

// TestHammerConnections opens and closes connections from many goroutines and addresses, with bounds that they reach.
func TestHammerConnections(t *testing.T) {
	s := open(t, Config{Connections: 20, OfAddress: 5})
	var clients sync.WaitGroup
	for i := range 12 {
		clients.Go(func() {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i%4))}}
			for j := range 50 {
				c, err := d.Dial("tcp", s.conns.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				_ = c.SetDeadline(time.Now().Add(patience))
				_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[:32+j%4])
				if j%4 == 3 {
					_, _ = c.Read(make([]byte, 100))
				}
				c.Close()
			}
		})
	}
	clients.Wait()
	for end := time.Now().Add(patience); s.conns.open() > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections are counted, and there are none", s.conns.open())
		}
	}
	s.conns.mu.Lock()
	defer s.conns.mu.Unlock()
	if len(s.conns.of) != 0 || s.conns.spare.Len() != 0 {
		t.Errorf("%d addresses and %d connections are remembered", len(s.conns.of), s.conns.spare.Len())
	}
}

func TestAccessLog(t *testing.T) {
	var b bytes.Buffer
	o := AccessLog(slog.New(slog.NewJSONHandler(&b, nil)))
	e := &gateway.Exchange{ID: "1", Method: "GET", Path: "/a\nb" + strings.Repeat("x", 5000), Route: "GET /a", Status: 200,
		Function: protocol.Ref{Name: "a"}, Client: "192.0.2.1", Agent: "x\x1b[31m", In: 1, Out: 2,
		Took: 1500 * time.Microsecond, Aborted: true}
	o.Begin(e)
	o.End(e)
	var got map[string]any
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got["ms"] != 1.5 || got["function"] != "a" || got["status"] != 200.0 || got["aborted"] != true ||
		len(got["path"].(string)) > maxPath || strings.ContainsAny(got["agent"].(string)+got["path"].(string), "\n\x1b") {
		t.Errorf("got %v", got)
	}
}

// TestPanic checks that a bug ends one request and is logged.
func TestPanic(t *testing.T) {
	var mu sync.Mutex
	var b bytes.Buffer
	log := slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return b.Write(p)
	}), nil))
	s := open(t, Config{Log: log, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oh") })})
	if answer := raw(t, s, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); answer != "" {
		t.Errorf("answer %q", answer)
	}
	mu.Lock()
	defer mu.Unlock()
	if !strings.Contains(b.String(), "a bug ended a request") || !strings.Contains(b.String(), "err=oh") {
		t.Errorf("log %q", b.String())
	}
}

// writerFunc is a function that is a writer.
type writerFunc func([]byte) (int, error)

// Write implements io.Writer.
func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestNetConn reaches the connection of TCP below one that a handler takes over, as a gateway does to reset it.
func TestNetConn(t *testing.T) {
	s := open(t, Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		inner, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			t.Errorf("%T has nothing below it", c)
		} else if _, ok = inner.NetConn().(*net.TCPConn); !ok {
			t.Errorf("below is %T", inner.NetConn())
		}
		_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
	})})
	if answer := raw(t, s, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); !strings.Contains(answer, " 204 ") {
		t.Errorf("%q", answer)
	}
	if n := s.conns.open(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}
