package subjects

import (
	"bytes"
	"strings"
	"unsafe"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// Read makes r the request that a message of a subscription of a function is. What is wrong with it is an error, and
// the rest is read all the same. The body is not copied. The message must be one that the client library has received.
func Read(r *protocol.Request, function string, m *nats.Msg) (err error) {
	const call = protocol.RootCall + "."
	h, broken := header(m)
	pattern := m.Sub.Subject
	triggered := len(pattern) <= len(call) || pattern[:len(call)] != call
	if !triggered && len(m.Subject) != len(call)+len(function) {
		*r, err = protocol.ParseRequest(m.Subject, h, m.Data)
	} else {
		// Of fn.NAME the server has compared the letters.
		r.Function.Name, r.Subject, r.Body = function, m.Subject, m.Data
		if triggered {
			r.Trigger = protocol.TriggerKey{Subject: pattern, Queue: m.Sub.Queue}
			r.Args, err = arguments(pattern, m.Subject)
		}
		if bad := r.ReadHeader(h); bad != nil {
			err = bad
		}
	}
	if broken != nil {
		err = broken
	}
	return err
}

// arguments returns what a trigger's wildcards stand for in the subject of a message. A NUL byte, which no argument
// can have, is an error.
func arguments(pattern, subject string) ([]string, error) {
	if strings.IndexByte(subject, 0) >= 0 {
		return nil, protocol.Errorf(protocol.CodeBadRequest, "",
			"subject %.80q has a NUL byte, which an argument cannot have", subject)
	}
	args, _ := protocol.Match(pattern, subject)
	return args, nil
}

// header returns the headers of a message. Those that the client library has not understood, or not as a whole, are
// read anew: it drops a block with a broken line, a line without a name, and all behind an empty line, without a
// word; and it does not keep the order of names that differ in case only. It has understood all if each line but the
// first and the last has given a value, and the first none: what follows a status there would count as two.
func header(m *nats.Msg) (protocol.Header, error) {
	h := protocol.Header(m.Header)
	size := m.Size() - len(m.Subject) - len(m.Reply) - len(m.Data)
	if size == 0 {
		return h, nil
	}
	values := 0
	for _, list := range h {
		values += len(list)
	}
	all := block(m, size)
	if h != nil && isPlain(all) && bytes.Count(all, []byte{'\n'}) == values+2 && !h.Folds() {
		return h, nil
	}
	return protocol.ParseHeader(all)
}

// isPlain reports whether a block of headers begins with a line without a status, and ends with one.
func isPlain(all []byte) bool {
	rest, ok := bytes.CutPrefix(all, []byte("NATS/1.0"))
	rest = bytes.TrimPrefix(rest, []byte("\r"))
	return ok && len(rest) > 0 && rest[0] == '\n' && rest[len(rest)-1] == '\n'
}

// block returns the headers of a message as they came. The client library leaves them in front of the body, in the
// same array, and of an empty body in its place. TestHeaderBlocks of package invoker fails if a new version of it
// does not. The message must be one that it has received.
func block(m *nats.Msg, size int) []byte {
	begin := unsafe.Pointer(unsafe.SliceData(m.Data))
	if cap(m.Data) > 0 {
		begin = unsafe.Add(begin, -size)
	}
	return unsafe.Slice((*byte)(begin), size)
}
