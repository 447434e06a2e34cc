package runtimes

import (
	"bytes"
	"errors"
	"testing"
)

func TestCapWriter(t *testing.T) {
	var out bytes.Buffer
	c := &CapWriter{W: &out, N: 5}
	for _, s := range []struct {
		in   string
		n    int
		full bool
	}{{"abc", 3, false}, {"", 0, false}, {"de", 2, false}, {"", 0, false}, {"f", 0, true}, {"gh", 0, true}} {
		n, err := c.Write([]byte(s.in))
		if n != s.n || errors.Is(err, ErrOutput) != s.full {
			t.Errorf("%q: got %d and the error %v", s.in, n, err)
		}
	}
	if n, err := (&CapWriter{W: &out, N: -1}).Write([]byte("x")); n != 0 || !errors.Is(err, ErrOutput) {
		t.Errorf("below nothing: got %d and the error %v", n, err)
	}
	if out.String() != "abcde" {
		t.Errorf("got %q", out.String())
	}
}

func TestErrors(t *testing.T) {
	cause := errors.New("cause")
	for want, err := range map[string]error{
		"exit status 4294967295": &ExitError{Code: 1<<32 - 1},
		"trap: unreachable":      &TrapError{Reason: "unreachable"},
		"refused":                &ModuleError{Reason: "refused", Err: cause},
	} {
		if err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	}
	if err := error(&ModuleError{Err: cause}); !errors.Is(err, cause) {
		t.Errorf("%v does not wrap its cause", err)
	}
}
