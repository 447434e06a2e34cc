package invoker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/invoker/stats"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// streaming is an invoker, and the ways in which its functions can be called.
type streaming struct {
	*service
	seen *ends
	ways map[string]protocol.Streamer
}

// ends are calls that an observer has seen the end of.
type ends struct {
	mu  sync.Mutex
	all []stats.Call
}

func (e *ends) Begin(*stats.Call) {}

func (e *ends) End(c *stats.Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, *c)
}

// last returns the last call that has ended.
func (e *ends) last() stats.Call {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.all[len(e.all)-1]
}

// startStreaming starts an invoker with the probe.
func startStreaming(t testing.TB, l protocol.Limits, change ...func(*invoker.Invoker)) *streaming {
	t.Helper()
	s := startServer(t)
	seen := &ends{}
	v := startInvoker(t, s, append(change, func(v *invoker.Invoker) { v.Observers = append(v.Observers, seen) })...)
	nc := connect(t, s)
	deployProbe(t, nc, "probe", l)
	return &streaming{service: v, seen: seen, ways: map[string]protocol.Streamer{
		"in process": v, "over NATS": &client.Client{Conn: nc}}}
}

// each runs a test for each way.
func (s *streaming) each(t *testing.T, test func(t *testing.T, c protocol.Streamer)) {
	t.Helper()
	for name, c := range s.ways {
		t.Run(name, func(t *testing.T) { test(t, c) })
	}
}

// pattern returns n bytes in which no part is like another.
func pattern(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b) // never fails
	return b
}

// slowly passes a Reader's bytes on in parts of any length, and lets others run in between.
type slowly struct{ io.Reader }

func (s slowly) Read(b []byte) (int, error) { return s.Reader.Read(b[:1+rand.IntN(len(b))]) }

// TestStreamEchoes sends bodies of many sizes through a process, and compares every byte.
func TestStreamEchoes(t *testing.T) {
	s := startStreaming(t, protocol.Limits{Timeout: protocol.Duration(patience)})
	s.each(t, func(t *testing.T, c protocol.Streamer) {
		for _, size := range []int{0, 1, 1000, 64<<10 - 1, 64 << 10, 64<<10 + 1, 1 << 20, 8 << 20} {
			body := pattern(size)
			var out bytes.Buffer
			r, err := c.Stream(t.Context(), askProbe("echo"), slowly{bytes.NewReader(body)}, &out)
			if err := protocol.Failure(r, err); err != nil || len(r.Body) > 0 || !bytes.Equal(out.Bytes(), body) {
				t.Fatalf("%d bytes: got %d, error %v", size, out.Len(), err)
			}
			if end := s.seen.last(); end.In != int64(size) || end.Out != int64(size) {
				t.Errorf("%d bytes: observers see %d come in and %d go out", size, end.In, end.Out)
			}
			out.Reset()
			ask := askProbe("echo")
			ask.Body = body[:min(size, 100<<10)]
			err = protocol.Failure(c.Stream(t.Context(), ask, nil, &out))
			if err != nil || !bytes.Equal(out.Bytes(), ask.Body) {
				t.Fatalf("%d bytes in the request: got %d, error %v", len(ask.Body), out.Len(), err)
			}
		}
	})
}

// TestStreamEndings checks each way in which a stream can end, and how much of the output comes before.
func TestStreamEndings(t *testing.T) {
	s := startStreaming(t, protocol.Limits{Input: 1000, Output: 1000, Timeout: protocol.Duration(time.Minute)})
	gone := errors.New("gone")
	short := func(r *protocol.Request) *protocol.Request { r.Timeout = 300 * time.Millisecond; return r }
	silent, end := io.Pipe()
	defer end.Close()
	s.each(t, func(t *testing.T, c protocol.Streamer) {
		for _, test := range []struct {
			name string
			ask  *protocol.Request
			in   io.Reader
			code int
			text string
			out  int // bytes of output; -1: any
		}{
			{"more output than limits.output", askProbe("drip", "100000"), nil, 0, "", 100_000},
			{"no output", askProbe("exit", "0"), nil, 0, "", 0},
			{"an exit code", askProbe("exit", "65"), nil, 400, "exit code 65", 0},
			{"a trap", askProbe("trap"), nil, 500, "trapped", 0},
			{"a trap behind output", askProbe("stubborn-trap"), nil, 400, "exit code 64", 0},
			{"as much input as it may", askProbe("echo"), bytes.NewReader(pattern(1000)), 0, "", 1000},
			{"more input than it may", askProbe("echo"), bytes.NewReader(pattern(1001)), 413, "limits.input", -1},
			{"an input that fails", askProbe("echo"), io.MultiReader(strings.NewReader("abc"), broken{gone}), 400,
				"could not be read to its end", -1},
			{"no more time", short(askProbe("flood")), nil, 504, "did not end within 300ms", -1},
			{"no more time, asleep", short(askProbe("sleep", "60000")), nil, 504, "did not end within 300ms", 0},
			{"no more time, waiting for input", short(askProbe("echo")), silent, 504, "did not end within 300ms", 0},
			{"no such version", &protocol.Request{Function: protocol.Ref{Name: "probe", Version: "7"}}, nil, 404, "7", 0},
		} {
			t.Run(test.name, func(t *testing.T) {
				var out bytes.Buffer
				r, err := c.Stream(t.Context(), test.ask, test.in, &out)
				err = protocol.Failure(r, err)
				if protocol.CodeOf(err) != test.code || err != nil && !strings.Contains(err.Error(), test.text) {
					t.Errorf("got the error %v with code %d, want %d with %q", err, protocol.CodeOf(err), test.code, test.text)
				}
				if test.out >= 0 && out.Len() != test.out {
					t.Errorf("%d bytes came through, want %d", out.Len(), test.out)
				}
			})
		}
	})
	wantIdle(t, s.service, "probe")
}

// broken is a Reader that fails.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// wantIdle waits until no call of a function runs.
func wantIdle(t testing.TB, s *service, name string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	eventually(t, "the end of all calls", tick.C, func() bool { return inFlight(t, s.nc, name) == 0 })
}

// TestStreamIsLive speaks to a process line by line: what it writes comes before its input ends.
func TestStreamIsLive(t *testing.T) {
	s := startStreaming(t, protocol.Limits{Timeout: protocol.Duration(time.Minute)})
	s.each(t, func(t *testing.T, c protocol.Streamer) {
		in, send := io.Pipe()
		receive, out := io.Pipe()
		done := make(chan error, 1)
		go func() { done <- protocol.Failure(c.Stream(t.Context(), askProbe("echo"), in, out)) }()
		for i := range 100 {
			line := fmt.Sprintf("line %d\n", i)
			fmt.Fprint(send, line)
			got := make([]byte, len(line))
			if _, err := io.ReadFull(receive, got); err != nil || string(got) != line {
				t.Fatalf("got %q, error %v", got, err)
			}
		}
		send.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestStreamWaitsWithoutASlot has as many streams wait as would take all slots: for readers, and for writers. Another
// call is served all the same.
func TestStreamWaitsWithoutASlot(t *testing.T) {
	s := startStreaming(t, protocol.Limits{Timeout: protocol.Duration(time.Minute)},
		func(v *invoker.Invoker) { v.Slots = 1 })
	s.each(t, func(t *testing.T, c protocol.Streamer) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var all sync.WaitGroup
		begun := make(chan struct{}, 8)
		for i := range 8 {
			receive, out := io.Pipe()
			silent, send := io.Pipe()
			defer send.Close()
			ask, in := askProbe("flood"), io.Reader(nil)
			if i%2 == 0 {
				ask, in = askProbe("echo"), io.MultiReader(strings.NewReader("x"), silent)
			}
			all.Go(func() { _, _ = c.Stream(ctx, ask, in, out) })
			all.Go(func() {
				_, _ = receive.Read(make([]byte, 1)) // the rest waits
				begun <- struct{}{}
				<-ctx.Done()
				receive.Close()
			})
		}
		for range 8 {
			<-begun
		}
		for range 20 {
			if r := call(t, s.nc, "fn.probe", []byte("x")); r.Err != nil || string(r.Body) != "x" {
				t.Fatalf("another call: %v", r.Err)
			}
		}
		cancel()
		all.Wait()
	})
	wantIdle(t, s.service, "probe")
}

// TestStreamReaderGone has a Writer fail at once or later, while a process writes or sleeps.
func TestStreamReaderGone(t *testing.T) {
	s := startStreaming(t, protocol.Limits{Timeout: protocol.Duration(time.Minute)})
	gone := errors.New("gone")
	s.each(t, func(t *testing.T, c protocol.Streamer) {
		for _, after := range []int{0, 1, 1 << 20} {
			out := &breaks{left: after, err: gone}
			if r, err := c.Stream(t.Context(), askProbe("flood"), nil, out); r != nil || !errors.Is(err, gone) {
				t.Errorf("after %d bytes: %v, %v", after, r, err)
			}
		}
		in, send := io.Pipe()
		defer send.Close()
		hello := io.MultiReader(strings.NewReader("hello"), in)
		if _, err := c.Stream(t.Context(), askProbe("echo"), hello, &breaks{err: gone}); !errors.Is(err, gone) {
			t.Errorf("while the process waits for input: %v", err)
		}
		if _, err := c.Stream(t.Context(), askProbe("hush"), nil, &breaks{err: gone}); !errors.Is(err, gone) {
			t.Errorf("when the process has ended: %v", err)
		}
	})
	wantIdle(t, s.service, "probe")
}

// breaks is a Writer that fails after so many bytes.
type breaks struct {
	left int
	err  error
}

func (b *breaks) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, b.err
	}
	return len(p), nil
}

// TestStreamBadRequests checks what cannot be a stream.
func TestStreamBadRequests(t *testing.T) {
	s := startStreaming(t, protocol.Limits{})
	s.each(t, func(t *testing.T, c protocol.Streamer) {
		both, event, claim := askProbe("echo"), askProbe("echo"), askProbe("echo")
		both.Body, event.Event, claim.Claim = []byte("x"), true, &protocol.Claim{}
		for _, ask := range []*protocol.Request{both, event, claim} {
			err := protocol.Failure(c.Stream(t.Context(), ask, strings.NewReader("y"), io.Discard))
			if protocol.CodeOf(err) != 400 {
				t.Errorf("%+v: %v", ask, err)
			}
		}
		if err := protocol.Failure(c.Stream(t.Context(), askProbe("drip", "1000"), nil, nil)); err != nil {
			t.Errorf("without a Writer: %v", err)
		}
	})
}

// TestStreamStartKinds checks that streams work with processes of each start kind, and that nothing of a stream that
// was cut off is in the next.
func TestStreamStartKinds(t *testing.T) {
	s := startStreaming(t, protocol.Limits{})
	for _, kind := range []string{runtimes.StartFresh, runtimes.StartReset, runtimes.StartPrefork,
		runtimes.StartCheckpoint} {
		name := "probe-" + kind
		if _, err := tryDeploy(s.nc, protocol.Function{Name: name, Start: kind}, runtimestest.Wasm()); err != nil {
			t.Logf("%s: %v", kind, err)
			continue
		}
		s.each(t, func(t *testing.T, c protocol.Streamer) {
			for i := range 30 {
				body := pattern(100_000 + i)
				var out bytes.Buffer
				ask := &protocol.Request{Function: protocol.Ref{Name: name}, Report: true}
				r, err := c.Stream(t.Context(), ask, slowly{bytes.NewReader(body)}, &out)
				if err := protocol.Failure(r, err); err != nil || !bytes.Equal(out.Bytes(), body) {
					t.Fatalf("%s: got %d bytes, error %v", kind, out.Len(), err)
				}
				if r.Report == nil || r.Report.Start == "" {
					t.Errorf("%s: report %+v", kind, r.Report)
				}
				gone := &breaks{left: 10, err: io.ErrClosedPipe}
				if _, err = c.Stream(t.Context(), ask, bytes.NewReader(body), gone); err == nil {
					t.Errorf("%s: no error of a reader that is gone", kind)
				}
			}
		})
	}
}

// TestHammerStreams cancels streams at any moment, on functions whose sandboxes are used again. What came through is
// the beginning of what was sent, or all of it if there is no error.
func TestHammerStreams(t *testing.T) {
	wrong := &logBuffer{}
	rt, err := wasi.New(t.Context(), wasi.Config{Verify: 1, Log: slog.New(slog.NewTextHandler(wrong,
		&slog.HandlerOptions{Level: slog.LevelError}))}) // which compares each sandbox that is to be used again
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rt.Close(context.Background()); err != nil || wrong.String() != "" {
			t.Errorf("after all streams: %v\n%s", err, wrong)
		}
	})
	s := startStreaming(t, protocol.Limits{Timeout: protocol.Duration(time.Minute), Concurrency: 100, Queue: 1000},
		func(v *invoker.Invoker) { v.Runtime = rt })
	body := pattern(1 << 20)
	s.each(t, func(t *testing.T, c protocol.Streamer) {
		var all sync.WaitGroup
		var whole, cut atomic.Int64
		for range 8 {
			all.Go(func() {
				for i := range 25 {
					var out bytes.Buffer
					ctx, cancel := context.WithCancel(t.Context())
					if i%3 > 0 {
						time.AfterFunc(time.Duration(rand.IntN(20_000))*time.Microsecond, cancel)
					}
					in := io.Reader(slowly{bytes.NewReader(body)})
					if i%3 == 2 {
						in = &breaksIn{left: rand.IntN(len(body)), Reader: in}
					}
					err := protocol.Failure(c.Stream(ctx, askProbe("echo"), in, &out))
					cancel()
					if got := out.Bytes(); !bytes.Equal(got, body[:len(got)]) || err == nil && len(got) < len(body) {
						t.Errorf("%d bytes came through, error %v", len(got), err)
					}
					if err == nil {
						whole.Add(1)
					} else {
						cut.Add(1)
					}
				}
			})
		}
		all.Wait()
		if whole.Load() == 0 || cut.Load() == 0 {
			t.Errorf("%d whole, %d cut", whole.Load(), cut.Load())
		}
	})
	wantIdle(t, s.service, "probe")
}

// breaksIn is a Reader that fails after so many bytes.
type breaksIn struct {
	io.Reader
	left int
}

func (b *breaksIn) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.Reader.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
