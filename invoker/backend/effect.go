package backend

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/polyvoke/polyvoke/protocol"
)

// EffectID returns the id of the nth effect, from 1, that a call has outside: a call of another function, a message, a
// request. A repetition of the call that does the same in the same order has the same ids, so a receiver that gets one
// twice can recognise it. kind separates what is counted separately. The result has at most protocol.MaxID bytes: if
// the id of the call is too long for that, a digest stands in its place.
func EffectID(id, kind string, n int) string {
	suffix := "." + kind + strconv.Itoa(n)
	if len(id)+len(suffix) > protocol.MaxID {
		sum := sha256.Sum256([]byte(id))
		id = hex.EncodeToString(sum[:16])
	}
	return id + suffix
}
