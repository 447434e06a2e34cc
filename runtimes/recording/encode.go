package recording

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
)

// format is the first byte of encoded draws.
const format = 1

// Flags of encoded draws.
const (
	flagCut = 1 << iota
	flagSetup
	flagsAll = 1<<iota - 1
)

// maxLost is the length of the longest reason for which draws were lost, in bytes.
const maxLost = 256

// maxText is more than what MarshalText can return.
const maxText = 4 * (2*(MaxEntropy+MaxDraws*(1+binary.MaxVarintLen64)+maxLost) + 256) / 3

// MarshalText implements encoding.TextMarshaler: base64 of the format's number, flags, the reason why they were lost,
// the draws as their kinds and numbers (those of a clock as the difference to the one before), and the entropy; then
// the draws of the initialization, if there was one, in the same way.
func (d *Draws) MarshalText() ([]byte, error) {
	return []byte(base64.StdEncoding.EncodeToString(d.append(nil))), nil
}

// append appends the encoded draws.
func (d *Draws) append(b []byte) []byte {
	flags := byte(0)
	if d.cut {
		flags |= flagCut
	}
	if d.setup != nil {
		flags |= flagSetup
	}
	lost := d.lost[:min(len(d.lost), maxLost)]
	b = append(b, format, flags)
	b = append(binary.AppendUvarint(b, uint64(len(lost))), lost...)
	b = binary.AppendUvarint(b, uint64(len(d.list)))
	var last [kinds]int64
	for _, w := range d.list {
		b = append(b, byte(w.kind))
		b = binary.AppendVarint(b, w.value-last[w.kind])
		if w.kind == Wall || w.kind == Monotonic {
			last[w.kind] = w.value
		}
	}
	b = append(b, d.entropy...)
	if d.setup != nil {
		b = d.setup.append(b)
	}
	return b
}

// UnmarshalText implements encoding.TextUnmarshaler for what MarshalText returns. Whatever the text, it takes no more
// memory than the bounds allow.
func (d *Draws) UnmarshalText(text []byte) error {
	if len(text) > maxText {
		return fmt.Errorf("recorded draws of %d bytes are longer than any", len(text))
	}
	b, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil {
		return fmt.Errorf("recorded draws are no base64: %w", err)
	}
	r := reader{b: b}
	read := r.draws(true)
	if r.err == nil && len(r.b) > 0 {
		r.fail("recorded draws have %d bytes too many", len(r.b))
	}
	if r.err == nil {
		*d = *read
	}
	return r.err
}

// reader reads encoded draws. After an error it returns zeros.
type reader struct {
	b   []byte
	err error
}

// fail keeps the first error.
func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
	r.b = nil
}

var errShort = errors.New("recorded draws end too early")

// bytes reads n bytes.
func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail("%w", errShort)
		return make([]byte, min(n, 2))
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

// count reads a number that is at most max.
func (r *reader) count(max uint64) uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > max {
		r.fail("recorded draws have a number that is missing, or over %d", max)
		return 0
	}
	r.b = r.b[n:]
	return v
}

// number reads a number that may be negative.
func (r *reader) number() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail("%w", errShort)
		return 0
	}
	r.b = r.b[n:]
	return v
}

// draws reads draws, and those of an initialization if there may be one.
func (r *reader) draws(whole bool) *Draws {
	head := r.bytes(2)
	if r.err == nil && (head[0] != format || head[1]&^flagsAll != 0 || !whole && head[1]&flagSetup != 0) {
		r.fail("recorded draws are of a format that this version does not know: use the one that recorded them")
	}
	d := &Draws{cut: head[1]&flagCut != 0, lost: string(r.bytes(r.count(maxLost)))}
	n := r.count(MaxDraws)
	if n > uint64(len(r.b)) {
		r.fail("%w", errShort)
	}
	entropy := r.list(d, int(n))
	if entropy > MaxEntropy {
		r.fail("recorded draws have %d bytes of entropy, and the most is %d", entropy, MaxEntropy)
		entropy = 0
	}
	d.entropy = r.bytes(entropy)
	if head[1]&flagSetup != 0 && r.err == nil {
		d.setup = r.draws(false)
	}
	return d
}

// list reads n draws, and returns how many bytes of entropy belong to them.
func (r *reader) list(d *Draws, n int) (entropy uint64) {
	var last [kinds]int64
	for range n {
		kind := Kind(r.bytes(1)[0])
		value := r.number()
		if kind >= kinds || kind == Entropy && (value < 0 || value > MaxEntropy) {
			r.fail("recorded draws have one that cannot be: kind %d, value %d", kind, value)
		}
		if r.err != nil {
			return 0
		}
		switch kind {
		case Entropy:
			entropy += uint64(value)
		case Wall, Monotonic:
			value += last[kind]
			last[kind] = value
		}
		d.list = append(d.list, draw{kind, value})
	}
	return entropy
}
