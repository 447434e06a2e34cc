package show

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/client"
)

func TestLoads(t *testing.T) {
	all := []client.Load{
		{Function: "b", Rate: 0.25, P99: 1234567 * time.Nanosecond, Requests: 1, Invokers: 2},
		{Function: "a", Rate: 1234.4, Failures: 617.2, Mean: 999 * time.Microsecond, Memory: 1 << 20, Start: "reset"},
		{Function: "c", P99: time.Minute, Errors: 3},
	}
	for by, want := range map[string]string{"calls": "abc", "errors": "acb", "p99": "cba", "memory": "abc", "name": "abc"} {
		SortLoads(all, by)
		if got := all[0].Function + all[1].Function + all[2].Function; got != want {
			t.Errorf("by %s they are %s, want %s", by, got, want)
		}
	}
	SortLoads(all, "calls")
	var b bytes.Buffer
	Loads(&b, "", all, 5)
	want := `3 functions, 1235 calls/s, 617 errors/s, 0 running, 0 waiting
FUNCTION  CALLS/S   ERRORS/S   MEAN  P50     P99  RUNNING  WAITING  MEMORY  START  INVOKERS
a            1234  617 (50%)  999µs    -       -        0        0  1.0 MB  reset         0
b             0.2          0      -    -  1.23ms        0        0     0 B                2
and 1 more
`
	if b.String() != want {
		t.Errorf("the table is\n%s\nwant\n%s", b.String(), want)
	}
	for line := range strings.Lines(string(Cut(b.Bytes(), 20))) {
		if len([]rune(line)) > 21 {
			t.Errorf("%q is not cut", line)
		}
	}
}

// TestScreen shows texts in one place.
func TestScreen(t *testing.T) {
	var b bytes.Buffer
	s := Screen{Out: &b}
	s.Show([]byte("1\n2\n"))
	s.Show([]byte("3\n"))
	if got, want := b.String(), "\x1b[J1\n2\n\x1b[2A\r\x1b[J3\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestMatch looks which lines the kinds have.
func TestMatch(t *testing.T) {
	for text, bad := range map[string]bool{"ERROR: no such order": true, `{"level":"error","msg":"x"}`: true,
		"panic: runtime error": true, "java.lang.NullPointerException": true, "ValueError: x": true, "3 tries failed": true,
		"all is well": false, "terrorism": false, "mirrors": false, "": false} {
		l := client.LogLine{}
		l.Text, l.ID = text, "an-id"
		if got := (&LogPrinter{Level: LevelError}).match()(l); got != bad {
			t.Errorf("%q: %t", text, got)
		}
		if !(&LogPrinter{Level: LevelFunction, ID: "an-id"}).match()(l) || (&LogPrinter{Level: LevelPlatform}).match()(l) ||
			(&LogPrinter{ID: "other"}).match()(l) {
			t.Errorf("%q is of the wrong kind or call", text)
		}
	}
	if (&LogPrinter{}).match() != nil {
		t.Error("what takes all lines looks at each")
	}
}
