package preview1_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
)

// clock returns a subscription to a clock.
func clock(user uint64, id uint32, timeout uint64, flags uint16) string {
	b := make([]byte, 48)
	binary.LittleEndian.PutUint64(b, user)
	binary.LittleEndian.PutUint32(b[16:], id)
	binary.LittleEndian.PutUint64(b[24:], timeout)
	binary.LittleEndian.PutUint16(b[40:], flags)
	return string(b)
}

// ready returns a subscription to a descriptor, for reading (1) or writing (2).
func ready(user uint64, kind byte, fd uint32) string {
	b := make([]byte, 48)
	binary.LittleEndian.PutUint64(b, user)
	b[8] = kind
	binary.LittleEndian.PutUint32(b[16:], fd)
	return string(b)
}

// event is what a guest finds.
type event struct {
	user  uint64
	errno uint16
	kind  byte
	bytes uint64
	flags uint16
}

// events reads the events of the last poll_oneoff.
func (g *guest) events() []event {
	m := g.memory()
	list := make([]event, binary.LittleEndian.Uint32(m[at:]))
	for i := range list {
		b := m[events+32*i:]
		list[i] = event{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint16(b[8:]), b[10],
			binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint16(b[24:])}
	}
	return list
}

func TestPoll(t *testing.T) {
	const hour = uint64(time.Hour)
	for _, c := range []struct {
		name  string
		in    string
		errno uint64
		slept time.Duration // -1 for not at all
		want  []event
	}{
		{"relative", clock(7, 0, hour, 0), 0, time.Hour, []event{{user: 7}}},
		{"relative on a clock that there is not", clock(7, 9, hour, 0), 0, time.Hour, []event{{user: 7}}},
		{"absolute, real time", clock(7, 0, 1_000_000_000+hour, 1), 0, time.Hour, []event{{user: 7}}},
		{"absolute, monotonic", clock(7, 1, 500+hour, 1), 0, time.Hour, []event{{user: 7}}},
		{"absolute, past", clock(7, 1, 400, 1), 0, -1, []event{{user: 7}}},
		{"absolute on a clock that there is not", clock(7, 2, 400, 1), 28, -1, nil},
		{"now", clock(7, 1, 0, 0), 0, -1, []event{{user: 7}}},
		{"for ever", clock(7, 1, math.MaxUint64, 0), 0, math.MaxInt64, []event{{user: 7}}},
		{"two clocks", clock(1, 1, hour, 0) + clock(2, 1, hour/2, 0), 0, time.Hour / 2, []event{{user: 2}}},
		{"two clocks at once", clock(1, 1, hour, 0) + clock(2, 1, 500+hour, 1), 0, time.Hour, []event{{user: 1}, {user: 2}}},
		{"unknown flag", clock(1, 1, hour, 2), 28, -1, nil},
		{"unknown kind", ready(1, 3, 0), 28, -1, nil},
		{"stdin", ready(1, 1, 0) + clock(2, 1, hour, 0), 0, -1, []event{{user: 1, kind: 1, bytes: 5}}},
		{"stdout and stderr",
			ready(1, 2, 1) + ready(2, 2, 2) + clock(2, 1, hour, 0), 0, -1, []event{{user: 1, kind: 2}, {user: 2, kind: 2}}},
		{"closed", ready(1, 1, 9) + ready(2, 2, math.MaxUint32), 0, -1,
			[]event{{user: 1, errno: 8, kind: 1}, {user: 2, errno: 8, kind: 2}}},
		{"the folder", ready(1, 1, 3), 0, -1, []event{{user: 1, kind: 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			slept := time.Duration(-1)
			s := &preview1.State{Stdin: strings.NewReader("hello"),
				Walltime: func() int64 { return 1_000_000_000 }, Nanotime: func() int64 { return 500 },
				Nap:  func(d time.Duration) error { slept = d; return nil },
				Wait: func(context.Context, <-chan struct{}) error { return nil }}
			g := newGuest(t, s)
			g.put(subs, c.in)
			g.must(t, c.errno, "poll_oneoff", garbage|subs, garbage|events, garbage|uint64(len(c.in)/48), garbage|at)
			if slept != c.slept {
				t.Errorf("slept %v, want %v", slept, c.slept)
			}
			if got := g.events(); c.errno == 0 && !equalEvents(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func equalEvents(a, b []event) bool {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

// TestPollPointers polls with wrong pointers and counts.
func TestPollPointers(t *testing.T) {
	g := newGuest(t, &preview1.State{})
	g.put(subs, clock(1, 1, 0, 0))
	g.must(t, 28, "poll_oneoff", subs, events, 0, at)
	for _, p := range [][]uint64{
		{far, events, 1, at}, {subs, far, 1, at}, {subs, events, 1, far}, {subs, events, 1 << 28, at},
		{0, 0, math.MaxUint32, 0}, {end - 47, events, 1, at}, {subs, end - 31, 1, at}, {subs, events, 1, end - 3},
	} {
		g.must(t, 21, "poll_oneoff", p...)
	}
	g.must(t, 0, "poll_oneoff", subs, subs, 1, subs) // all in one place
}

// TestPollMany polls as many subscriptions as there is room for.
func TestPollMany(t *testing.T) {
	g := newGuest(t, &preview1.State{})
	const n = 1500
	g.put(subs, strings.Repeat(clock(1, 1, 0, 0), n))
	g.must(t, 0, "poll_oneoff", subs, events, n, at)
	if got := binary.LittleEndian.Uint32(g.memory()[at:]); got == 0 {
		t.Errorf("%d events", got)
	}
}

// TestPollBlocked polls a stdin that has nothing yet.
func TestPollBlocked(t *testing.T) {
	r, w := io.Pipe()
	defer r.Close()
	s := &preview1.State{Stdin: r}
	g := newGuest(t, s)
	g.put(subs, ready(1, 1, 0)+clock(2, 1, 1000, 0))
	g.must(t, 0, "poll_oneoff", subs, events, 2, at)
	if got := g.events(); !equalEvents(got, []event{{user: 2}}) {
		t.Errorf("before there is input: got %+v", got)
	}
	s.Wait = func(ctx context.Context, done <-chan struct{}) error {
		go w.Write([]byte("input"))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-done:
			return nil
		}
	}
	g.put(subs, ready(1, 1, 0)+clock(2, 1, uint64(time.Hour), 0))
	g.must(t, 0, "poll_oneoff", subs, events, 2, at)
	if got := g.events(); !equalEvents(got, []event{{user: 1, kind: 1, bytes: 5}}) {
		t.Errorf("with input: got %+v", got)
	}
	g.put(vec, little(buf, 3, buf, 100))
	g.must(t, 0, "fd_read", 0, vec, 1, at)
	g.must(t, 0, "poll_oneoff", subs, events, 1, at)
	g.must(t, 0, "fd_read", 0, vec+8, 1, at)
	if got := string(g.memory()[buf : buf+3]); got != "utp" {
		t.Errorf("read %q", got)
	}
	s.Wait = nil
	go w.Close()
	g.must(t, 0, "poll_oneoff", subs, events, 1, at) // without a clock
	g.must(t, 0, "fd_read", 0, vec, 1, at)
	g.must(t, 0, "poll_oneoff", subs, events, 2, at)
	if got := g.events(); !equalEvents(got, []event{{user: 1, kind: 1, flags: 1}}) {
		t.Errorf("at the end: got %+v", got)
	}
}

// TestPollEnds checks what ends a process that waits for stdin.
func TestPollEnds(t *testing.T) {
	tired := errors.New("tired")
	for _, timed := range []bool{false, true} {
		r, _ := io.Pipe()
		defer r.Close()
		ctx, cancel := context.WithCancel(t.Context())
		s := &preview1.State{Stdin: r}
		g := newGuest(t, s)
		g.ctx = s.Begin(ctx)
		g.put(subs, ready(1, 1, 0)+clock(2, 1, uint64(time.Hour), 0))
		n := uint64(1)
		if timed {
			n = 2
		}
		time.AfterFunc(time.Millisecond, cancel)
		if _, err := g.call(t, "poll_oneoff", subs, events, n, at); err == nil || s.Err() != context.Canceled {
			t.Errorf("timed %t: got the error %v because of %v", timed, err, s.Err())
		}
	}
	r, _ := io.Pipe()
	defer r.Close()
	for _, s := range []*preview1.State{
		{Stdin: r, Wait: func(context.Context, <-chan struct{}) error { return tired }},
		{Stdin: r, Nap: func(time.Duration) error { return tired }},
	} {
		g := newGuest(t, s)
		g.put(subs, ready(1, 1, 0)+clock(2, 1, uint64(time.Hour), 0))
		if _, err := g.call(t, "poll_oneoff", subs, events, 2, at); err == nil || s.Err() != tired {
			t.Errorf("got the error %v because of %v", err, s.Err())
		}
	}
}

// TestPollReaderFails checks that poll_oneoff leaves the error of a Reader to the read.
func TestPollReaderFails(t *testing.T) {
	broken := errors.New("broken")
	s := &preview1.State{Stdin: iotest.ErrReader(broken)}
	g := newGuest(t, s)
	g.put(subs, ready(1, 1, 0))
	g.put(vec, little(buf, 3))
	g.must(t, 0, "poll_oneoff", subs, events, 1, at)
	if _, err := g.call(t, "fd_read", 0, vec, 1, at); err == nil || s.Err() != broken {
		t.Errorf("got the error %v because of %v", err, s.Err())
	}
}
