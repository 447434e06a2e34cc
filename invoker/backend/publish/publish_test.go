package publish_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/backend/publish"
	"github.com/polyvoke/polyvoke/invoker/denials"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// TestMain checks that nothing goes on when all runs have ended.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run is /pub as a process sees it.
type run struct {
	*testing.T
	backend.Session
	files.Tree
	t   *backend.Transaction
	log []string
}

// begin begins a run of a function with grants.
func begin(t *testing.T, c publish.Config, grants []protocol.Grant, change ...func(*backend.Call)) *run {
	t.Helper()
	f := &protocol.Function{Name: "seller", Grants: grants}
	all, err := publish.New(c).Open(t.Context(), f, grants)
	if err != nil || len(all) != 1 || all[0].Mount() != "/pub" {
		t.Fatalf("%v, %v", all, err)
	}
	r := &run{T: t}
	r.t = &backend.Transaction{Call: backend.Call{Function: f, ID: func() string { return "seven" }, Output: 4 << 20,
		Deadline: time.Now().Add(time.Minute), Log: func(text string) { r.log = append(r.log, text) }}}
	for _, c := range change {
		c(&r.t.Call)
	}
	r.Session = all[0].Begin(r.t)
	r.Tree = r.Session.Tree()
	t.Cleanup(func() {
		r.Session.End()
		all[0].Close()
	})
	return r
}

// grant returns grants of patterns.
func grant(patterns ...string) (all []protocol.Grant) {
	for _, p := range patterns {
		all = append(all, protocol.Grant{Pub: p})
	}
	return all
}

// put writes a file as most languages do.
func (r *run) put(name, text string) {
	r.Helper()
	f, err := r.Open(r.Context(), name, files.Write|files.Create|files.Truncate)
	if err != nil {
		r.Fatal(err)
	}
	if n, err := f.WriteAt(r.Context(), []byte(text), 0); n != len(text) || err != nil {
		r.Errorf("writing %q: %d, %v", text, n, err)
	}
	if err := f.Close(r.Context()); err != nil {
		r.Error(err)
	}
}

// send sends what the run has written.
func (r *run) send() error { return r.Session.(backend.Sender).Send(r.Context()) }

// is checks what an error is.
func (r *run) is(about string, got, want error) {
	r.Helper()
	if !errors.Is(got, want) {
		r.Errorf("%s: the error is %v, want %v", about, got, want)
	}
}

// listen returns the next messages on a subject.
func listen(t *testing.T, nc *nats.Conn, subject string) func(n int) []*nats.Msg {
	t.Helper()
	sub, err := nc.SubscribeSync(subject)
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return func(n int) (all []*nats.Msg) {
		t.Helper()
		for range n {
			m, err := sub.NextMsg(time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, m)
		}
		if n, _, err := sub.Pending(); err != nil || n > 0 {
			t.Errorf("%d more messages, %v", n, err)
		}
		return all
	}
}

// TestSend sends messages, and only when it is told to.
func TestSend(t *testing.T) {
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	s := invokertest.StartNATS(t)
	nc := invokertest.Connect(t, s)
	next := listen(t, invokertest.Connect(t, s), ">")
	c := publish.Config{Conn: nc, Denials: denials.On(nc, nil)}
	grants := grant("orders.*.new", "bills.>", "plain")
	dropped := begin(t, c, grants)
	dropped.put("plain", "dropped")

	r := begin(t, c, grants, func(c *backend.Call) { c.Hops, c.Header = 2, protocol.Header{"traceparent": {parent}} })
	r.put("orders/eu/new", "one")
	r.put("bills.a/b.c", "two")
	r.put("plain", "")
	f, err := r.Open(t.Context(), "plain", files.Write|files.Create) // as "a" does
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"a", "ppen", "ded"} {
		if _, err := f.WriteAt(t.Context(), []byte(text), files.End); err != nil {
			t.Error(err)
		}
	}
	open, err := r.Open(t.Context(), "plain", files.Write) // it is never closed
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open.WriteAt(t.Context(), []byte("x"), 0); err != nil {
		t.Error(err)
	}
	nothing, err := r.Open(t.Context(), "plain", files.Write|files.Create)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Close(t.Context()), nothing.Close(t.Context())); err != nil {
		t.Error(err)
	}
	if err := r.send(); err != nil {
		t.Fatal(err)
	}
	want := []string{"orders.eu.new one", "bills.a.b.c two", "plain ", "plain appended"}
	for i, m := range next(4) {
		id := fmt.Sprintf("seven.pub%d", i+1)
		h := protocol.Header(m.Header)
		if got := m.Subject + " " + string(m.Data); got != want[i] || h.Get("Fn-Id") != id || h.Get("Nats-Msg-Id") != id ||
			h.Get("Fn-Hops") != "3" || h.Get("traceparent") != parent {
			t.Errorf("message %d: %q, %v", i, got, h)
		}
	}
	if r.t.Writes() != 4 || !r.t.Repeatable() {
		t.Errorf("%d writes", r.t.Writes())
	}
}

// TestStream sends the messages of a job twice to a stream, which takes them once.
func TestStream(t *testing.T) {
	s := invokertest.StartNATS(t)
	nc := invokertest.Connect(t, s)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r := begin(t, publish.Config{Conn: nc}, grant("s.*"))
		r.put("s/a", "same")
		r.put("s/a", "same")
		if err := r.send(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := js.Publish(t.Context(), "s.end", nil); err != nil { // the stream has taken what came before it
		t.Fatal(err)
	}
	info, err := stream.Info(t.Context())
	if err != nil || info.State.Msgs != 3 {
		t.Errorf("the stream has %d messages, %v", info.State.Msgs, err)
	}
}

// TestOpen opens what can only be written.
func TestOpen(t *testing.T) {
	r := begin(t, publish.Config{Conn: invokertest.Connect(t, invokertest.StartNATS(t))},
		grant("orders.*.new", "orders.eu.old", "bills.>", "plain"))
	_, err := r.Open(t.Context(), "orders/eu/other", files.Write|files.Create)
	r.is("what is not granted", err, fs.ErrNotExist)
	if want := "/pub/orders/eu/other: no grant of pub speaks of it"; !slices.Contains(r.log, want) {
		t.Errorf("the log says %q", r.log)
	}
	_, err = r.Open(t.Context(), "plain", files.Read)
	r.is("reading", err, syscall.EACCES)
	f, err := r.Open(t.Context(), "plain", files.Read|files.Write)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.ReadAt(t.Context(), make([]byte, 1), 0)
	r.is("reading all the same", err, syscall.EACCES)
	if n, err := f.WriteAt(t.Context(), []byte("abc"), 2); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if err := f.Truncate(t.Context(), 4); err != nil {
		t.Error(err)
	}
	if info, err := f.Stat(t.Context()); err != nil || info.Size != 4 {
		t.Errorf("%+v, %v", info, err)
	}
	r.is("closing", f.Close(t.Context()), nil)
	r.is("closing again", f.Close(t.Context()), fs.ErrClosed)

	for name, folder := range map[string]bool{".": true, "orders": true, "orders/eu": true, "orders.eu": true,
		"orders/eu/new": false, "bills": true, "bills/x": false, "plain": false} {
		if info, err := r.Stat(t.Context(), name); err != nil || info.IsDir() != folder || info.Size != 0 {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
		_, err := r.Open(t.Context(), name, files.Write)
		if errors.Is(err, files.ErrIsDir) != folder {
			t.Errorf("%s: opening: %v", name, err)
		}
		r.is("making "+name, r.Mkdir(t.Context(), name), fs.ErrExist)
		r.is("removing "+name, r.Remove(t.Context(), name), fs.ErrPermission)
		r.is("renaming "+name, r.Rename(t.Context(), name, "plain"), fs.ErrPermission)
		if err := r.SetTime(t.Context(), name, time.Time{}); err != nil {
			t.Error(err)
		}
	}
	for name, want := range map[string]string{".": "bills/ orders/ plain", "orders": "eu/", "orders/eu": "new old",
		"bills": "", "bills/x": "", "orders/us": "new"} {
		all, err := r.ReadDir(t.Context(), name)
		var got []string
		for _, e := range all {
			got = append(got, e.Name+strings.Repeat("/", int(e.Mode>>31)))
		}
		if strings.Join(got, " ") != want || err != nil {
			t.Errorf("%s has %q, %v; want %q", name, got, err, want)
		}
	}
	_, err = r.ReadDir(t.Context(), "plain")
	r.is("listing a file", err, files.ErrNotDir)
}

// TestNames writes to what is not granted, or is no subject.
func TestNames(t *testing.T) {
	r := begin(t, publish.Config{Conn: invokertest.Connect(t, invokertest.StartNATS(t))}, grant("a.*", "b.>", "c"))
	for _, name := range []string{"", "/c", "../c", "c/", "./c", "c/..", "..", "a//b", "a..b", "a.", ".a", "d", "c.d", "a.b.c",
		"a/b/c", "a/*", "a/>", "b/>", "b/*/x", "b/x>", "b/x y", "b/\x00", "b/\r\nPUB c 1", "b/\x1b", "b/\x7f", "b/\xff",
		"b/" + strings.Repeat("x", 1100), "b/" + strings.Repeat("x/", 2000) + "x", "fn/f", "fn.f", "job/f", "dead/f", "log/f",
		"later/x", "due/x", "ws/x", "polyvoke/api/remove", "$SYS/REQ", "$JS.API.STREAM.DELETE.S", "$KV/b/k", "_INBOX/x", "_"} {
		for _, how := range []files.Flags{files.Write | files.Create | files.Truncate, files.Read} {
			if _, err := r.Open(t.Context(), name, how); err == nil || errors.Is(err, syscall.EACCES) {
				t.Errorf("%.20q opens: %v", name, err)
			}
		}
		if _, err := r.Stat(t.Context(), name); err == nil {
			t.Errorf("%.20q can be described", name)
		}
		if _, err := r.ReadDir(t.Context(), name); err == nil {
			t.Errorf("%.20q can be listed", name)
		}
		for _, err := range []error{r.Mkdir(t.Context(), name), r.Remove(t.Context(), name), r.Rename(t.Context(), name, "c"),
			r.Rename(t.Context(), "c", name), r.SetTime(t.Context(), name, time.Time{})} {
			if err == nil {
				t.Errorf("%.20q can be changed", name)
			}
		}
	}
}

// TestGrants refuses patterns that reach what is polyvoke's, the server's or nobody's.
func TestGrants(t *testing.T) {
	for _, p := range []string{"", ">", "*", "*.x", "fn.>", "fn", "job.*", "$SYS.>", "$KV.a.b", "_INBOX.>", "polyvoke.x", "a b",
		"a..b", "a.>.b", ".a", "log.>", strings.Repeat("x", 1025)} {
		_, err := publish.New(publish.Config{}).Open(t.Context(), &protocol.Function{Name: "x"}, grant(p))
		if protocol.CodeOf(err) != protocol.CodeRefused {
			t.Errorf("%q: %v", p, err)
		}
	}
}

// TestBounds goes to the limits of messages, of a run, and of a grant.
func TestBounds(t *testing.T) {
	s := invokertest.StartNATS(t, func(o *server.Options) { o.MaxPayload = 4 << 10 })
	nc := invokertest.Connect(t, s)
	next := listen(t, invokertest.Connect(t, s), ">")
	long := func(c *backend.Call) {
		c.ID = func() string { return strings.Repeat("i", protocol.MaxID) }
		c.Header = protocol.Header{"traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
			"tracestate": {strings.Repeat("s", 500)}}
	}
	r := begin(t, publish.Config{Conn: nc}, grant("a"), long)
	f, err := r.Open(t.Context(), "a", files.Write)
	if err != nil {
		t.Fatal(err)
	}
	size := int64(0)
	for err == nil {
		if _, err = f.WriteAt(t.Context(), []byte("x"), files.End); err == nil {
			size++
		}
	}
	r.is("writing more than a message takes", err, files.ErrTooLarge)
	_, err = f.WriteAt(t.Context(), []byte("x"), 1<<62)
	r.is("writing far behind it", err, files.ErrTooLarge)
	r.is("closing it", f.Close(t.Context()), files.ErrTooLarge)
	if len(r.log) != 1 || !strings.Contains(r.log[0], "max_payload") || size < 2000 {
		t.Errorf("%d bytes; the log has %q", size, r.log)
	}
	r.put("a", string(bytes.Repeat([]byte("y"), int(size))))
	if err := r.send(); err != nil {
		t.Fatal(err)
	}
	if m := next(1)[0]; len(m.Data) != int(size) {
		t.Errorf("%d bytes came of %d", len(m.Data), size)
	}

	r = begin(t, publish.Config{Conn: nc}, grant("a"), func(c *backend.Call) { c.Output = 5000 })
	for n := 0; err == nil || n == 0; n++ {
		if f, err = r.Open(t.Context(), "a", files.Write); err == nil {
			_, err = f.WriteAt(t.Context(), make([]byte, 1000), 0)
		}
		if n > 10 {
			t.Fatal("there is no end")
		}
	}
	r.is("writing more than a run may", err, files.ErrNoSpace)

	r = begin(t, publish.Config{Conn: nc}, []protocol.Grant{{Pub: "a.>", MaxOps: 2}, {Pub: "b", MaxOps: 1}})
	r.put("a/1", "")
	r.put("b", "")
	empty, err := r.Open(t.Context(), "a/2", files.Write|files.Create)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a/3", "b"} {
		_, err = r.Open(t.Context(), name, files.Write)
		r.is("opening "+name, err, files.ErrNoSpace)
	}
	if err := empty.Close(t.Context()); err != nil {
		t.Error(err)
	}
	r.put("a/3", "") // since the other has become none
	if len(r.log) != 2 || !strings.Contains(r.log[0], "max_ops") {
		t.Errorf("the log has %q", r.log)
	}
}

// TestLoop ends messages that come of each other for ever.
func TestLoop(t *testing.T) {
	r := begin(t, publish.Config{Conn: invokertest.Connect(t, invokertest.StartNATS(t))}, grant("a"),
		func(c *backend.Call) { c.Hops = protocol.MaxHops })
	_, err := r.Open(t.Context(), "a", files.Write)
	r.is("opening", err, syscall.ELOOP)
	if len(r.log) != 1 || !strings.Contains(r.log[0], "loop") {
		t.Errorf("the log has %q", r.log)
	}
}

// TestDenied sends what NATS does not permit, and to a NATS that is gone.
func TestDenied(t *testing.T) {
	s := invokertest.StartNATS(t, func(o *server.Options) {
		o.Users = []*server.User{{Username: "u", Password: "p", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Deny: []string{"a.no"}}}}}
	})
	nc := invokertest.Connect(t, s, nats.UserInfo("u", "p"))
	c := publish.Config{Conn: nc, Denials: denials.On(nc, nil)}
	r := begin(t, c, grant("a.*"))
	r.put("a/yes", "x")
	r.put("a/no", "x")
	err := r.send()
	if protocol.CodeOf(err) != protocol.CodeBadOutput || !strings.Contains(err.Error(), "a.no") {
		t.Errorf("the error is %v", err)
	}
	r = begin(t, c, grant("a.*"))
	r.put("a/yes", "x")
	if err := r.send(); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	r = begin(t, c, grant("a.*"))
	r.put("a/yes", "x")
	nc.Close()
	if err := r.send(); protocol.CodeOf(err) != protocol.CodeBadOutput || !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("with a closed connection: %v", err)
	}
}

// TestEnded closes a file of a process that was ended: that is no message.
func TestEnded(t *testing.T) {
	s := invokertest.StartNATS(t)
	next := listen(t, invokertest.Connect(t, s), ">")
	r := begin(t, publish.Config{Conn: invokertest.Connect(t, s)}, grant("a"))
	f, err := r.Open(t.Context(), "a", files.Write|files.Truncate)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Close(ctx); err != nil {
		t.Error(err)
	}
	r.put("a", "last")
	if err := r.send(); err != nil {
		t.Error(err)
	}
	if m := next(1)[0]; string(m.Data) != "last" {
		t.Errorf("%q was sent", m.Data)
	}
}

// TestHammer has many runs publish at once. Each sends its messages in order.
func TestHammer(t *testing.T) {
	s := invokertest.StartNATS(t)
	nc := invokertest.Connect(t, s)
	next := listen(t, invokertest.Connect(t, s), "a.>")
	c := publish.Config{Conn: nc, Denials: denials.On(nc, nil)}
	all, err := publish.New(c).Open(t.Context(), &protocol.Function{Name: "f"}, grant("a.>"))
	if err != nil {
		t.Fatal(err)
	}
	const runs, each = 16, 20
	var wg sync.WaitGroup
	for n := range runs {
		wg.Go(func() {
			call := backend.Call{ID: func() string { return fmt.Sprint(n) }, Output: 1 << 20}
			session := all[0].Begin(&backend.Transaction{Call: call})
			defer session.End()
			r := &run{T: t, Session: session, Tree: session.Tree()}
			for i := range each {
				r.put(fmt.Sprintf("a/%d", n), fmt.Sprint(i))
			}
			if err := r.send(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := map[string][]string{}
	for _, m := range next(runs * each) {
		got[m.Subject] = append(got[m.Subject], string(m.Data))
	}
	for subject, texts := range got {
		for i, text := range texts {
			if text != fmt.Sprint(i) {
				t.Errorf("%s: %q", subject, texts)
			}
		}
	}
	if len(got) != runs {
		t.Errorf("%d subjects", len(got))
	}
}

// FuzzNames writes to any names. What opens is a subject that is granted, and nobody else's.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"a/b", "a.b.c", "b", "a/*", "fn/x", "a/\n", "..", "$a", "_a", "a//b"} {
		f.Add(name)
	}
	all, err := publish.New(publish.Config{}).Open(f.Context(), &protocol.Function{Name: "f"}, grant("a.*", "b.>", "c"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string) {
		tree := all[0].Begin(&backend.Transaction{Call: backend.Call{Output: 1 << 20}}).Tree()
		_, err := tree.Open(t.Context(), name, files.Write|files.Create)
		if info, e := tree.Stat(t.Context(), name); (e == nil) != (err == nil || errors.Is(err, files.ErrIsDir)) ||
			e == nil && info.IsDir() != errors.Is(err, files.ErrIsDir) {
			t.Errorf("%q: open says %v, stat %+v, %v", name, err, info, e)
		}
		if err != nil {
			return
		}
		subject := strings.ReplaceAll(name, "/", ".")
		granted := slices.ContainsFunc([]string{"a.*", "b.>", "c"}, func(p string) bool {
			_, ok := protocol.Match(p, subject)
			return ok
		})
		if !granted || protocol.Reserved(subject) || strings.ContainsAny(subject, " \t\r\n*>\x00") ||
			protocol.CheckPattern(subject) != nil {
			t.Errorf("%q is written as %q", name, subject)
		}
	})
}
