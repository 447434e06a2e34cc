package loadtest

import (
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
	return []byte("\x00asm\x01\x00\x00\x00" +
		section(1, "\x01\x60\x00\x00") + // a type without parameters and results
		section(3, "\x01\x00") + // a function of it
		section(5, "\x01\x00\x01") + // a page of memory
		section(7, "\x02\x06_start\x00\x00\x06memory\x02\x00") +
		section(10, "\x01"+sized(code)))
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

// What rogue does with requests that begin so. It sends all others back.
const (
	doTrap  = "trap"
	doExit  = "exit" // with 65
	doLoop  = "loop" // for ever
	doGrow  = "grow" // until it is refused
	doFlood = "flood"
)

// rogue is a module that reads a request first and then does as told.
func rogue() []byte {
	on := func(do, code string) string { // if the first byte is do's
		return "\x41\xc0\x00\x2d\x00\x00\x41" + signed(int64(do[0])) + "\x46\x04\x40" + code + "\x0b"
	}
	const (
		read    = "\x41\x00\x41\x00\x41\x01\x41\x08\x10\x00\x1a"         // to 64; how much to 8
		count   = "\x41\x14\x41\x08\x28\x02\x00\x36\x02\x00"             // that is what is written
		write   = "\x41\x01\x41\x10\x41\x01\x41\x08\x10\x01\x1a"         // from 64
		grow    = "\x41\x04\x40\x00\x41\x7f\x46\x04\x40\x00\x0b"         // by four pages, or trap
		touch   = "\x3f\x00\x41\x10\x74\x41\x04\x6b\x41\x01\x36\x02\x00" // the last page
		forever = "\x03\x40"
		again   = "\x0c\x00\x0b"
	)
	code := "\x00" + read + count + on(doTrap, "\x00") + on(doExit, "\x41\xc1\x00\x10\x02") + on(doLoop, forever+again) +
		on(doGrow, forever+grow+touch+again) + on(doFlood, forever+write+again) + write + "\x0b"
	const wasi = "\x16wasi_snapshot_preview1"
	return []byte("\x00asm\x01\x00\x00\x00" +
		section(1, "\x03\x60\x00\x00\x60\x04\x7f\x7f\x7f\x7f\x01\x7f\x60\x01\x7f\x00") +
		section(2, "\x03"+wasi+"\x07fd_read\x00\x01"+wasi+"\x08fd_write\x00\x01"+wasi+"\x09proc_exit\x00\x02") +
		section(3, "\x01\x00") +
		section(5, "\x01\x00\x01") +
		section(7, "\x02\x06_start\x00\x03\x06memory\x02\x00") +
		section(10, "\x01"+sized(code)) +
		section(11, "\x01\x00\x41\x00\x0b"+
			sized("\x40\x00\x00\x00\x40\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x40\x00\x00\x00")))
}

// section is a section of a module.
func section(id byte, content string) string { return string([]byte{id}) + sized(content) }

// sized is content with its length before it, of less than 16 KiB.
func sized(content string) string {
	if n := len(content); n >= 0x80 {
		return string([]byte{byte(n) | 0x80, byte(n >> 7)}) + content
	}
	return string([]byte{byte(len(content))}) + content
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
