package recording_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/recording"
)

// recorded returns draws of every kind, of a process that was ended from outside after an initialization.
func recorded() *recording.Draws {
	setup, d := new(recording.Draws), new(recording.Draws)
	setup.Random([]byte("setup"))
	setup.Time(recording.Wall, 7)
	d.Begin(nil, setup)
	d.Random([]byte("seed"))
	d.Time(recording.Wall, 1_700_000_000_000_000_000)
	d.Time(recording.Monotonic, 5)
	d.Random(nil)
	d.Time(recording.Wait, 20)
	d.Time(recording.Monotonic, math.MaxInt64)
	d.Random([]byte("more"))
	d.Cut()
	return d
}

// TestDrawsText sends draws as text.
func TestDrawsText(t *testing.T) {
	lost := new(recording.Draws)
	lost.Lose("a reason")
	for name, d := range map[string]*recording.Draws{"empty": {}, "all": recorded(), "lost": lost} {
		text, err := d.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		read := new(recording.Draws)
		if err := read.UnmarshalText(text); err != nil || !read.Equal(d) || read.Lost() != d.Lost() {
			t.Errorf("%s: read as %+v, error %v", name, read, err)
		}
	}
}

// TestDrawsTextBad reads what is no draws. Nothing of it is taken over.
func TestDrawsTextBad(t *testing.T) {
	whole, _ := recorded().MarshalText()
	raw, err := base64.StdEncoding.DecodeString(string(whole))
	if err != nil {
		t.Fatal(err)
	}
	bad := map[string][]byte{"a longer one": append(raw[:len(raw):len(raw)], 0), "another format": {9, 0, 0, 0},
		"an unknown flag": {1, 0x80, 0, 0}, "too many draws": {1, 0, 0, 0xff, 0xff, 0xff, 0x7f},
		"an unknown kind": {1, 0, 0, 1, 9, 0}, "too much entropy": {1, 0, 0, 1, 0, 0xff, 0xff, 0x7f},
		"negative entropy":                       {1, 0, 0, 1, 0, 1},
		"an initialization in an initialization": {1, 2, 0, 0, 1, 2, 0, 0, 1, 0, 0, 0}}
	for n := range raw {
		d := new(recording.Draws)
		if err := d.UnmarshalText([]byte(base64.StdEncoding.EncodeToString(raw[:n]))); err == nil {
			t.Errorf("%d of %d bytes are taken for draws", n, len(raw))
		}
	}
	for name, b := range bad {
		d := new(recording.Draws)
		if err := d.UnmarshalText([]byte(base64.StdEncoding.EncodeToString(b))); err == nil || d.Len() > 0 {
			t.Errorf("%s: read %d draws, error %v", name, d.Len(), err)
		}
	}
	d := new(recording.Draws)
	if d.UnmarshalText([]byte("%")) == nil || d.UnmarshalText(bytes.Repeat([]byte("A"), 1<<20)) == nil {
		t.Error("no base64, or too much of it, is taken for draws")
	}
}

// TestDrawsBounds records more than is kept.
func TestDrawsBounds(t *testing.T) {
	d := new(recording.Draws)
	d.Random(make([]byte, recording.MaxEntropy))
	if d.Lost() != "" {
		t.Errorf("the most entropy: %s", d.Lost())
	}
	if d.Random(make([]byte, 1)); !strings.Contains(d.Lost(), "64 KiB of entropy") || d.Len() != 0 {
		t.Errorf("more entropy: %q", d.Lost())
	}
	if d.Begin(nil, nil); d.Lost() != "" {
		t.Errorf("begun anew: %q", d.Lost())
	}
	for range recording.MaxDraws {
		d.Time(recording.Wall, 1)
	}
	if d.Lost() != "" {
		t.Errorf("the most draws: %s", d.Lost())
	}
	if d.Time(recording.Wall, 1); !strings.Contains(d.Lost(), "more than 8192 times") {
		t.Errorf("more draws: %q", d.Lost())
	}
	lost := *d
	if d.Begin(&lost, nil); d.Lost() == "" {
		t.Error("a process that was started in advance, and has drawn too much, counts as whole")
	}
	if d.Begin(nil, &lost); d.Lost() == "" {
		t.Error("an initialization that has drawn too much counts as whole")
	}
}

// TestReplayOrder replays draws as they were, and out of order.
func TestReplayOrder(t *testing.T) {
	d := recorded()
	r := recording.NewReplay(d)
	read := func(n int) string {
		b := make([]byte, n)
		if _, err := io.ReadFull(r.Random(n), b); err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	same := func() {
		if s := read(4); s != "seed" {
			t.Errorf("entropy: %q", s)
		}
		if w, m := r.Time(recording.Wall), r.Time(recording.Monotonic); w != 1_700_000_000_000_000_000 || m != 5 {
			t.Errorf("clocks: %d, %d", w, m)
		}
		read(0)
		if !r.Wait(20) || r.Time(recording.Monotonic) != math.MaxInt64 || read(4) != "more" {
			t.Error("what comes after the wait is not what was recorded")
		}
	}
	if same(); r.Difference() != "" || r.Wait(time.Second) {
		t.Errorf("the same process: %q, and the last wait goes on", r.Difference())
	}
	if r.Begin(); r.Difference() == "" {
		t.Error("a process that draws nothing is the same")
	}
	if m := r.Time(recording.Monotonic); m != 5 || !strings.Contains(r.Difference(), "draw number 1") {
		t.Errorf("another order: %d, %q", m, r.Difference())
	}
	said := r.Difference()
	if s := read(6); s != "seedmo" || r.Difference() != said {
		t.Errorf("another order: entropy %q, %q", s, r.Difference())
	}
	wall := r.Time(recording.Wall)
	if later := r.Time(recording.Wall); later <= wall || !r.Wait(time.Hour) ||
		r.Time(recording.Wall) < later+int64(time.Hour) {
		t.Errorf("a clock does not go on: %d, %d", wall, later)
	}
	if a, b := read(1<<10), read(1<<10); a == b {
		t.Error("entropy beyond what was recorded repeats itself")
	}
	r.Begin()
	if read(5); !strings.Contains(r.Difference(), "5 bytes of entropy") {
		t.Errorf("more entropy at once: %q", r.Difference())
	}
	for range 1000 {
		r.Wait(math.MaxInt64)
	}
	if now := r.Time(recording.Wall); now < 0 {
		t.Errorf("the clock went back to %d", now)
	}
}

// FuzzDraws reads what may be no draws, and replays what is.
func FuzzDraws(f *testing.F) {
	text, _ := recorded().MarshalText()
	raw, _ := base64.StdEncoding.DecodeString(string(text))
	f.Add(raw)
	f.Add([]byte{1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		d := new(recording.Draws)
		if d.UnmarshalText([]byte(base64.StdEncoding.EncodeToString(b))) != nil {
			return
		}
		text, _ := d.MarshalText()
		again := new(recording.Draws)
		if err := again.UnmarshalText(text); err != nil || !again.Equal(d) {
			t.Fatalf("written and read again: %v", err)
		}
		r := recording.NewReplay(d)
		for range 4 {
			_, _ = io.ReadFull(r.Random(100), make([]byte, 100))
			r.Time(recording.Wall)
			r.Time(recording.Monotonic)
			r.Wait(time.Second)
		}
		_ = r.Difference()
	})
}
