package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"
	"unsafe"

	"github.com/rogpeppe/go-internal/testscript"
)

// controls is all that acts on a terminal, and what looks like it.
func controls() string {
	var b strings.Builder
	b.WriteString("\x1b]0;title\x07\x1b[2J\x1b[31mred\x1b[8m")
	for c := range 0xa0 {
		if c != '\n' {
			b.WriteRune(rune(c))
		}
	}
	for _, r := range "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2028\u2029\u2066\u2067\u2068\u2069" {
		b.WriteRune(r)
	}
	return b.String() + "\x9b31m\xff\xc2"
}

// shouter returns a module that writes a text and a newline to stdout and to stderr, exits with a code, and has
// the text in its custom sections and in an export's name.
func shouter(text string, code byte) []byte {
	sized := func(s string) string { return string(binary.AppendUvarint(nil, uint64(len(s)))) + s }
	part := func(id byte, s string) string { return string([]byte{id}) + sized(s) }
	name := strings.ToValidUTF8(text, "?")
	const fdWrite = "\x41\x00\x41\x01\x41\x08\x10\x00\x1a" // vector at 0, one of them, the count at 8
	text += "\n"
	vector := "\x10\x00\x00\x00" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(text)))) +
		strings.Repeat("\x00", 8)
	body := "\x00\x41\x01" + fdWrite + "\x41\x02" + fdWrite + "\x41" + string([]byte{code}) + "\x10\x01\x0b"
	preview1 := sized("wasi_snapshot_preview1")
	return []byte("\x00asm\x01\x00\x00\x00" + part(0, sized(name)+"x") +
		part(0, sized("producers")+"\x01"+sized("language")+"\x01"+sized("C\x1b[31m")+sized("1")) +
		part(1, "\x03\x60\x00\x00\x60\x04\x7f\x7f\x7f\x7f\x01\x7f\x60\x01\x7f\x00") +
		part(2, "\x02"+preview1+sized("fd_write")+"\x00\x01"+preview1+sized("proc_exit")+"\x00\x02") + part(3, "\x01\x00") +
		part(5, "\x01\x00\x01") +
		part(7, "\x03"+sized("_start")+"\x00\x02"+sized("memory")+"\x02\x00"+sized(name)+"\x00\x02") +
		part(10, "\x01"+sized(body)) + part(11, "\x01\x00\x41\x00\x0b"+sized(vector+text)))
}

// TestTerminal runs the stories of testdata/terminal, which have besides the commands of the others
//
//	tty CMD...   runs a command with a terminal for stdout and stderr, whatever its exit code, and expects that nothing
//	             acts on it but our own colours and lines that are written again, unless --raw is among the arguments;
//	             with -until TEXT before CMD it is interrupted when it has printed that
//
// and the files controls.bin, shout.wasm and fail.wasm.
func TestTerminal(t *testing.T) {
	scripts(t, "testdata/terminal", func(env *testscript.Env) {
		env.Setenv("CONTROLS", strings.ReplaceAll(controls(), "\x00", ""))
		for name, b := range map[string][]byte{
			"controls.bin": []byte(controls()), "shout.wasm": shouter(controls(), 0), "fail.wasm": shouter(controls(), 3),
		} {
			if err := os.WriteFile(filepath.Join(env.Getenv("WORK"), name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// ours are the sequences that polyvoke itself writes to a terminal.
var ours = regexp.MustCompile(`\x1b\[(\d+m|K)|\r`)

// ttyScript is the command tty.
func ttyScript(ts *testscript.TestScript, args []string) {
	until := ""
	if args[0] == "-until" {
		until, args = args[1], args[2:]
	}
	master, slave, err := openTerminal()
	ts.Check(err)
	defer master.Close()
	cmd := command(ts, args...)
	cmd.Stdout, cmd.Stderr = slave, slave
	ts.Check(cmd.Start())
	ts.Check(slave.Close())
	watchdog := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer watchdog.Stop()
	var out bytes.Buffer
	for b := make([]byte, 4096); ; { // ends with EIO when nobody has the terminal open any more
		n, err := master.Read(b)
		out.Write(b[:n])
		if until != "" && strings.Contains(out.String(), until) {
			until = ""
			ts.Check(cmd.Process.Signal(os.Interrupt))
		}
		if err != nil {
			break
		}
	}
	_ = cmd.Wait()
	text := strings.ReplaceAll(out.String(), "\r\n", "\n") // which the terminal itself makes of a newline
	if _, err := io.WriteString(ts.Stdout(), text); err != nil {
		ts.Fatalf("%v", err)
	}
	for _, a := range args {
		if a == "--raw" {
			return
		}
	}
	acts := func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
	}
	if rest := ours.ReplaceAllString(text, ""); strings.ContainsFunc(rest, acts) || strings.ToValidUTF8(rest, "") != rest {
		ts.Fatalf("a terminal got %q", text)
	}
}

// openTerminal returns a new terminal: what is written to the slave can be read from the master.
func openTerminal() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	var number, unlock int32
	for _, call := range []struct {
		what uintptr
		arg  *int32
	}{{syscall.TIOCSPTLCK, &unlock}, {syscall.TIOCGPTN, &number}} {
		if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), call.what, uintptr(unsafe.Pointer(call.arg))); e != 0 {
			return nil, nil, e
		}
	}
	slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(int(number)), os.O_RDWR|syscall.O_NOCTTY, 0)
	return master, slave, err
}
