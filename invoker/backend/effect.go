package backend

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/polyvoke/polyvoke/protocol"
)

// EffectID returns the id of the nth effect, from 1, that a call with an id has outside: of a call of another function,
// of a message. A repetition of the call that does the same in the same order has the same ids, so that whoever gets
// one twice can know it. kind keeps apart what is counted apart. It has at most protocol.MaxID bytes: a long id of a
// call is a digest in it.
func EffectID(id, kind string, n int) string {
	suffix := "." + kind + strconv.Itoa(n)
	if len(id)+len(suffix) > protocol.MaxID {
		sum := sha256.Sum256([]byte(id))
		id = hex.EncodeToString(sum[:16])
	}
	return id + suffix
}
