package web

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// loopback are the addresses that tests allow.
var loopback = Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}

// serve starts a server. It returns where it is, as a grant names it.
func serve(t testing.TB, h http.HandlerFunc) (origin string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// world is a Web with one function.
type world struct {
	testing.TB
	web *Web
	g   *backend.Grants
}

// newWorld opens grants.
func newWorld(t testing.TB, c Config, grants ...protocol.Grant) *world {
	t.Helper()
	if c.Guard.Allow == nil {
		c.Guard = loopback
	}
	w := New(c)
	t.Cleanup(w.Close)
	return open(t, w, "shop", grants...)
}

// open opens the grants of a function.
func open(t testing.TB, w *Web, name string, grants ...protocol.Grant) *world {
	t.Helper()
	b := backend.Backend{Kinds: map[string]backend.Kind{protocol.GrantHTTP: w}}
	g, err := b.Open(t.Context(), &protocol.Function{Name: name, Grants: grants})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return &world{t, w, g}
}

// run is a run of the function.
type run struct {
	testing.TB
	*session
	tx  *backend.Transaction
	ctx context.Context
	mu  sync.Mutex
	log []string
}

// begin begins a run, which ends with the test.
func (w *world) begin() *run {
	return w.beginWith(backend.Call{})
}

// beginWith begins a run of a call.
func (w *world) beginWith(c backend.Call) *run {
	r := &run{TB: w.TB, ctx: w.Context()}
	c.Log = func(text string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.log = append(r.log, text)
	}
	if c.ID == nil {
		c.ID = func() string { return "call-1" }
	}
	if c.Deadline.IsZero() {
		c.Deadline = time.Now().Add(time.Minute)
	}
	ctx, cancel := context.WithDeadline(r.ctx, c.Deadline)
	w.Cleanup(cancel)
	r.ctx, r.tx = ctx, w.g.Begin(r.ctx, c)
	w.Cleanup(r.tx.End)
	r.session = r.tx.Mounts()[0].Tree.(*session)
	return r
}

// End ends the run.
func (r *run) End() { r.tx.End() }

// get reads a file.
func (r *run) get(name string) (string, error) {
	f, err := r.Open(r.ctx, name, files.Read)
	if err != nil {
		return "", err
	}
	text, err := r.rest(f)
	return text, errors.Join(err, f.Close(r.ctx))
}

// rest reads what is in a file.
func (r *run) rest(f files.File) (string, error) {
	var all []byte
	b := make([]byte, 1000)
	for {
		n, err := f.ReadAt(r.ctx, b, int64(len(all)))
		all = append(all, b[:n]...)
		if errors.Is(err, io.EOF) {
			return string(all), nil
		}
		if err != nil {
			return string(all), err
		}
	}
}

// must reads a file that is there.
func (r *run) must(name string) string {
	r.Helper()
	text, err := r.get(name)
	if err != nil {
		r.Fatalf("%s: %v; the log says %q", name, err, r.log)
	}
	return text
}

// put writes a file, as most languages do it.
func (r *run) put(name, text string) error {
	f, err := r.Open(r.ctx, name, files.Write|files.Create|files.Truncate)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(r.ctx, []byte(text), 0)
	return errors.Join(err, f.Close(r.ctx))
}

// is checks the error of an operation, and that the log says why.
func (r *run) is(about string, err, want error, why string) {
	r.Helper()
	if !errors.Is(err, want) {
		r.Errorf("%s: the error is %v, want %v", about, err, want)
	}
	if log := strings.Join(r.log, "\n"); !strings.Contains(log, why) {
		r.Errorf("%s: the log is %q, which does not say %q", about, log, why)
	}
}

// resolver starts a server of DNS, and returns a resolver that asks it. answer is asked for the IPv4 addresses of a name.
func resolver(t testing.TB, answer func(name string) []string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		b := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			if reply := dnsReply(b[:n], answer); reply != nil {
				_, _ = conn.WriteTo(reply, from) // it asks again if it is lost
			}
		}
	})
	t.Cleanup(func() { conn.Close(); running.Wait() })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// dnsReply answers a question (RFC 1035, 4). Of other types than A there is nothing.
func dnsReply(q []byte, answer func(name string) []string) []byte {
	if len(q) < 12 {
		return nil
	}
	var labels []string
	at := 12
	for at < len(q) && q[at] != 0 && at+1+int(q[at]) < len(q) {
		labels = append(labels, string(q[at+1:at+1+int(q[at])]))
		at += 1 + int(q[at])
	}
	if at+5 > len(q) {
		return nil
	}
	question, kind := q[12:at+5], binary.BigEndian.Uint16(q[at+1:])
	var addrs []string
	if kind == 1 {
		addrs = answer(strings.Join(labels, "."))
	}
	out := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, byte(len(addrs)), 0, 0, 0, 0}, question...)
	for _, a := range addrs {
		ip := netip.MustParseAddr(a).As4()
		out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		out = append(out, ip[:]...)
	}
	return out
}
