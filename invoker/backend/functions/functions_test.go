package functions_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/backend/functions"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// TestCall calls functions of a real invoker, over NATS.
func TestCall(t *testing.T) {
	s := serve(t, map[string][]string{"echo": nil, "args": nil, "id": {"cat", "/request/id"}, "bad": {"exit", "65"},
		"word": {"cat", "/request/headers/accept-language"}})
	c := &counted{Caller: s.Client}
	r := start(t, c, grant("echo", "args", "id", "bad", "word", "none"))

	r.put("echo", "Hello")
	r.has("echo", "Hello")
	r.has("echo", "Hello") // which is no other call
	if got := c.bodies(); !slices.Equal(got, []string{"Hello"}) || r.t.Repeatable() {
		t.Errorf("the calls were %q", got)
	}
	r.put("echo", "World")
	r.has("echo", "World")
	r.has("args/args/eu/tea", "args\x00args\x00eu\x00tea\x00")
	r.has("id", "seven.fn4")
	r.has("echo.status", "200\n")
	r.put("word.headers", "Accept-Language: fi\r\n\nX-Mine: 1\n")
	r.has("word", "fi")
	if got, err := r.get("word.headers"); err != nil || !strings.Contains(got, "Fn-Id: seven.fn5\n") {
		t.Errorf("the reply's headers are %q, %v", got, err)
	}
	_, err := r.get("echo.error")
	r.is("a call without an error", err, fs.ErrNotExist)

	_, err = r.get("bad")
	r.is("a call that fails", err, syscall.EIO)
	_, err = r.get("bad")
	r.is("the same", err, syscall.EIO)
	r.has("bad.status", "400\n")
	text, err := r.get("bad.error")
	var what struct {
		Code        int
		Message, ID string
	}
	if err != nil || json.Unmarshal([]byte(text), &what) != nil || what.Code != 400 || what.ID != "seven.fn6" ||
		what.Message == "" {
		t.Errorf("%s, %v", text, err)
	}
	r.logged("/fn/bad:", "400", "seven.fn6")
	_, err = r.get("none")
	r.is("a call of what there is not", err, syscall.EIO)
	r.has("none.status", "404\n")
	if n := r.t.Writes(); n != 7 {
		t.Errorf("%d writes", n)
	}
}

// is checks what an error is.
func (r *run) is(about string, got, want error) {
	r.Helper()
	if !errors.Is(got, want) {
		r.Errorf("%s: the error is %v, want %v", about, got, want)
	}
}

// echo is a Caller that sends back the body.
var echo = callerFunc(func(_ context.Context, r *protocol.Request) (*protocol.Reply, error) {
	return &protocol.Reply{Body: bytes.ToUpper(r.Body)}, nil
})

// TestOneFile writes and reads by one descriptor, as languages do with "r+" and "w+".
func TestOneFile(t *testing.T) {
	for name, how := range map[string]files.Flags{"r+": files.Read | files.Write,
		"w+": files.Read | files.Write | files.Create | files.Truncate, "a+": files.Read | files.Write | files.Create} {
		t.Run(name, func(t *testing.T) {
			c := &counted{Caller: echo}
			r := start(t, c, grant("f"))
			f := r.open("f", how)
			check := func(at int64, want string) {
				t.Helper()
				if got, err := readAll(t.Context(), f, at); got != want || err != nil {
					t.Errorf("at %d: %q, %v, want %q", at, got, err, want)
				}
			}
			r.write(f, "one ", 0)
			r.write(f, "two", 4)
			check(7, "ONE TWO") // without a seek
			check(0, "ONE TWO") // from the beginning
			check(4, "TWO")
			r.write(f, "three", 7) // where reading ended
			if info, err := f.Stat(t.Context()); err != nil || info.Size != 12 {
				t.Errorf("%+v, %v", info, err)
			}
			check(12, "THREE")
			r.write(f, "four", 0) // after a seek
			check(0, "FOUR")
			r.write(f, "at ", files.End)
			r.write(f, "the end", files.End)
			check(10, "AT THE END")
			if err := f.Truncate(t.Context(), 2); err != nil {
				t.Error(err)
			}
			check(0, "\x00\x00")
			r.close(f)
			want := []string{"one two", "three", "four", "at the end", "\x00\x00"}
			if got := c.bodies(); !slices.Equal(got, want) {
				t.Errorf("the calls were %q, want %q", got, want)
			}
		})
	}
}

// TestReadOnly reads without having written, by programs that first ask how much there is.
func TestReadOnly(t *testing.T) {
	c := &counted{Caller: callerFunc(func(context.Context, *protocol.Request) (*protocol.Reply, error) {
		return &protocol.Reply{Body: []byte("0123456789")}, nil
	})}
	r := start(t, c, grant("f", "g@live"))
	for name, size := range map[string]int64{"f": 0, "f/a": 0, "g@live": 0} {
		if info, err := r.Stat(t.Context(), name); err != nil || info.Size != size || !info.Mode.IsRegular() {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
	}
	f := r.open("f", files.Read)
	if len(c.bodies()) > 0 {
		t.Error("it was called before it was read")
	}
	if info, err := f.Stat(t.Context()); err != nil || info.Size != 10 {
		t.Errorf("%+v, %v", info, err)
	}
	if got, err := readAll(t.Context(), f, 4); got != "456789" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	_, err := f.WriteAt(t.Context(), []byte("x"), 0)
	r.is("writing", err, files.ErrBadFile)
	r.is("making shorter", f.Truncate(t.Context(), 1), files.ErrBadFile)
	r.close(f)
	r.is("closing again", f.Close(t.Context()), fs.ErrClosed)
	if info, err := r.Stat(t.Context(), "f"); err != nil || info.Size != 10 {
		t.Errorf("%+v, %v", info, err)
	}
	all, err := r.ReadDir(t.Context(), ".")
	if want := []files.Entry{{Name: "f"}, {Name: "g@live"}}; err != nil || !slices.Equal(all, want) {
		t.Errorf("%v, %v", all, err)
	}
	_, err = r.ReadDir(t.Context(), "f")
	r.is("listing a file", err, files.ErrNotDir)
	r.is("making a folder", r.Mkdir(t.Context(), "f"), fs.ErrExist)
	r.is("renaming", r.Rename(t.Context(), "f", "f/a"), fs.ErrPermission)
	_, err = r.Open(t.Context(), "f", files.Read|files.Create|files.Exclusive)
	r.is("making what exists", err, fs.ErrExist)
	_, err = r.Open(t.Context(), "f.status", files.Write)
	r.is("writing a status", err, files.ErrReadOnly)
}

// TestWriter reads while the request is still being written, which is a mistake.
func TestWriter(t *testing.T) {
	c := &counted{Caller: echo}
	r := start(t, c, grant("f"))
	w := r.open("f", files.Write|files.Create|files.Truncate)
	r.write(w, "hello", 0)
	f := r.open("f", files.Read)
	if info, err := f.Stat(t.Context()); err != nil || info.Size != 5 {
		t.Errorf("%+v, %v", info, err)
	}
	_, err := f.ReadAt(t.Context(), make([]byte, 1), 0)
	r.is("reading", err, files.ErrBusy)
	r.logged("/fn/f", "close it")
	r.is("removing", r.Remove(t.Context(), "f"), files.ErrBusy)
	r.close(w)
	if got, err := readAll(t.Context(), f, 0); got != "HELLO" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	r.close(f)
	if got := c.bodies(); !slices.Equal(got, []string{"hello"}) {
		t.Errorf("the calls were %q", got)
	}
}

// TestSend writes requests that nobody reads the replies to.
func TestSend(t *testing.T) {
	c := &counted{Caller: echo}
	r := start(t, c, grant("f", "g"))
	r.put("f/b", "first")
	r.put("g", "")
	r.put("f/a", "dropped")
	if err := r.Remove(t.Context(), "f/a"); err != nil {
		t.Error(err)
	}
	r.put("f/a", "read")
	r.has("f/a", "READ")
	if len(c.bodies()) != 1 {
		t.Errorf("sent: %q", c.bodies())
	}
	for range 2 {
		if err := r.t.Send(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if got := c.bodies(); !slices.Equal(got, []string{"read", "first", ""}) {
		t.Errorf("the calls were %q", got)
	}

	failing := start(t, callerFunc(func(context.Context, *protocol.Request) (*protocol.Reply, error) {
		return nil, protocol.Errorf(protocol.CodeForbidden, "", "not you")
	}), grant("f"))
	failing.put("f", "x")
	err := failing.t.Send(t.Context())
	if protocol.CodeOf(err) != protocol.CodeBadOutput || !strings.Contains(err.Error(), "not you") {
		t.Errorf("the error is %v", err)
	}
}

// TestRequest checks what a call says of the one that it comes of.
func TestRequest(t *testing.T) {
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	c := &counted{Caller: echo}
	r := start(t, c, grant("f@3"), func(c *backend.Call) {
		c.Hops, c.Header = 4, protocol.Header{"traceparent": {parent}, "tracestate": {"a=b"}, "X-Other": {"stays"}}
	})
	r.has("f@3/x", "")
	r.put("f@3.headers", "Traceparent: "+strings.Replace(parent, "b7", "b8", 1)+"\n")
	r.has("f@3", "")
	got := c.sent[0]
	if got.ID != "seven.fn1" || got.Hops != 5 || got.Function.String() != "f@3" ||
		!slices.Equal(got.Args, []string{"x"}) || len(got.Header) != 2 || got.Header.Get("traceparent") != parent || got.Header.Get("tracestate") != "a=b" {
		t.Errorf("the request is %+v", got)
	}
	if own := c.sent[1].Header.Get("traceparent"); own == parent || own == "" {
		t.Errorf("the function's own trace context became %q", own)
	}
	for _, n := range []int{protocol.MaxHops, protocol.MaxHops + 5} {
		r := start(t, c, grant("f"), func(c *backend.Call) { c.Hops = n })
		_, err := r.get("f")
		r.is("a loop", err, syscall.EIO)
		r.logged("loop")
		if !r.t.Repeatable() || len(c.sent) != 2 {
			t.Error("it was called all the same")
		}
	}
}

// TestEffectID has the ids of long and of short calls.
func TestEffectID(t *testing.T) {
	long := strings.Repeat("x", protocol.MaxID)
	seen := map[string]bool{}
	for _, id := range []string{"a", long, long[1:] + "y", strings.Repeat("ä", 60)} {
		for n := range 3 {
			got := backend.EffectID(id, "fn", n+1)
			if seen[got] || len(got) > protocol.MaxID || got != backend.EffectID(id, "fn", n+1) ||
				!strings.HasSuffix(got, ".fn"+strconv.Itoa(n+1)) {
				t.Errorf("%d of %.20s: %q", n, id, got)
			}
			seen[got] = true
		}
	}
}

// TestHeaders refuses headers that are none, or not the function's to set.
func TestHeaders(t *testing.T) {
	for text, code := range map[string]int{"no colon\n": 400, ": no name": 400, "Fn-Body-Object: x": 400,
		"fn-hops: 0": 400, "NATS-Msg-Id: 1": 400, "a: \x01": 400, "a b: c": 400, "a: \xff": 400, strings.Repeat("a: b\n", 300): 431, "": 0,
		"\n\n": 0, "a:b": 0, "A: 1\na: 2": 0} {
		c := &counted{Caller: echo}
		r := start(t, c, grant("f"))
		f := r.open("f.headers", files.Write|files.Create|files.Truncate)
		r.write(f, text, 0)
		err := f.Close(t.Context())
		if wrong := errors.Is(err, fs.ErrInvalid); wrong != (code == 400) {
			t.Errorf("%.20q: closing: %v", text, err)
		}
		_, err = r.get("f")
		if code == 0 {
			if err != nil || len(c.sent) != 1 {
				t.Errorf("%.20q: %v", text, err)
			}
			continue
		}
		r.is(text, err, syscall.EIO)
		r.has("f.status", strconv.Itoa(code)+"\n")
		if len(c.sent) > 0 {
			t.Errorf("%.20q was sent", text)
		}
	}
	r := start(t, echo, grant("f"))
	f := r.open("f.headers", files.Write|files.Create)
	_, err := f.WriteAt(t.Context(), []byte("x"), 64<<10)
	r.is("too many", err, files.ErrTooLarge)
	r.close(f)
}

// TestBounds goes to the limits of a run.
func TestBounds(t *testing.T) {
	t.Run("requests", func(t *testing.T) {
		c := &counted{Caller: echo}
		r := start(t, c, grant("f"), func(c *backend.Call) { c.Output = 2000 })
		r.put("f/a", strings.Repeat("x", 1000))
		f := r.open("f/b", files.Write)
		for _, at := range []int64{1000, 1 << 40, 1<<63 - 2} {
			if _, err := f.WriteAt(t.Context(), []byte("x"), at); !errors.Is(err, files.ErrNoSpace) &&
				!errors.Is(err, files.ErrTooLarge) {
				t.Errorf("at %d: %v", at, err)
			}
		}
		r.close(f)
		r.logged("limits.output")
		_, err := r.get("f/b")
		r.is("what was not written whole", err, syscall.EIO)
		r.has("f/b.status", "413\n")
		if len(c.sent) > 0 {
			t.Error("it was sent all the same")
		}
		r.has("f/a", strings.Repeat("X", 1000))
		r.put("f/b", strings.Repeat("y", 1000)) // there is room again
		r.has("f/b", strings.Repeat("Y", 1000))
	})
	t.Run("paths", func(t *testing.T) {
		r := start(t, echo, grant("f"), func(c *backend.Call) { c.Output = 2000 })
		var err error
		for n := 0; err == nil && n < 100; n++ {
			err = r.Tree.Remove(t.Context(), "f/"+strconv.Itoa(n)) // nothing
			_, e := r.Open(t.Context(), "f/"+strconv.Itoa(n), files.Write)
			err = errors.Join(err, e)
		}
		r.is("many paths", err, files.ErrNoSpace)
	})
	t.Run("replies", func(t *testing.T) {
		f := &protocol.Function{Name: "caller", Grants: grant("f"), Limits: protocol.Limits{Input: 1000}}
		r := startAs(t, f, callerFunc(func(context.Context, *protocol.Request) (*protocol.Reply, error) {
			return &protocol.Reply{Body: make([]byte, 600)}, nil
		}))
		if _, err := r.get("f/a"); err != nil {
			t.Fatal(err)
		}
		_, err := r.get("f/b")
		r.is("more than there is room for", err, syscall.EIO)
		r.has("f/b.status", "413\n")
		r.logged("limits.input")
		if err := r.Remove(t.Context(), "f/a"); err != nil {
			t.Error(err)
		}
		if _, err := r.get("f/c"); err != nil {
			t.Errorf("there is no room again: %v", err)
		}
	})
	t.Run("operations", func(t *testing.T) {
		r := start(t, echo, []protocol.Grant{{Fn: "f", MaxOps: 2}, {Fn: "g", MaxOps: 1}})
		for _, name := range []string{"f/1", "f/2", "g"} {
			r.has(name, "")
		}
		for _, name := range []string{"f/3", "g/1", "f/3"} {
			_, err := r.get(name)
			r.is(name, err, files.ErrNoSpace)
		}
		r.logged("/fn/f/3", "max_ops")
	})
}

// TestNames opens what is not granted, or no name of a function at all.
func TestNames(t *testing.T) {
	c := &counted{Caller: echo}
	r := start(t, c, grant("f", "g@live"))
	for _, name := range []string{"", "/f", "../f", "f/", "f//a", "./f", "f/../f", "f/..", "..", "F", "g", "f@live", "g@3",
		"f.", ".f", "f.body", "f.error.error", "f/a.b", "f/a b", "f/*", "f/>", "f/a*", "f/a>b", "f/\x00", "f/\x1f", "f/\x7f",
		"f/\xff", "f/" + strings.Repeat("a", 5000), "f/a\nPUB x 1", "_", "$", "$SRV", "fn.f", "f/a.headers/b", ".headers"} {
		if _, err := r.Open(t.Context(), name, files.Read|files.Write|files.Create); err == nil {
			t.Errorf("%.20q opens", name)
		}
		if _, err := r.Stat(t.Context(), name); err == nil {
			t.Errorf("%.20q can be described", name)
		}
		for _, err := range []error{r.Mkdir(t.Context(), name), r.Remove(t.Context(), name), r.Rename(t.Context(), name, "f"),
			r.Rename(t.Context(), "f", name), r.SetTime(t.Context(), name, time.Time{})} {
			if err == nil {
				t.Errorf("%.20q can be changed", name)
			}
		}
	}
	if len(c.sent) > 0 {
		t.Error("something was called")
	}
}

// TestGrants refuses grants that are no functions.
func TestGrants(t *testing.T) {
	for _, fn := range []string{"", "a.b", "a@", "@1", "a/b", "*", strings.Repeat("a", 65), "a@0", "é"} {
		_, err := functions.New(functions.Config{Caller: echo}).Open(t.Context(), &protocol.Function{Name: "x"}, grant(fn))
		if protocol.CodeOf(err) != protocol.CodeRefused {
			t.Errorf("%q: %v", fn, err)
		}
	}
}

// TestDeadline ends a call whose time is up, and the call that it has made.
func TestDeadline(t *testing.T) {
	gone := make(chan struct{})
	slow := callerFunc(func(ctx context.Context, _ *protocol.Request) (*protocol.Reply, error) {
		<-ctx.Done()
		close(gone)
		return nil, ctx.Err()
	})
	r := start(t, slow, grant("f"))
	ctx, cancel := context.WithCancel(t.Context())
	f := r.open("f", files.Read)
	go cancel()
	_, err := f.ReadAt(ctx, make([]byte, 1), 0)
	r.is("reading", err, context.Canceled)
	r.t.End()
	<-gone // it was told

	own := start(t, callerFunc(func(ctx context.Context, _ *protocol.Request) (*protocol.Reply, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}), grant("f"), func(c *backend.Call) { c.Deadline = time.Now().Add(20 * time.Millisecond) })
	_, err = own.get("f")
	own.is("the deadline of the call", err, syscall.EIO)
	own.has("f.status", "504\n")
}

// waiter waits on behalf of a process, and counts.
type waiter struct{ n int }

func (w *waiter) Wait(_ context.Context, done <-chan struct{}) error {
	w.n++
	<-done
	return nil
}

// TestWait waits by the process, and only for calls.
func TestWait(t *testing.T) {
	r := start(t, echo, grant("f"))
	if !files.IsInline(r.Tree) {
		t.Error("the tree is not Inline")
	}
	w := &waiter{}
	ctx := context.WithValue(t.Context(), files.WaiterKey{}, w)
	f, err := r.Open(ctx, "f", files.Read|files.Write)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := f.WriteAt(ctx, []byte("x"), 0); err != nil {
			t.Fatal(err)
		}
		if got, err := readAll(ctx, f, 0); got != "X" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
	r.close(f)
	if w.n != 3 {
		t.Errorf("it has waited %d times", w.n)
	}
}

// TestHammer has many runs call at once.
func TestHammer(t *testing.T) {
	s := serve(t, map[string][]string{"echo": nil})
	g := grants(t, s.Client, &protocol.Function{Name: "caller", Grants: grant("echo")})
	var wg sync.WaitGroup
	for n := range 16 {
		wg.Go(func() {
			for i := range 20 {
				r := begin(t, g)
				want := fmt.Sprintf("%d of %d", i, n)
				r.put("echo", want)
				if got, err := r.get("echo"); got != want || err != nil {
					t.Errorf("%q, %v, want %q", got, err, want)
				}
				if i%7 == 0 { // it ends while it waits
					ctx, cancel := context.WithCancel(t.Context())
					go cancel()
					if file, err := r.Open(ctx, "echo/gone", files.Read); err == nil {
						_, _ = readAll(ctx, file, 0)
						_ = file.Close(ctx)
					}
				}
				r.t.End()
			}
		})
	}
	wg.Wait()
}

// FuzzNames opens any names. What opens is granted, and what is called can be called.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"f", "f/a/b", "f.headers", "f@1", "f/a.error", "f/*", "f/\n", "..", "f/../g"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		c := &counted{Caller: echo}
		r := start(t, c, grant("f"))
		_, err := r.get(name)
		if name == "f" || strings.HasPrefix(name, "f/") && err == nil {
			if err != nil || len(c.sent) != 1 {
				t.Fatalf("%q: %v", name, err)
			}
			subject, _, _, err := c.sent[0].Message()
			if want := "fn." + strings.ReplaceAll(name, "/", "."); err != nil || subject != want {
				t.Errorf("%q calls %q, %v", name, subject, err)
			}
			if ref, args, err := protocol.ParseCall(subject); err != nil || ref.String() != "f" ||
				!slices.Equal(args, c.sent[0].Args) {
				t.Errorf("%q is read as %v %q, %v", name, ref, args, err)
			}
		} else if err == nil || len(c.sent) > 0 {
			t.Errorf("%q opens", name)
		}
	})
}

// FuzzHeaders sends any headers. What is sent is what others read, and none of polyvoke's own.
func FuzzHeaders(f *testing.F) {
	for _, text := range []string{"a: b\n", "Fn-Id: x", "a:b\r\nc:d", "\n", "a: b\r\n\r\nc"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := &counted{Caller: echo}
		r := start(t, c, grant("f"))
		file := r.open("f.headers", files.Write)
		if _, err := file.WriteAt(t.Context(), []byte(text), 0); err != nil {
			t.Skip()
		}
		_ = file.Close(t.Context())
		if _, err := r.get("f"); err != nil {
			return
		}
		_, h, _, err := c.sent[0].Message()
		if err != nil {
			t.Fatal(err)
		}
		for name, values := range c.sent[0].Header {
			if protocol.OwnHeader(name) || strings.ContainsAny(strings.Join(values, ""), "\r\n\x00") {
				t.Errorf("%q: %q", name, values)
			}
		}
		if len(h) < len(c.sent[0].Header) {
			t.Errorf("%v of %v are left", h, c.sent[0].Header)
		}
	})
}
