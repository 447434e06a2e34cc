package fingerprint_test

import (
	"slices"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/fingerprint"
)

// of returns the shape of a function with a body.
func of(t *testing.T, body string) fingerprint.Shape {
	t.Helper()
	body = string(rune(len(body))) + body
	b := "\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x03\x02\x00\x00\x05\x03\x01\x00\x01\x06\x0b\x02\x7f\x01\x41\x00\x0b\x7f\x01\x41\x00\x0b" +
		"\x0a" + string(rune(len(body)+4)) + "\x02\x02\x00\x0b" + body
	list, err := fingerprint.Of([]byte(b), module.Limits{})
	if err != nil || len(list) != 2 {
		t.Fatalf("%d shapes, %v", len(list), err)
	}
	return list[1].Shape
}

// TestShape checks that a shape does not depend on where things are, but on what is done.
func TestShape(t *testing.T) {
	const locals = "\x01\x02\x7f"
	same := [][2]string{
		{locals + "\x41\x01\x1a\x0b", locals + "\x41\xff\x00\x1a\x0b"},                     // a constant
		{locals + "\x10\x00\x0b", locals + "\x10\x01\x0b"},                                 // a function
		{locals + "\x41\x00\x28\x02\x04\x1a\x0b", locals + "\x41\x00\x28\x02\x08\x1a\x0b"}, // an address
		{locals + "\x23\x00\x1a\x0b", locals + "\x23\x01\x1a\x0b"},                         // a global
		{locals + "\x41\x00\x04\x40\x0b\x0b", locals + "\x41\x07\x04\x40\x0b\x0b"},         // in front of a branch
	}
	for _, c := range same {
		if of(t, c[0]) != of(t, c[1]) {
			t.Errorf("%x and %x differ", c[0], c[1])
		}
	}
	differ := []string{"\x00\x0b", locals + "\x0b", locals + "\x20\x00\x1a\x0b", locals + "\x20\x01\x1a\x0b", locals + "\x41\x00\x1a\x0b",
		locals + "\x02\x40\x02\x40\x0c\x00\x0b\x0b\x0b", locals + "\x02\x40\x02\x40\x0c\x01\x0b\x0b\x0b",
		locals + "\x02\x40\x41\x00\x0e\x01\x00\x01\x0b\x0b", locals + "\x02\x40\x41\x00\x0e\x01\x01\x00\x0b\x0b"}
	var seen []fingerprint.Shape
	for _, body := range differ {
		s := of(t, body)
		if slices.Contains(seen, s) {
			t.Errorf("%x is like another", body)
		}
		seen = append(seen, s)
	}
}

func TestCalls(t *testing.T) {
	b := "\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x02\x07\x01\x01a\x01b\x00\x00\x03\x03\x02\x00\x00\x0a\x0d\x02\x02\x00\x0b\x08\x00\x10\x00\x10\x01\x10\x02\x0b"
	list, err := fingerprint.Of([]byte(b), module.Limits{})
	if err != nil || len(list) != 2 || len(list[0].Calls) != 0 || !slices.Equal(list[1].Calls, []int{0, 1}) {
		t.Errorf("got %v, %v", list, err)
	}
}

func TestMalformed(t *testing.T) {
	if list, err := fingerprint.Of([]byte("\x00asm\x02"), module.Limits{}); err == nil || list != nil {
		t.Errorf("got %v, %v", list, err)
	}
}
