package invoker

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestOutbox checks what is held back, and that all of it comes out, in its order and once.
func TestOutbox(t *testing.T) {
	var b batch
	for _, c := range []struct {
		name  string
		took  time.Duration
		body  int
		takes bool
	}{
		{"a quick call", heldTime - 1, 10, true},
		{"one that is not", heldTime, 10, false},
		{"an empty body", 0, 0, true},
		{"a large body", 0, heldBytes + 1, false},
	} {
		if got := b.takes(c.took, make([]byte, c.body)); got != c.takes {
			t.Errorf("%s: takes is %t", c.name, got)
		}
	}
	for range 2 {
		var want, got []string
		body := make([]byte, 3)
		for n := 0; b.takes(0, body[:n%3]); n++ {
			for i := range body {
				body[i] = byte('a' + n)
			}
			b.add(strings.Repeat("s", n), body[:n%3], 0)
			want = append(want, strings.Repeat("s", n)+" "+string(body[:n%3]))
		}
		b.flush(func(subject string, body []byte) { got = append(got, subject+" "+string(body)) })
		b.flush(func(string, []byte) { t.Error("something comes out twice") })
		if len(got) != mostHeld || !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestHeldTime checks that replies wait no longer than some calls take together, and that the next ones may wait again.
func TestHeldTime(t *testing.T) {
	var b batch
	for range 2 {
		for range 4 {
			if !b.takes(heldTime/5, nil) {
				t.Fatal("a reply is not held back")
			}
			b.add("subject", nil, heldTime/5)
		}
		if b.takes(heldTime/5, nil) || !b.takes(heldTime/5-1, nil) {
			t.Error("replies are held back for too long, or too short a time")
		}
		b.flush(func(string, []byte) {})
	}
}
