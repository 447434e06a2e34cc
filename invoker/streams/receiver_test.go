package streams_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/polyvoke/polyvoke/invoker/streams"
	"github.com/polyvoke/polyvoke/protocol"
)

// join has a Sender send to a Receiver what hand takes from one to the other.
func join(window int64, hand func(put func() error)) (*streams.Sender, *streams.Receiver) {
	var s *streams.Sender
	r := streams.NewReceiver(window, func(upTo int64) { s.Credit(upTo) })
	s = streams.NewSender(window, 1000, func(c protocol.Chunk, body []byte) error {
		body = bytes.Clone(body)
		hand(func() error { return r.Put(c, body, nil) })
		return nil
	})
	return s, r
}

// TestCredit sends many chunks through windows of all sizes: nothing more is on the way than there is room for, and
// everything comes.
func TestCredit(t *testing.T) {
	want := make([]byte, 300_000)
	for i := range want {
		want[i] = byte(i / 7)
	}
	for _, window := range []int64{1, 2, 3, 16, 1000} {
		s, r := join(window, func(put func() error) {
			if err := put(); err != nil {
				t.Errorf("window %d: %v", window, err)
			}
		})
		go func() {
			if n, err := s.Write(want); n != len(want) || err != nil {
				t.Errorf("window %d: %d, %v", window, n, err)
			}
			_ = r.Put(s.End(), nil, io.EOF)
		}()
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("window %d: got %d bytes, %v", window, len(got), err)
		}
	}
}

// TestReceiver checks what becomes of chunks that come out of turn: what came before is read, then the error.
func TestReceiver(t *testing.T) {
	broken := errors.New("broken")
	at := func(n uint64) protocol.Chunk { return protocol.Chunk{Sequence: n} }
	end := func(n uint64) protocol.Chunk { return protocol.Chunk{Sequence: n, End: true} }
	for _, c := range []struct {
		name string
		put  []protocol.Chunk
		last error // of the end
		want string
		code int // of the error; 0: none
	}{
		{"nothing", []protocol.Chunk{end(1)}, io.EOF, "", 0},
		{"in turn", []protocol.Chunk{at(1), at(2), end(3)}, io.EOF, "xx", 0},
		{"with an error at the end", []protocol.Chunk{at(1), end(2)}, broken, "x", 500},
		{"a gap", []protocol.Chunk{at(1), at(3), end(4)}, io.EOF, "x", 503},
		{"a gap before the end", []protocol.Chunk{at(1), end(3)}, io.EOF, "x", 503},
		{"one twice", []protocol.Chunk{at(1), at(1)}, io.EOF, "x", 503},
		{"an end twice", []protocol.Chunk{at(1), end(2), end(3)}, io.EOF, "x", 0},
		{"more than there is room for", []protocol.Chunk{at(1), at(2), at(3), at(4)}, io.EOF, "xxx", 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := streams.NewReceiver(3, func(int64) {})
			for _, p := range c.put {
				_ = r.Put(p, []byte("x"), c.last) // the reader tells
			}
			got, err := io.ReadAll(r)
			if string(got) != c.want || protocol.CodeOf(err) != c.code {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	r := streams.NewReceiver(3, func(int64) {})
	_ = r.Put(at(1), []byte("x"), nil)
	r.Abandon(broken)
	if _, err := r.Next(); !errors.Is(err, broken) {
		t.Errorf("given up: %v", err)
	}
}

// TestSenderFree checks that chunks go without credit, slowly after a beginning, and no longer than they may.
func TestSenderFree(t *testing.T) {
	sent := make(chan int, 1000)
	s := streams.NewSender(streams.Free, 1<<16, func(_ protocol.Chunk, body []byte) error { sent <- len(body); return nil })
	done := make(chan error, 1)
	go func() { _, err := s.Write(make([]byte, 64<<20)); done <- err }()
	for n := 0; n < 1<<20; n += <-sent {
	}
	gone := errors.New("gone")
	s.Fail(gone)
	if err := <-done; !errors.Is(err, gone) {
		t.Errorf("the error is %v", err)
	}
	if len(sent) == cap(sent) {
		t.Error("it waited for nothing")
	}
}

// TestHammerCredit cuts joined ends off at any moment.
func TestHammerCredit(t *testing.T) {
	want := make([]byte, 100_000)
	for round := range 300 {
		way := make(chan func() error, 100)
		s, r := join(1+int64(rand.IntN(20)), func(put func() error) { way <- put })
		cut := errors.New("cut")
		var all sync.WaitGroup
		all.Go(func() {
			defer close(way)
			if _, err := s.Write(want); err == nil {
				end := s.End()
				way <- func() error { return r.Put(end, nil, io.EOF) }
			}
		})
		all.Go(func() {
			for put := range way {
				_ = put() // the reader tells
			}
		})
		if round%3 > 0 {
			all.Go(func() {
				for range rand.IntN(100) {
					_ = r.Granted()
				}
				if round%3 == 1 {
					r.Abandon(cut)
				}
				s.Fail(cut)
				r.Fail(cut)
			})
		}
		got, err := io.ReadAll(r)
		s.Fail(cut)
		all.Wait()
		if err == nil && len(got) < len(want) || err != nil && !errors.Is(err, cut) {
			t.Fatalf("round %d: %d bytes, %v", round, len(got), err)
		}
	}
}

// FuzzReceiver puts chunks in any order. What is read is a beginning of what was put in turn, and an end is read only
// if nothing was missing.
func FuzzReceiver(f *testing.F) {
	f.Add([]byte{1, 2, 3, 0x84})
	f.Add([]byte{1, 1, 3, 0x83, 0})
	f.Fuzz(func(t *testing.T, numbers []byte) {
		const window = 5
		r := streams.NewReceiver(window, func(int64) {})
		next, whole := uint64(1), false
		for _, n := range numbers {
			c := protocol.Chunk{Sequence: uint64(n & 0x7f), End: n&0x80 != 0}
			err := r.Put(c, []byte{byte(c.Sequence)}, io.EOF)
			if c.Sequence != next || !c.End && c.Sequence > window {
				if err == nil {
					t.Fatalf("chunk %+v was taken in the place of %d", c, next)
				}
				break
			}
			if whole = c.End; whole {
				break
			}
			next++
		}
		r.Fail(io.ErrUnexpectedEOF)
		got, err := io.ReadAll(r)
		for i, b := range got {
			if int(b) != i+1 {
				t.Fatalf("got %v", got)
			}
		}
		if (err == nil) != whole || len(got) != int(next-1) {
			t.Fatalf("got %d chunks and the error %v of %v", len(got), err, numbers)
		}
	})
}
