package leb_test

import (
	"math"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/module/leb"
)

func TestU32(t *testing.T) {
	for _, c := range []struct {
		in   string
		want uint32
		n    int
	}{
		{"\x00", 0, 1}, {"\x7f", 127, 1}, {"\x80\x01", 128, 2}, {"\xff\xff\xff\xff\x0f", math.MaxUint32, 5},
		{"\x80\x80\x80\x80\x00", 0, 5}, {"\x05rest", 5, 1},
		{"", 0, 0}, {"\x80", 0, 0}, {"\xff\xff\xff\xff", 0, 0},
		{"\xff\xff\xff\xff\x1f", 0, -1}, {"\x80\x80\x80\x80\x80\x00", 0, -1},
	} {
		if v, n := leb.U32([]byte(c.in)); v != c.want || n != c.n {
			t.Errorf("%q: got %d in %d bytes, want %d in %d", c.in, v, n, c.want, c.n)
		}
	}
}

func TestSigned(t *testing.T) {
	for _, c := range []struct {
		in   string
		bits int
		want int64
		n    int
	}{
		{"\x00", 32, 0, 1}, {"\x7f", 32, -1, 1}, {"\x3f", 64, 63, 1}, {"\x40", 33, -64, 1}, {"\xc0\x00", 32, 64, 2},
		{"\x80\x80\x80\x80\x78", 32, math.MinInt32, 5}, {"\xff\xff\xff\xff\x07", 32, math.MaxInt32, 5},
		{"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x7f", 64, math.MinInt64, 10},
		{"", 32, 0, 0}, {"\xff\xff", 64, 0, 0},
		{"\x80\x80\x80\x80\x10", 32, 0, -1}, {"\xff\xff\xff\xff\xff\x00", 32, 0, -1},
		{"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", 64, 0, -1},
	} {
		if v, n := leb.Signed([]byte(c.in), c.bits); v != c.want || n != c.n {
			t.Errorf("%q: got %d in %d bytes, want %d in %d", c.in, v, n, c.want, c.n)
		}
	}
}

// FuzzRoundTrip checks that what is written reads back, in no more bytes than it takes.
func FuzzRoundTrip(f *testing.F) {
	for _, v := range []int64{
		0, 63, 64, -64, -65, math.MaxInt32, math.MinInt32, math.MaxUint32, math.MaxInt64, math.MinInt64,
	} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v int64) {
		if b := leb.AppendSigned(nil, v); true {
			if got, n := leb.Signed(b, 64); got != v || n != len(b) {
				t.Errorf("%d became %x, read as %d in %d bytes", v, b, got, n)
			}
		}
		u := uint32(v)
		b := leb.AppendU32(nil, u)
		if got, n := leb.U32(b); got != u || n != len(b) {
			t.Errorf("%d became %x, read as %d in %d bytes", u, b, got, n)
		}
		if got, n := leb.Signed(leb.AppendSigned(nil, int64(int32(u))), 32); got != int64(int32(u)) || n > 5 {
			t.Errorf("%d was read as %d in %d bytes", int32(u), got, n)
		}
	})
}
