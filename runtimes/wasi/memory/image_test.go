package memory

import (
	"fmt"
	"testing"
)

// TestImage checks what an image says about itself.
func TestImage(t *testing.T) {
	for _, size := range []uint64{0, granule, 9 * granule} {
		b := content(size)
		m, err := NewImage(b)
		if err != nil {
			t.Fatal(err)
		}
		if m.Size() != size || !m.Equal(b) || m.Equal(make([]byte, size+granule)) {
			t.Errorf("an image of %d bytes has %d, or others", size, m.Size())
		}
		for i := range size {
			if i%997 != 0 && i != size-1 {
				continue
			}
			b[i]++
			if m.Equal(b) {
				t.Errorf("byte %d is not compared", i)
			}
			b[i]--
		}
		m.Release()
	}
	if _, err := NewImage(make([]byte, granule+1)); err == nil {
		t.Error("half a page of WebAssembly is no error")
	}
}

// TestReferences checks that one reference too few or too many does not go unnoticed.
func TestReferences(t *testing.T) {
	m, err := NewImage(make([]byte, granule))
	if err != nil {
		t.Fatal(err)
	}
	m.Retain()
	m.Release()
	if m.data == nil {
		t.Error("an image in use was freed")
	}
	m.Release()
	if m.data != nil {
		t.Error("an image is kept that nobody uses")
	}
	for name, call := range map[string]func(){"Retain": m.Retain, "Release": m.Release} {
		if !panics(call) {
			t.Errorf("%s of a freed image goes unnoticed", name)
		}
	}
}

// panics reports whether a call does.
func panics(call func()) (did bool) {
	defer func() { did = recover() != nil }()
	call()
	return false
}

func TestIsZero(t *testing.T) {
	for n := range 70 {
		b := make([]byte, n)
		if !isZero(b) {
			t.Errorf("%d zeros are not zero", n)
		}
		for i := range b {
			b[i] = 1
			if isZero(b) {
				t.Error(fmt.Sprint(b, " is zero"))
			}
			b[i] = 0
		}
	}
}
