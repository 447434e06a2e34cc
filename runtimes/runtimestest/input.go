package runtimestest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// inputCases are about stdin that is read to its end.
func inputCases() []testCase {
	return []testCase{
		{"stdin/nil", func(t *testing.T, s *suite) {
			wantText(t, "stdout", s.output(t, process("echo")), "")
		}},
		{"stdin/empty", func(t *testing.T, s *suite) {
			p := process("echo")
			p.Stdin = strings.NewReader("")
			wantText(t, "stdout", s.output(t, p), "")
		}},
		{"stdin/one byte", func(t *testing.T, s *suite) {
			p := process("echo")
			p.Stdin = strings.NewReader("\x00")
			wantText(t, "stdout", s.output(t, p), "\x00")
		}},
		{"stdin/64 MiB", largeInput},
		{"stdin/a byte at a time", func(t *testing.T, s *suite) {
			text := strings.Repeat("drops ", 500)
			p := process("echo")
			p.Stdin = iotest.OneByteReader(strings.NewReader(text))
			wantText(t, "stdout", s.output(t, p), text)
		}},
		{"stdin/last bytes with the end of file", func(t *testing.T, s *suite) {
			p := process("echo")
			p.Stdin = iotest.DataErrReader(strings.NewReader("the end"))
			wantText(t, "stdout", s.output(t, p), "the end")
		}},
		{"stdin/read to the end twice", func(t *testing.T, s *suite) {
			p := process("twice")
			p.Stdin = bytes.NewReader(make([]byte, 100_000))
			wantText(t, "stdout", s.output(t, p), "100000\n0\n")
		}},
	}
}

// unreadCases are about stdin that nobody reads, or that does not end.
func unreadCases() []testCase {
	return []testCase{
		{"stdin/1 MiB unread", func(t *testing.T, s *suite) {
			p := process("hush")
			p.Stdin = bytes.NewReader(make([]byte, 1<<20))
			wantText(t, "stdout", s.output(t, p), "ok")
		}},
		{"stdin/blocked and unread", func(t *testing.T, s *suite) {
			r, w := io.Pipe()
			defer w.Close()
			p := process("hush")
			p.Stdin = r
			wantText(t, "stdout", s.output(t, p), "ok")
		}},
		{"stdin/blocked until the deadline", func(t *testing.T, s *suite) {
			r, w := io.Pipe()
			defer w.Close()
			p := process("echo")
			p.Stdin = r
			s.runUntil(t, p)
			s.echoWorks(t)
		}},
	}
}

// brokenInputCases are about a Reader that fails.
func brokenInputCases() []testCase {
	return []testCase{
		{"stdin/fails", failingInput},
		{"stdin/fails at once", func(t *testing.T, s *suite) {
			broken := errors.New("no such line")
			p := process("twice")
			p.Stdin = iotest.ErrReader(broken)
			wantIs(t, s.run(t, p), broken)
			s.echoWorks(t)
		}},
	}
}

// largeInput passes 64 MiB through a process.
func largeInput(t *testing.T, s *suite) {
	const size = 64 << 20
	sent, got := sha256.New(), sha256.New()
	p := process("echo")
	p.Stdin, p.Stdout = io.TeeReader(pattern(size), sent), got
	if err := s.run(t, p); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Sum(nil), sent.Sum(nil)) {
		t.Error("the bytes that came back are not those that were sent")
	}
	rest := sha256.New()
	if _, err := io.Copy(rest, pattern(size)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(rest.Sum(nil), sent.Sum(nil)) {
		t.Error("stdin was not read to its end")
	}
}

// failingInput checks that a Reader's error comes back, and ends a process that would go on.
func failingInput(t *testing.T, s *suite) {
	broken := errors.New("line torn")
	p := process("echo")
	p.Stdin = io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(broken))
	wantIs(t, s.run(t, p), broken)
	s.echoWorks(t)
}
