// Package leb reads and writes LEB128, the variable-length numbers of the WebAssembly binary format
// (core specification 2.0, section 5.2.2). It allocates nothing but what an append needs.
package leb

// U32 reads an unsigned number of at most 32 bits from the front of b and returns how many bytes it
// takes: 0 if b ends within it, -1 if it is longer or larger than the format allows.
func U32(b []byte) (v uint32, n int) {
	for i := range 5 {
		if i >= len(b) {
			return 0, 0
		}
		x := b[i]
		if i == 4 && x > 0x0f {
			return 0, -1
		}
		v |= uint32(x&0x7f) << (7 * i)
		if x < 0x80 {
			return v, i + 1
		}
	}
	return 0, -1
}

// Signed reads a signed number of at most the given bits, 32, 33 or 64, from the front of b and
// returns how many bytes it takes, as U32 does.
func Signed(b []byte, bits int) (v int64, n int) {
	for shift := 0; shift < bits; shift += 7 {
		i := shift / 7
		if i >= len(b) {
			return 0, 0
		}
		x := b[i]
		v |= int64(x&0x7f) << shift
		if x >= 0x80 {
			continue
		}
		if free := bits - shift; free < 7 && !signFits(x, free) {
			break
		}
		if used := shift + 7; used < 64 {
			v = v << (64 - used) >> (64 - used)
		}
		return v, i + 1
	}
	return 0, -1
}

// signFits reports whether the bits of x above the first free ones repeat the sign bit.
func signFits(x byte, free int) bool {
	high := x >> (free - 1) & (0x7f >> (free - 1))
	return high == 0 || high == 0x7f>>(free-1)
}

// AppendU32 appends v in its shortest form.
func AppendU32(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

// AppendSigned appends v in its shortest form.
func AppendSigned(b []byte, v int64) []byte {
	for {
		x := byte(v & 0x7f)
		v >>= 7
		if v == 0 && x&0x40 == 0 || v == -1 && x&0x40 != 0 {
			return append(b, x)
		}
		b = append(b, x|0x80)
	}
}
