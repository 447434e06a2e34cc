package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"slices"
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

// quiet drops what servers say of clients.
var quiet = log.New(io.Discard, "", 0)

// all are methods of a grant.
var all = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"}

// echo answers with what it was asked, and counts.
func echo(asked *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Asked", r.Header.Get("X-Ask"))
		fmt.Fprintf(w, "%s %s %s", r.Method, r.RequestURI, body)
	}
}

func TestGet(t *testing.T) {
	var asked atomic.Int64
	at := serve(t, echo(&asked))
	w := newWorld(t, Config{}, protocol.Grant{HTTP: "http://" + at})
	r := w.begin()
	for name, want := range map[string]string{
		"/v1/items?sort=name": "GET /v1/items?sort=name ", "/%": "GET / ", "?q": "GET /?q ", "/a/%/b": "GET /a//b ",
		"/a%2Fb/%": "GET /a%2Fb/ ", "/a b": "GET /a%20b ", "/a%3fb?": "GET /a%3Fb? ", "/a.status.body": "",
	} {
		if want == "" {
			continue
		}
		for range 2 {
			if got := r.must(at + name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if got := r.must(at + name + ".status"); got != "200" {
			t.Errorf("%s: the status is %q", name, got)
		}
		if got := r.must(at + name + ".headers"); !strings.Contains(got, fmt.Sprintf("Content-Length: %d\n", len(want))) {
			t.Errorf("%s: the headers are %q", name, got)
		}
	}
	if n := asked.Load(); n != 7 {
		t.Errorf("7 URLs were asked for %d times", n)
	}
	if !r.tx.Repeatable() || r.tx.Reads() != 7 || r.tx.Writes() != 0 {
		t.Errorf("effective: %t, %d reads, %d writes", r.Effective(), r.tx.Reads(), r.tx.Writes())
	}
	if again := w.begin(); again.must(at+"/%") != "GET / " || asked.Load() != 8 {
		t.Error("another run saw what the first had asked for")
	}
}

func TestPost(t *testing.T) {
	var asked atomic.Int64
	at := serve(t, echo(&asked))
	r := newWorld(t, Config{}, protocol.Grant{HTTP: "http://" + at, Methods: all}).begin()
	for i, body := range []string{"one", "two", ""} { // each is a request of its own
		if err := r.put(at+"/x", body); err != nil {
			t.Fatal(err)
		}
		if got := r.must(at + "/x"); got != "POST /x "+body {
			t.Errorf("got %q", got)
		}
		if n := int(asked.Load()); n != i+1 {
			t.Errorf("%d requests were made", n)
		}
	}
	if r.tx.Repeatable() || r.tx.Writes() != 3 {
		t.Errorf("effective: %t, %d writes", r.Effective(), r.tx.Writes())
	}
	for _, c := range []struct{ method, body, want string }{
		{"PUT\n", "new", "PUT /y new"}, {"DELETE", "", "DELETE /y "}, {"DELETE", "why", "DELETE /y why"},
		{"PATCH", "diff", "PATCH /y diff"}, {"OPTIONS", "", "OPTIONS /y "}, {"POST", "", "POST /y "}, {"HEAD", "", ""},
	} {
		if err := r.put(at+"/y.method", c.method); err != nil {
			t.Fatal(err)
		}
		if c.body != "" {
			if err := r.put(at+"/y", c.body); err != nil {
				t.Fatal(err)
			}
		}
		if got := r.must(at + "/y"); got != c.want {
			t.Errorf("%s: got %q, want %q", c.method, got, c.want)
		}
		if got := r.must(at + "/y.method"); got != strings.TrimSpace(c.method) {
			t.Errorf("%s: it is %q", c.method, got)
		}
	}
	if err := r.Remove(r.ctx, at+"/y.method"); err != nil {
		t.Fatal(err)
	}
	if got := r.must(at + "/y"); got != "GET /y " {
		t.Errorf("got %q", got)
	}
}

// TestPostAndRead writes and reads one descriptor.
func TestPostAndRead(t *testing.T) {
	var asked atomic.Int64
	at := serve(t, echo(&asked))
	r := newWorld(t, Config{}, protocol.Grant{HTTP: "http://" + at, Methods: all}).begin()
	f, err := r.Open(r.ctx, at+"/x", files.Read|files.Write)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := f.Stat(r.ctx); err != nil || !info.Stream {
		t.Errorf("it is %+v, %v", info, err)
	}
	for _, part := range []string{"hello", " ", "world"} {
		if _, err := f.WriteAt(r.ctx, []byte(part), files.End); err != nil {
			t.Fatal(err)
		}
	}
	b := make([]byte, 100)
	n, err := f.ReadAt(r.ctx, b, 11)
	if got := string(b[:n]); err != nil || got != "POST /x hello world" {
		t.Errorf("got %q, %v", got, err)
	}
	if n, err := f.ReadAt(r.ctx, b, 30); n != 0 || err != io.EOF {
		t.Errorf("then %d, %v", n, err)
	}
	if _, err := f.WriteAt(r.ctx, []byte("more"), files.End); !errors.Is(err, files.ErrBadFile) {
		t.Errorf("writing after reading: %v", err)
	}
	if err := f.Close(r.ctx); err != nil || asked.Load() != 1 {
		t.Errorf("closing: %v after %d requests", err, asked.Load())
	}
	// One that is only written is sent when it is closed, one that is only read is a GET, and one that is neither nothing.
	f, err = r.Open(r.ctx, at+"/y", files.Read|files.Write)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(r.ctx); err != nil || asked.Load() != 1 {
		t.Errorf("closing: %v after %d requests", err, asked.Load())
	}
	f, _ = r.Open(r.ctx, at+"/y", files.Read|files.Write)
	if got, err := r.rest(f); err != nil || got != "GET /y " {
		t.Errorf("got %q, %v", got, err)
	}
	f, _ = r.Open(r.ctx, at+"/z", files.Read|files.Write)
	if _, err := f.WriteAt(r.ctx, []byte("z"), 0); err != nil || asked.Load() != 2 {
		t.Errorf("writing: %v after %d requests", err, asked.Load())
	}
	if err := f.Close(r.ctx); err != nil || asked.Load() != 3 || r.must(at+"/z") != "POST /z z" {
		t.Errorf("closing: %v after %d requests", err, asked.Load())
	}
}

// TestBody writes bodies at positions, as any file.
func TestBody(t *testing.T) {
	var asked atomic.Int64
	at := serve(t, echo(&asked))
	r := newWorld(t, Config{}, protocol.Grant{HTTP: "http://" + at, Methods: all}).beginWith(backend.Call{Output: 1000})
	f, err := r.Open(r.ctx, at+"/x", files.Write|files.Create)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string, at int64, want error) {
		t.Helper()
		if _, err := f.WriteAt(r.ctx, []byte(text), at); !errors.Is(err, want) {
			t.Errorf("%.10q at %d: %v, want %v", text, at, err, want)
		}
	}
	write("hello", 0, nil)
	write("J", 0, nil)
	write("!", 7, nil)
	write("?", files.End, nil)
	write("x", 1000, files.ErrTooLarge)
	write("x", 1<<62, files.ErrTooLarge)
	write("xx", 1<<63-1, files.ErrTooLarge)
	if err := f.Truncate(r.ctx, 1001); !errors.Is(err, files.ErrTooLarge) {
		t.Errorf("making longer: %v", err)
	}
	if err := f.Truncate(r.ctx, -1); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("making shorter: %v", err)
	}
	if info, err := f.Stat(r.ctx); err != nil || info.Size != 9 || info.Stream {
		t.Errorf("it is %+v, %v", info, err)
	}
	if _, err := f.ReadAt(r.ctx, make([]byte, 1), 0); !errors.Is(err, files.ErrBadFile) {
		t.Errorf("reading: %v", err)
	}
	g, err := r.Open(r.ctx, at+"/y", files.Write|files.Create)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.WriteAt(r.ctx, make([]byte, 992), 0); !errors.Is(err, files.ErrTooLarge) { // of both together
		t.Errorf("writing another: %v", err)
	}
	if err := f.Close(r.ctx); err != nil {
		t.Fatal(err)
	}
	if got := r.must(at + "/x"); got != "POST /x Jello\x00\x00!?" {
		t.Errorf("got %q", got)
	}
	if _, err := g.WriteAt(r.ctx, make([]byte, 992), 0); err != nil {
		t.Errorf("writing another: %v", err)
	}
	ended, cancel := context.WithCancel(r.ctx)
	cancel()
	if err := g.Close(ended); err != nil || asked.Load() != 1 {
		t.Errorf("a process that has ended has sent something: %v", err)
	}
}

func TestHeaders(t *testing.T) {
	var got http.Header
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		w.Header()["X-Two"] = []string{"a", "b"}
		w.WriteHeader(http.StatusCreated)
	})
	w := newWorld(t, Config{Version: "1.2.3"}, protocol.Grant{HTTP: "http://" + at, Methods: all})
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	r := w.beginWith(backend.Call{Header: protocol.Header{"traceparent": {parent}, "tracestate": {"a=b"}},
		ID: func() string { return "id-7" }})
	if err := r.put(at+"/x.headers", "Authorization: Bearer x\r\nx-ask:  1\t\n\nX-Ask: 2"); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if err := r.put(at+"/x", "body"); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"Authorization": "Bearer x", "X-Ask": "1,2", "Traceparent": parent,
			"Tracestate": "a=b", "User-Agent": "polyvoke/1.2.3", "Idempotency-Key": fmt.Sprint("id-7.http", i+1),
			"Content-Length": "4", "Cookie": ""} {
			if values := strings.Join(got[name], ","); values != want {
				t.Errorf("%s is %q, want %q", name, values, want)
			}
		}
	}
	if text := r.must(at + "/x.headers"); !strings.Contains(text, "X-Two: a\nX-Two: b\n") {
		t.Errorf("the headers are %q", text)
	}
	if text := r.must(at + "/x.status"); text != "201" {
		t.Errorf("the status is %q", text)
	}
	r.must(at + "/y")
	if got["Idempotency-Key"] != nil || got["Authorization"] != nil {
		t.Errorf("another URL has got %v", got)
	}
	for text, why := range map[string]string{"Host: x": "not for a function", "content-length: 1": "not for a function",
		"Transfer-Encoding: chunked": "not for a function", "Connection: x": "not for a function",
		"x": "no header", "a b: c": "no header", "A: b\x00": "no header", "A: b\rC: d": "no header", ": x": "no header",
		"A : b": "no header", strings.Repeat("A: b\n", 101): "more than 100"} {
		r := w.begin()
		if err := r.put(at+"/z.headers", text); err != nil {
			t.Fatal(err)
		}
		_, err := r.get(at + "/z")
		r.is(fmt.Sprintf("%.20q", text), err, fs.ErrInvalid, why)
	}
	if err := r.put(at+"/z.headers", strings.Repeat("x", maxWishBytes+1)); !errors.Is(err, files.ErrTooLarge) {
		t.Errorf("long headers: %v", err)
	}
	if err := r.put(at+"/z.method", strings.Repeat("X", maxMethod+1)); !errors.Is(err, files.ErrTooLarge) {
		t.Errorf("a long method: %v", err)
	}
	for _, method := range []string{"get", "CONNECT", "TRACE", "GET / HTTP/1.1\r\nX: ", "G T"} {
		r := w.begin()
		if err := r.put(at+"/z.method", method); err != nil {
			t.Fatal(err)
		}
		_, err := r.get(at + "/z")
		r.is(method, err, fs.ErrInvalid, "no method")
	}
}

func TestStatus(t *testing.T) {
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var status int
		_, _ = fmt.Sscanf(r.URL.Path, "/a/%d", &status)
		w.WriteHeader(status)
		fmt.Fprint(w, "says why")
	})
	w := newWorld(t, Config{}, protocol.Grant{HTTP: "http://" + at, Methods: all})
	for status, want := range map[int]error{404: fs.ErrNotExist, 410: fs.ErrNotExist, 401: syscall.EACCES,
		403: syscall.EACCES, 400: syscall.EIO, 422: syscall.EIO, 429: syscall.EIO, 500: syscall.EIO, 503: syscall.EIO} {
		r, name := w.begin(), fmt.Sprintf("%s/a/%d", at, status)
		_, err := r.get(name)
		r.is(name, err, want, fmt.Sprintf("/http/%s: open: the status is %d", name, status))
		if got := r.must(name + ".body"); got != "says why" {
			t.Errorf("%s: the body is %q", name, got)
		}
		var p problem
		if err := json.Unmarshal([]byte(r.must(name+".error")), &p); err != nil || p.Code != status || p.Message == "" ||
			p.Errno != errnoName(want) {
			t.Errorf("%s: the problem is %+v, %v", name, p, err)
		}
		if got := r.must(name + ".status"); got != fmt.Sprint(status) {
			t.Errorf("%s: the status is %q", name, got)
		}
		err = r.put(name, "x")
		r.is("writing "+name, err, want, "")
		if len(r.log) != 1 {
			t.Errorf("the log is %q", r.log)
		}
		if info, err := r.Stat(r.ctx, at+"/a"); err != nil || !info.IsDir() { // so that ENOENT is not ENOTDIR
			t.Errorf("what leads there is %+v, %v", info, err)
		}
	}
	r := w.begin()
	if _, err := r.get(at + "/a/200.error"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the error of a success: %v", err)
	}
}

// TestNotGranted checks that what is not granted does not exist, whatever is done with it.
func TestNotGranted(t *testing.T) {
	var asked atomic.Int64
	at := serve(t, echo(&asked))
	r := newWorld(t, Config{}, protocol.Grant{HTTP: "http://" + at + "/v1"}).begin()
	host, _, _ := strings.Cut(at, ":")
	for _, name := range []string{"other.example/x", "other.example", at + "/v2", at + "/v1x", at + "/%", host + ":1/v1",
		host + "/v1", at + "/v2.status", at + "/v2.headers", at + "/v2.method", at + "/v2.error", at + "/v2.body"} {
		for op, err := range map[string]error{
			"get":    func() error { _, err := r.get(name); return err }(),
			"put":    r.put(name, "x"),
			"stat":   func() error { _, err := r.Stat(r.ctx, name); return err }(),
			"list":   func() error { _, err := r.ReadDir(r.ctx, name); return err }(),
			"mkdir":  r.Mkdir(r.ctx, name),
			"remove": r.Remove(r.ctx, name),
			"rename": r.Rename(r.ctx, name, "x"),
			"times":  r.SetTime(r.ctx, name, time.Time{}),
		} {
			r.is(op+" "+name, err, fs.ErrNotExist, "no grant of http speaks of it")
		}
	}
	err := r.put(at+"/v1/x", "body")
	r.is("writing", err, files.ErrReadOnly, "")
	if err := r.put(at+"/v1/y.method", "DELETE"); err != nil {
		t.Fatal(err)
	}
	_, err = r.get(at + "/v1/y")
	r.is("deleting", err, syscall.EACCES, "the method DELETE is not granted")
	for _, part := range []string{".status", ".body", ".error"} {
		r.is("writing "+part, r.put(at+"/v1/x"+part, "x"), files.ErrReadOnly, "")
	}
	if asked.Load() != 0 || r.Effective() {
		t.Error("a request was made")
	}
}

// TestTree describes and lists.
func TestTree(t *testing.T) {
	var asked atomic.Int64
	at := serve(t, echo(&asked))
	r := newWorld(t, Config{}, protocol.Grant{HTTP: "http://" + at, Methods: all}, protocol.Grant{HTTP: "*.example.com"},
		protocol.Grant{HTTP: "api.example.com/v1"}, protocol.Grant{HTTP: "api.example.com/v2"}).begin()
	for _, name := range []string{".", at, "api.example.com", "x.example.com"} {
		info, err := r.Stat(r.ctx, name)
		if err != nil || !info.IsDir() {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
		_, err = r.Open(r.ctx, name, files.Read)
		r.is("opening "+name, err, files.ErrIsDir, "")
		_, err = r.Open(r.ctx, name, files.Write|files.Create|files.Exclusive)
		r.is("making "+name, err, fs.ErrExist, "")
		r.is("making "+name, r.Mkdir(r.ctx, name), fs.ErrExist, "")
		if err := r.SetTime(r.ctx, name, time.Time{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	list, err := r.ReadDir(r.ctx, ".")
	want := []files.Entry{{Name: at, Mode: fs.ModeDir}, {Name: "api.example.com", Mode: fs.ModeDir}}
	if err != nil || !slices.Equal(list, want) {
		t.Errorf("it has %v, %v", list, err)
	}
	name := at + "/x"
	_, err = r.ReadDir(r.ctx, name)
	r.is("listing a file", err, files.ErrNotDir, "")
	_, err = r.Open(r.ctx, name, files.Read|files.Write|files.Create|files.Exclusive)
	r.is("making a file", err, fs.ErrExist, "")
	r.is("removing a file", r.Remove(r.ctx, name), errors.ErrUnsupported, "")
	r.is("renaming a file", r.Rename(r.ctx, name, at+"/y"), errors.ErrUnsupported, "")
	r.is("renaming a file", r.Rename(r.ctx, name, ".."), fs.ErrInvalid, "")
	if _, err := r.Stat(r.ctx, name+".error"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is an error: %v", err)
	}
	if info, err := r.Stat(r.ctx, name); err != nil || !info.Mode.IsRegular() || asked.Load() != 0 {
		t.Errorf("it is %+v, %v", info, err)
	}
	r.must(name)
	if info, err := r.Stat(r.ctx, name); err != nil || info.Size != 7 {
		t.Errorf("it is %+v, %v", info, err)
	}
	f, err := r.Open(r.ctx, name, files.Read)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(r.ctx, []byte("x"), 0); !errors.Is(err, files.ErrBadFile) {
		t.Errorf("writing: %v", err)
	}
	if err := f.Truncate(r.ctx, 0); !errors.Is(err, files.ErrBadFile) {
		t.Errorf("making shorter: %v", err)
	}
	b := make([]byte, 3)
	if n, err := f.ReadAt(r.ctx, b, 4); err != nil || string(b[:n]) != "/x " {
		t.Errorf("%q, %v", b[:n], err)
	}
}

// TestStreams reads a response while it comes.
func TestStreams(t *testing.T) {
	next := make(chan string)
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		for line := range next {
			fmt.Fprint(w, line)
			w.(http.Flusher).Flush()
		}
	})
	r := newWorld(t, Config{}, protocol.Grant{HTTP: "http://" + at}).begin()
	f, err := r.Open(r.ctx, at+"/x", files.Read)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := f.Stat(r.ctx); err != nil || !info.Stream {
		t.Errorf("it is %+v, %v", info, err)
	}
	b := make([]byte, 100)
	for _, line := range []string{"one", "two", "three"} {
		next <- line
		if n, err := f.ReadAt(r.ctx, b, 0); err != nil || string(b[:n]) != line {
			t.Fatalf("got %q, %v", b[:n], err)
		}
	}
	close(next)
	if n, err := f.ReadAt(r.ctx, b, 0); n != 0 || err != io.EOF {
		t.Errorf("then %d, %v", n, err)
	}
	g, err := r.Open(r.ctx, at+"/x", files.Read)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := g.Stat(r.ctx); err != nil || info.Stream || info.Size != 11 {
		t.Errorf("then it is %+v, %v", info, err)
	}
	if got, err := r.rest(g); err != nil || got != "onetwothree" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestLimits bounds responses, requests, and what a run holds.
func TestLimits(t *testing.T) {
	var asked atomic.Int64
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		n := 100
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &n)
		if r.URL.Query().Has("chunked") {
			w.(http.Flusher).Flush()
		} else {
			w.Header().Set("Content-Length", fmt.Sprint(n))
		}
		fmt.Fprint(w, strings.Repeat("x", n))
	})
	w := newWorld(t, Config{}, protocol.Grant{HTTP: "http://" + at, MaxOps: 10})
	r := w.beginWith(backend.Call{Output: 1000})
	if got := r.must(at + "/1000"); len(got) != 1000 {
		t.Errorf("got %d bytes", len(got))
	}
	_, err := r.get(at + "/1001")
	r.is("too much", err, files.ErrTooLarge, "raise max_bytes")
	_, err = r.get(at + "/1001?chunked")
	r.is("too much in pieces", err, files.ErrTooLarge, "raise max_bytes")
	for n := range 7 {
		r.must(fmt.Sprintf("%s/%d", at, n))
	}
	_, err = r.get(at + "/one-more")
	r.is("one more", err, files.ErrNoSpace, "raise max_ops")
	if n := asked.Load(); n != 10 {
		t.Errorf("%d requests were made", n)
	}
	more := newWorld(t, Config{}, protocol.Grant{HTTP: "http://" + at, MaxBytes: 5000}).beginWith(
		backend.Call{Output: 1000})
	for n := range 20 { // what nobody has open makes room
		if got := more.must(fmt.Sprintf("%s/%d", at, 4000+n)); len(got) != 4000+n {
			t.Errorf("got %d bytes", len(got))
		}
	}
	if held := more.holding.held.Load(); held > 20_000 {
		t.Errorf("%d bytes are held", held)
	}
	for n := range 5 {
		name := fmt.Sprintf("%s/%d", at, 4900+n)
		f, err := more.Open(more.ctx, name, files.Read)
		if err == nil {
			_, err = more.rest(f)
		}
		if full := n > 2; full != (err != nil) {
			t.Errorf("%d open: %v", n, err)
		} else if full {
			more.is("too much at once", err, files.ErrNoSpace, "close them")
		}
	}
}

// TestDeadline ends waiting with the call, and lets go of the request.
func TestDeadline(t *testing.T) {
	gone := make(chan struct{}, 10)
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			w.(http.Flusher).Flush()
		}
		_, _ = io.Copy(io.Discard, r.Body) // a server looks for the end of a connection only behind the body
		<-r.Context().Done()
		gone <- struct{}{}
	})
	w := newWorld(t, Config{}, protocol.Grant{HTTP: "http://" + at, Methods: all})
	for name, do := range map[string]func(r *run, name string) error{
		"/headers": func(r *run, name string) error { _, err := r.get(name); return err },
		"/body":    func(r *run, name string) error { _, err := r.get(name); return err },
		"/post":    func(r *run, name string) error { return r.put(name, "x") },
	} {
		r := w.beginWith(backend.Call{Deadline: time.Now().Add(100 * time.Millisecond)})
		if err := do(r, at+name); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		<-gone
	}
	r := w.begin()
	f, err := r.Open(r.ctx, at+"/body", files.Read)
	if err != nil {
		t.Fatal(err)
	}
	r.End()
	<-gone
	w.g.Close() // nothing of it runs any more
	if err := f.Close(r.ctx); err != nil {
		t.Error(err)
	}
}

// TestConcurrency bounds how many requests of a version are made at a time.
func TestConcurrency(t *testing.T) {
	var now, most atomic.Int64
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		time.Sleep(time.Millisecond)
		now.Add(-1)
	})
	w := newWorld(t, Config{Concurrency: 3}, protocol.Grant{HTTP: "http://" + at})
	var running sync.WaitGroup
	for range 20 {
		r := w.begin()
		running.Go(func() {
			for n := range 5 {
				if _, err := r.get(fmt.Sprintf("%s/%d", at, n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	if n := most.Load(); n > 3 || n < 1 {
		t.Errorf("%d at a time", n)
	}
}

// TestReuse checks that connections are kept.
func TestReuse(t *testing.T) {
	var mu sync.Mutex
	conns := map[string]bool{}
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		conns[r.RemoteAddr] = true
	})
	w := newWorld(t, Config{}, protocol.Grant{HTTP: "http://" + at})
	for range 50 {
		w.begin().must(at + "/x")
	}
	if len(conns) != 1 {
		t.Errorf("there were %d connections", len(conns))
	}
}
