package keys

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"hash/crc32"
	"strings"
)

// What a key looks like: pv_ID_SECRETCHECK, of letters and digits. The prefix lets scanners find keys that have leaked,
// the checksum tells them from what only looks like one, and the id says which key it was without its secret.
const (
	Prefix   = "pv_"
	idSize   = 12
	secret   = 43 // digits of 62: 256 bits
	checksum = 6  // digits of 62: 32 bits
	body     = len(Prefix) + idSize + 1 + secret

	// Size is the length of a key, in bytes.
	Size = body + checksum
)

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

var (
	errForm  = errors.New("it is not a key: one has the form pv_ID_SECRET")
	errCheck = errors.New("it is not a key: its checksum is wrong, so it is mistyped or cut short")
)

// newKey returns a new key and its id.
func newKey() (id, text string) {
	id = random(idSize)
	text = Prefix + id + "_" + random(secret)
	check := sum(text)
	return id, text + string(check[:])
}

// random returns n digits that nobody can guess.
func random(n int) string {
	const fair = 256 - 256%len(digits)
	out := make([]byte, 0, n)
	var some [64]byte
	for len(out) < n {
		_, _ = rand.Read(some[:]) // it never fails
		for _, b := range some {
			if int(b) < fair && len(out) < n {
				out = append(out, digits[int(b)%len(digits)])
			}
		}
	}
	return string(out)
}

// sum returns the checksum of a key's other characters.
func sum(s string) (check [checksum]byte) {
	crc := ^uint32(0) // of IEEE; crc32.ChecksumIEEE would have s moved to the heap
	for i := range len(s) {
		crc = crc32.IEEETable[byte(crc)^s[i]] ^ crc>>8
	}
	n := uint64(^crc)
	for i := range check {
		check[len(check)-1-i] = digits[n%uint64(len(digits))]
		n /= uint64(len(digits))
	}
	return check
}

// ID returns the id in a key's text. The error says why a text is no key; it does not repeat the text.
func ID(text string) (string, error) {
	id, ok := split(text)
	if !ok || !plain(text[len(Prefix)+idSize+1:]) {
		return "", errForm
	}
	if check := sum(text[:body]); text[body:] != string(check[:]) { // no secret: anybody can compute it
		return "", errCheck
	}
	return id, nil
}

// split returns the id in what has a key's length and prefix. Whether the rest is a key's is left to a comparison.
func split(text string) (id string, ok bool) {
	if len(text) != Size || text[:len(Prefix)] != Prefix || text[len(Prefix)+idSize] != '_' {
		return "", false
	}
	id = text[len(Prefix) : len(Prefix)+idSize]
	return id, plain(id)
}

// ParseID returns the id that somebody means by an id, with or without the prefix, or by a whole key: whoever finds one
// that has leaked need not take it apart.
func ParseID(s string) (string, error) {
	if id, err := ID(s); err == nil {
		return id, nil
	}
	id := strings.TrimPrefix(s, Prefix)
	if len(id) != idSize || !plain(id) {
		return "", errors.New("it is not the id of a key: polyvoke key ls lists them")
	}
	return id, nil
}

// plain reports whether a text has letters and digits only.
func plain(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// digest is what is kept of a key's text. A plain hash is enough: there are 256 random bits to guess, so neither a salt
// nor a slow hash, which passwords need, would add anything.
type digest [sha256.Size]byte

// digestOf returns the digest of a key's text.
func digestOf(text string) digest {
	var plain [Size]byte
	return sha256.Sum256(plain[:copy(plain[:], text)])
}

// is reports whether two digests are the same, in a time that does not depend on where they differ.
func (d *digest) is(other *digest) bool { return subtle.ConstantTimeCompare(d[:], other[:]) == 1 }
