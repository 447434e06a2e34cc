package functions

import (
	"strings"

	"github.com/polyvoke/polyvoke/protocol"
)

// The files beside that of an exchange, by what follows the last dot: neither functions nor arguments have dots.
const (
	sideBody    = ""        // the exchange itself
	sideHeaders = "headers" // written: those of the request; read: those of the reply
	sideStatus  = "status"  // the code of the reply, 200 for success
	sideError   = "error"   // what is wrong, as JSON
)

// target is what a path below /fn means.
type target struct {
	path string // of the exchange
	ref  protocol.Ref
	args []string
	side string // one of the constants
}

// parsePath reads NAME[@VERSION][/ARG...][.SIDE]. It reports false for what can be no call.
func parsePath(name string) (t target, ok bool) {
	t.path = name
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		switch t.side = name[dot+1:]; t.side {
		case sideHeaders, sideStatus, sideError:
			t.path = name[:dot]
		default:
			return target{}, false
		}
	}
	all := strings.Split(t.path, "/")
	ref, err := protocol.ParseRef(all[0])
	if err != nil {
		return target{}, false
	}
	t.ref, t.args = ref, all[1:]
	for _, a := range t.args {
		if strings.ContainsFunc(a, cannotCall) {
			return target{}, false
		}
	}
	if _, err := protocol.CallSubject(t.ref, t.args...); err != nil {
		return target{}, false
	}
	return t, true
}

// cannotCall reports whether a character can be in no argument: a wildcard, or one that nobody sees.
func cannotCall(c rune) bool { return c <= ' ' || c == 0x7f || c == '*' || c == '>' || c == '\ufffd' }
