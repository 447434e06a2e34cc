package streams_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/streams"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// await waits for a channel to be closed.
func await(t testing.TB, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("waited %v in vain for %s", patience, what)
	}
}

// gate is a Writer that keeps what it is given, one Write after the other is let through.
type gate struct {
	bytes.Buffer
	begun chan int // the size of a Write that has begun
	pass  chan error
}

func newGate() *gate { return &gate{begun: make(chan int, 1), pass: make(chan error)} }

func (g *gate) Write(b []byte) (int, error) {
	g.begun <- len(b)
	if err := <-g.pass; err != nil {
		return 0, err
	}
	return g.Buffer.Write(b)
}

// TestOutlet checks that the first bytes go on at once, that what comes meanwhile goes together, and when there is
// room.
func TestOutlet(t *testing.T) {
	g := newGate()
	o := streams.NewOutlet(g, func() { t.Error("it has failed") })
	await(t, o.Idle(), "an Outlet that was given nothing")
	if n, room, err := o.Take([]byte("a")); n != 1 || room != nil || err != nil {
		t.Fatalf("the first byte: %d, %v, %v", n, room, err)
	}
	if n := <-g.begun; n != 1 {
		t.Fatalf("the first Write has %d bytes", n)
	}
	big := bytes.Repeat([]byte("b"), streams.ChunkSize)
	for _, part := range [][]byte{big[:10], big[10:]} {
		if n, room, err := o.Take(part); n != len(part) || room != nil || err != nil {
			t.Fatalf("%d bytes: %d, %v, %v", len(part), n, room, err)
		}
	}
	n, room, err := o.Take([]byte("cd"))
	if n != 0 || room == nil || err != nil {
		t.Fatalf("what it has no room for: %d, %v, %v", n, room, err)
	}

	g.pass <- nil
	await(t, room, "room")
	if n := <-g.begun; n != streams.ChunkSize {
		t.Fatalf("the second Write has %d bytes", n)
	}
	go func() { g.pass <- nil; <-g.begun; g.pass <- nil }()
	if n, err := o.Write([]byte("cd")); n != 2 || err != nil {
		t.Fatalf("Write: %d, %v", n, err)
	}
	await(t, o.Idle(), "its end")
	if want := "a" + string(big) + "cd"; g.String() != want || o.Written() != int64(len(want)) || o.Err() != nil {
		t.Errorf("%d bytes came through, %d are counted, and the error is %v", g.Len(), o.Written(), o.Err())
	}
}

// TestOutletEnds checks that each end of a Writer is reported once, and ends all waits.
func TestOutletEnds(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		to   func([]byte) (int, error)
		want error // nil: any
	}{
		{"an error", func([]byte) (int, error) { return 0, broken }, broken},
		{"a short Write", func(b []byte) (int, error) { return len(b) - 1, nil }, io.ErrShortWrite},
		{"a panic", func([]byte) (int, error) { panic("ouch") }, nil},
		{"the end of the goroutine", func([]byte) (int, error) { runtime.Goexit(); return 0, nil }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var failures atomic.Int32
			o := streams.NewOutlet(writer(c.to), func() { failures.Add(1) })
			if n, err := o.Write(make([]byte, 1<<20)); err == nil || n == 1<<20 {
				t.Errorf("Write: %d, %v", n, err)
			}
			await(t, o.Idle(), "its end")
			_, _, err := o.Take([]byte("x"))
			if err == nil || o.Err() != err || c.want != nil && !errors.Is(err, c.want) || failures.Load() != 1 {
				t.Errorf("Take: %v; Err: %v; %d failures", err, o.Err(), failures.Load())
			}
		})
	}
	o := streams.NewOutlet(io.Discard, func() { t.Error("it has failed") })
	o.Close()
	if _, err := o.Write([]byte("x")); !errors.Is(err, streams.ErrClosed) || o.Err() != nil || o.Written() != 0 {
		t.Errorf("closed: Write: %v; Err: %v", err, o.Err())
	}
}

// writer is a function as a Writer.
type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

// TestHammerOutlet has a Writer be closed at any moment, and checks that what came through is the beginning.
func TestHammerOutlet(t *testing.T) {
	want := make([]byte, 1<<20)
	for i := range want {
		want[i] = byte(i * 7)
	}
	for round := range 200 {
		var got bytes.Buffer
		o := streams.NewOutlet(&got, func() {})
		var all sync.WaitGroup
		all.Go(func() {
			for rest := want; len(rest) > 0; {
				n := min(len(rest), 1+rand.IntN(200_000))
				if _, err := o.Write(rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
		})
		if round%2 == 0 {
			all.Go(func() {
				for o.Written() < int64(rand.IntN(len(want))) {
					runtime.Gosched()
				}
				o.Close()
			})
		}
		all.Wait()
		await(t, o.Idle(), "its end")
		if n := got.Len(); !bytes.Equal(got.Bytes(), want[:n]) || o.Written() != int64(n) || round%2 == 1 && n < len(want) {
			t.Fatalf("round %d: %d bytes came through, %d are counted", round, n, o.Written())
		}
	}
}

func TestInlet(t *testing.T) {
	over := errors.New("over")
	for _, c := range []struct {
		size int
		most int64
		want error
	}{{0, 0, nil}, {1, 0, over}, {5, 5, nil}, {5, 6, nil}, {6, 5, over}, {100_000, 99_999, over}} {
		i := streams.NewInlet(bytes.NewReader(make([]byte, c.size)), c.most, over)
		b, err := io.ReadAll(i)
		if want := min(int64(c.size), c.most); !errors.Is(err, c.want) || int64(len(b)) != want || i.Size() != want {
			t.Errorf("%d of at most %d: got %d, counted %d, error %v", c.size, c.most, len(b), i.Size(), err)
		}
	}
}
