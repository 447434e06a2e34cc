package code_test

import (
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/module/code"
)

// TestNext reads one instruction of each shape.
func TestNext(t *testing.T) {
	for _, c := range []struct {
		in   string
		want code.Instruction
	}{
		{"\x6a", code.Instruction{Op: code.I32Add}},
		{"\x41\x7f", code.Instruction{Op: code.I32Const, Value: -1}},
		{"\x02\x40", code.Instruction{Op: code.Block, Value: -64}},
		{"\x04\x7f", code.Instruction{Op: code.If, Value: -1}},
		{"\x03\x80\x01", code.Instruction{Op: code.Loop, Value: 128}},
		{"\x11\x05\x01", code.Instruction{Op: code.CallIndirect, X: 5, Y: 1}},
		{"\x28\x02\x80\x01", code.Instruction{Op: 0x28, X: 2, Y: 128}},
		{"\xfe\x10\x02\x04", code.Instruction{Op: code.AtomicLoad, X: 2, Y: 4}},
		{"\xfe\x03\x00", code.Instruction{Op: code.AtomicFence}},
		{"\xfc\x0e\x01\x02", code.Instruction{Op: code.TableCopy, X: 1, Y: 2}},
		{"\xfc\x8b\x80\x00\x00", code.Instruction{Op: code.MemoryFill}},
		{"\xfd\x0c0123456789abcdef", code.Instruction{Op: code.VecConst}},
	} {
		var in code.Instruction
		r := code.NewReader([]byte(c.in), 0, len(c.in), 10)
		if !r.Next(&in) || in.Op != c.want.Op || in.X != c.want.X || in.Y != c.want.Y || in.Value != c.want.Value ||
			in.End != len(c.in) {
			t.Errorf("%q: got %+v, %v", c.in, in, r.Err())
		}
	}
}

// TestLabels reads instructions that have many.
func TestLabels(t *testing.T) {
	b := []byte("\x0e\x02\x03\x04\x05\x1f\x40\x02\x00\x07\x01\x02\x09")
	r := code.NewReader(b, 0, len(b), 5)
	var in code.Instruction
	if !r.Next(&in) || len(in.Labels) != 3 || in.Labels[2] != 5 {
		t.Errorf("got %+v", in)
	}
	if !r.Next(&in) || len(in.Labels) != 2 || in.Labels[0] != 1 || in.Labels[1] != 9 || len(in.Tags) != 1 ||
		in.Tags[0] != 7 || in.Kinds[0] != code.Catch || in.Kinds[1] != code.CatchAll {
		t.Errorf("got %+v", in)
	}
	r.Reset(b, 0, len(b), 3)
	if r.Next(&in); r.Next(&in) || r.Err() == nil || !strings.Contains(r.Err().Error(), "more labels") {
		t.Errorf("got %+v, %v", in, r.Err())
	}
}

// FuzzNext checks that instructions follow one another without a gap to the end or to a fault.
func FuzzNext(f *testing.F) {
	f.Add([]byte("\x0e\x02\x03\x04\x05\x1f\x40\x02\x00\x07\x01\x02\x09\xfc\x08\x00\x00\xfd\x15\x00\x41\x00\xd0\x70\x1c\x01\x7f\x44\x00\x00\x80\x3f\x00\x00\x80\x3f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := code.NewReader(b, 0, len(b), 100)
		var in code.Instruction
		at := 0
		for r.Next(&in) {
			if in.Start != at || in.End <= at || in.End > len(b) {
				t.Fatalf("after %d: got %+v", at, in)
			}
			at = in.End
		}
		if e := r.Err(); e == nil && at != len(b) || e != nil && (e.Offset < at || e.Offset > len(b) || e.Msg == "") {
			t.Fatalf("ended at %d of %d with %v", at, len(b), e)
		}
	})
}
