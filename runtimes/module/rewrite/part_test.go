package rewrite_test

import (
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
)

// TestMark checks that each function sets its own bit, behind its locals, and that nothing else changes.
func TestMark(t *testing.T) {
	const functions = 65
	bodies := strings.Repeat("\x04\x01\x02\x7f\x0b", functions) // with two locals
	b := []byte(header + section(1, "\x01\x60\x00\x00") + section(3, string(rune(functions))+strings.Repeat("\x00", functions)) +
		string([]byte{10, 0xc6, 2}) + string(rune(functions)) + bodies)
	out, r, err := rewrite.Rewrite(b, rewrite.Options{Unmetered: true, Mark: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(r.Marks, " "); got != "polyvoke.mark.0 polyvoke.mark.1" {
		t.Errorf("got the marks %q", got)
	}
	m, err := module.Parse(out)
	if err != nil || m.Functions != functions || m.Globals != 2 {
		t.Fatalf("got %+v, %v", m, err)
	}
	const locals, get, or, set = "\x01\x02\x7f", "\x23\x00\x42", "\x84\x24\x00", "\x0b"
	second, last := locals+get+"\x02"+or+set, locals+"\x23\x01\x42\x01\x84\x24\x01\x0b"
	if !strings.Contains(string(out), second) || !strings.HasSuffix(string(out), last) {
		t.Errorf("got %x", out)
	}
}

// TestWithout checks that functions are replaced by traps after everything is counted that depends on them.
func TestWithout(t *testing.T) {
	calls := "\x04\x00\x10\x01\x0b"
	b := []byte(header + section(1, "\x01\x60\x00\x00") + section(3, "\x02\x00\x00") + section(10, "\x02"+calls+"\x05\x00\x01\x01\x01\x0b"))
	whole, with, err := rewrite.Rewrite(b, rewrite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	part, without, err := rewrite.Rewrite(b, rewrite.Options{Without: []bool{false, true}})
	if err != nil {
		t.Fatal(err)
	}
	if *with.Meter != *without.Meter || with.Module.Functions != without.Module.Functions {
		t.Errorf("got %+v and %+v", with.Meter, without.Meter)
	}
	if trap := "\x03\x00\x00\x0b"; !strings.Contains(string(part), trap) || strings.Contains(string(whole), trap) {
		t.Errorf("got %x of %x", part, whole)
	}
	if _, err := module.Parse(part); err != nil {
		t.Error(err)
	}
}
