package secrets_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/invoker/backend/secrets"
)

// TestRedact replaces secrets in texts, whole and in pieces.
func TestRedact(t *testing.T) {
	for _, c := range []struct {
		secrets    []string
		text, want string
	}{
		{[]string{"hunter22"}, "the password is hunter22!", "the password is ***!"},
		{[]string{"hunter22"}, "hunter22hunter22 hunter2 hunter22", "****** hunter2 ***"},
		{[]string{"hunter22\n"}, "hunter22\n", "***\n"},
		{[]string{"hunter2"}, "hunter2", "hunter2"}, // too short
		{[]string{""}, "nothing", "nothing"},
		{nil, "nothing", "nothing"},
		{[]string{"password", "password123", "123password"}, "password12 password123 123password123", "***12 *** ***"},
		{[]string{"abcdefgh", "efghijkl"}, "abcdefghijkl abcdefghijk", "*** ***ijk"},
		{[]string{"aaaaaaaa"}, "aaaaaaaaaaa aaaaaaa", "*** aaaaaaa"},
		{[]string{"-----BEGIN KEY-----\nMIIEvQIBADAN\nshort\n-----END KEY-----\n"},
			"key: MIIEvQIBADAN\n-----BEGIN KEY-----\r\nshort\n", "key: ***\n***\r\nshort\n"},
		{[]string{"ab\ncd\nef\ngh\n"}, "ab\ncd\nef\ngh", "***"},
		{[]string{"  padded value \n"}, "padded value", "***"},
		{[]string{"\x00\x01\x02\x03\xff\xfe\xfd\xfc"}, "x\x00\x01\x02\x03\xff\xfe\xfd\xfcx", "x***x"},
	} {
		var values [][]byte
		for _, s := range c.secrets {
			values = append(values, []byte(s))
		}
		m := secrets.NewMatcher(values...)
		if got := m.Redact(c.text); got != c.want {
			t.Errorf("%q in %q: %q, want %q", c.secrets, c.text, got, c.want)
		}
		for n := 1; n < 10; n++ {
			r := secrets.Redactor{Matcher: m}
			var got []byte
			for piece := range slices.Chunk([]byte(c.text), n) {
				got = append(got, r.Redact(piece, false)...)
			}
			if got = append(got, r.Redact(nil, true)...); string(got) != c.want {
				t.Errorf("%q in %q by %d bytes: %q, want %q", c.secrets, c.text, n, got, c.want)
			}
		}
	}
}

// TestRedactAtOnce shows at once what no secret begins with: logs are live.
func TestRedactAtOnce(t *testing.T) {
	r := secrets.Redactor{Matcher: secrets.NewMatcher([]byte("hunter22"))}
	for _, c := range [][2]string{{"a line\n", "a line\n"}, {"hunt", ""}, {"ing\n", "hunting\n"}, {"hunter2", ""}, {"2", "***"},
		{"h", ""}} {
		if got := r.Redact([]byte(c[0]), false); string(got) != c[1] {
			t.Errorf("%q shows %q, want %q", c[0], got, c[1])
		}
	}
	if got := r.Redact(nil, true); string(got) != "h" {
		t.Errorf("at the end: %q", got)
	}
	if got := r.Redact([]byte("unter22"), true); string(got) != "unter22" {
		t.Errorf("after the end: %q", got)
	}
}

// TestRedactLate has a Matcher after the first pieces, as a run has that reads its secrets late.
func TestRedactLate(t *testing.T) {
	var r secrets.Redactor
	if got := r.Redact([]byte("hunt"), false); string(got) != "hunt" {
		t.Errorf("%q", got)
	}
	r.Matcher = secrets.NewMatcher([]byte("hunter22"))
	if got := r.Redact([]byte("er22 hunter22"), true); string(got) != "er22 ***" {
		t.Errorf("%q", got)
	}
}

// naive is what a Redactor does, by the definition: all bytes of all places of all patterns are hidden.
func naive(patterns []string, text string) string {
	hidden := make([]bool, len(text))
	type match struct{ from, to int }
	var all []match
	for _, p := range patterns {
		for at := 0; at+len(p) <= len(text); at++ {
			if text[at:at+len(p)] == p {
				all = append(all, match{at, at + len(p)})
				for i := range p {
					hidden[at+i] = true
				}
			}
		}
	}
	var b strings.Builder
	for i := range text {
		if !hidden[i] {
			b.WriteByte(text[i])
		} else if i == 0 || !hidden[i-1] {
			b.WriteString(secrets.Hidden)
		}
	}
	return b.String()
}

// TestRedactRandomly compares with the definition, for random texts of few letters. Secrets that touch each other may
// be replaced one by one.
func TestRedactRandomly(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	text := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "ab"[rng.IntN(2)]
		}
		return string(b)
	}
	one := func(s string) string {
		for strings.Contains(s, secrets.Hidden+secrets.Hidden) {
			s = strings.ReplaceAll(s, secrets.Hidden+secrets.Hidden, secrets.Hidden)
		}
		return s
	}
	for range 3000 {
		var patterns []string
		var values [][]byte
		for range 1 + rng.IntN(4) {
			p := text(8 + rng.IntN(5))
			patterns, values = append(patterns, p), append(values, []byte(p))
		}
		in := text(rng.IntN(200))
		r := secrets.Redactor{Matcher: secrets.NewMatcher(values...)}
		var got []byte
		for rest := in; rest != ""; {
			n := 1 + rng.IntN(len(rest))
			got = append(got, r.Redact([]byte(rest[:n]), false)...)
			rest = rest[n:]
		}
		got = append(got, r.Redact(nil, true)...)
		if want := naive(patterns, in); one(string(got)) != one(want) {
			t.Fatalf("%q in %q: %q, want %q", patterns, in, got, want)
		}
	}
}

// TestRedactMuch bounds what a text costs that is made to be slow: bytes of the longest secrets, one by one.
func TestRedactMuch(t *testing.T) {
	var values [][]byte
	for n := range 8 {
		values = append(values, append(bytes.Repeat([]byte("a"), secrets.MaxValue-1), byte('b'+n)))
	}
	r := secrets.Redactor{Matcher: secrets.NewMatcher(values...)}
	shown := 0
	for range 1 << 20 {
		shown += len(r.Redact([]byte("a"), false))
	}
	if shown += len(r.Redact([]byte("b"), true)); shown != 1<<20-(secrets.MaxValue-1)+len(secrets.Hidden) {
		t.Errorf("%d bytes were shown", shown)
	}
}

// FuzzRedact never shows a secret, whatever the pieces are, and shows all of a text without one.
func FuzzRedact(f *testing.F) {
	f.Add("hunter22", "abcdefgh", "a hunter22 bcd", uint8(3))
	f.Add("aaaaaaaa", "aaaabaaaa", "aaaaaaaabaaaaaaaa", uint8(1))
	f.Fuzz(func(t *testing.T, one, two, text string, size uint8) {
		m := secrets.NewMatcher([]byte(one), []byte(two))
		r := secrets.Redactor{Matcher: m}
		var got []byte
		for piece := range slices.Chunk([]byte(text), int(size)+1) {
			got = append(got, r.Redact(piece, false)...)
		}
		got = append(got, r.Redact(nil, true)...)
		if whole := m.Redact(text); whole != string(got) {
			t.Errorf("whole %q, in pieces %q", whole, got)
		}
		some := false
		for _, s := range []string{one, two} {
			for line := range strings.Lines(s) {
				if line = strings.TrimSpace(line); len(line) < secrets.MinHidden {
					continue
				}
				some = some || strings.Contains(text, line)
				if !strings.Contains(line, "*") && bytes.Contains(got, []byte(line)) {
					t.Errorf("%q shows %q", got, line)
				}
			}
		}
		if !some && !strings.Contains(one+two, "\n") && string(got) != text {
			t.Errorf("%q became %q", text, got)
		}
	})
}

func BenchmarkRedact(b *testing.B) {
	line := []byte(strings.Repeat("an ordinary line of a log, with words and 12345 numbers\n", 20))
	for _, n := range []int{0, 1, 30} {
		b.Run(fmt.Sprint(n, " secrets"), func(b *testing.B) {
			var values [][]byte
			for i := range n {
				values = append(values, fmt.Appendf(nil, "%d-secret-value-%d", i, i))
			}
			r := secrets.Redactor{Matcher: secrets.NewMatcher(values...)}
			b.SetBytes(int64(len(line)))
			for b.Loop() {
				r.Redact(line, false)
			}
		})
	}
}
