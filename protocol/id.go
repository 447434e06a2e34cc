package protocol

import (
	"crypto/rand"
	"encoding/hex"
	"time"
)

// NewID returns an id for a call: a UUID of version 7 (RFC 9562, section 5.7), whose text sorts by the time at which it
// was made, to some 256 nanoseconds. It may be called from several goroutines.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[8:]) // it never fails
	now := time.Now().UnixNano()
	milli, rest := now/int64(time.Millisecond), now%int64(time.Millisecond)>>8 // 12 bits: section 6.2, method 3
	for i := range 6 {
		b[i] = byte(milli >> (40 - 8*i))
	}
	b[6], b[7] = 0x70|byte(rest>>8), byte(rest)
	b[8] = 0x80 | b[8]&0x3f
	var text [36]byte
	hex.Encode(text[:], b[:4])
	at := 8
	for i := 4; i < 10; i += 2 {
		text[at] = '-'
		hex.Encode(text[at+1:], b[i:i+2])
		at += 5
	}
	text[at] = '-'
	hex.Encode(text[at+1:], b[10:])
	return string(text[:])
}
