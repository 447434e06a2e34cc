package load

import (
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/samples"
)

// counting is a module that counts down from some number, and says nothing.
func counting(from int64) []byte {
	code := "\x01\x01\x7e" + // one local of type i64
		"\x42" + signed(from) + "\x21\x00" + // local 0 = from
		"\x03\x40" + // loop
		"\x20\x00\x42\x01\x7d\x22\x00" + // local 0 -= 1
		"\x42\x00\x52\x0d\x00" + // again, if it is not 0
		"\x0b\x0b"
	body := string(rune(len(code))) + code
	return []byte("\x00asm\x01\x00\x00\x00" +
		"\x01\x04\x01\x60\x00\x00" + // a type without parameters and results
		"\x03\x02\x01\x00" + // a function of it
		"\x05\x03\x01\x00\x01" + // a page of memory
		"\x07\x13\x02\x06_start\x00\x00\x06memory\x02\x00" +
		"\x0a" + string(rune(len(body)+1)) + "\x01" + body)
}

// signed is a number in LEB128.
func signed(n int64) string {
	var b []byte
	for {
		low := byte(n & 0x7f)
		n >>= 7
		if n == 0 && low&0x40 == 0 || n == -1 && low&0x40 != 0 {
			return string(append(b, low))
		}
		b = append(b, low|0x80)
	}
}

// sample returns a sample's module.
func sample(t testing.TB, name string) []byte {
	t.Helper()
	for _, s := range samples.All() {
		if s.Name != name {
			continue
		}
		module, err := s.Build(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return module
	}
	t.Fatalf("there is no sample %s", name)
	return nil
}

// hello is a request for the greeting, and welcome its reply.
const (
	hello   = `{"name":"Ada"}`
	welcome = `{"greeting":"Hello, Ada!"}` + "\n"
)

// isGreeting tells whether a reply is the greeting's.
func isGreeting(body string) bool { return strings.HasPrefix(body, welcome) }
