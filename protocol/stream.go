package protocol

import (
	"strconv"
	"strings"
)

// Bounds of a stream (section 15 of the specification).
const (
	MaxChunk     = 64 << 10 // bytes of a body that one message carries
	StreamWindow = 16       // chunks that a client lets come before it says that there is room for more
)

// RootStream is the tree in which clients tell invokers how much may come, and send them what is to go in. No function
// has such a name, and whoever may call every function may publish there.
const RootStream = RootCall + "._stream"

// BodyChunks is the value of HeaderObject of a request whose body comes in chunks. An invoker that does not know
// streams refuses the request, because it is the name of an object without a size.
const BodyChunks = "_chunks"

// IsStreamSubject reports whether a subject is one that an invoker hears clients of a stream on: RootStream, the
// invoker's token and that of the stream. What else comes as the reply subject of a chunk is not to be published on.
func IsStreamSubject(subject string) bool {
	rest, ok := strings.CutPrefix(subject, RootStream+".")
	invoker, stream, both := strings.Cut(rest, ".")
	return ok && both && literalToken(invoker) && literalToken(stream) && !strings.ContainsAny(rest, "*>") &&
		len(subject) <= MaxSubject
}

// Chunk is the place of a message in a stream.
type Chunk struct {
	Sequence uint64 // from 1, one more with each
	End      bool   // it is the last one, and carries no part of the body
}

// Put writes the place into headers.
func (c Chunk) Put(h Header) {
	h[HeaderSequence] = []string{strconv.FormatUint(c.Sequence, 10)}
	if c.End {
		h[HeaderEnd] = []string{"1"}
	}
}

// ParseChunk reads the place of a message in a stream. ok is false if the message has none. The error's code is 400.
func ParseChunk(h Header) (c Chunk, ok bool, err error) {
	text := h.Get(HeaderSequence)
	if text == "" {
		return c, false, nil
	}
	n, err := strconv.ParseUint(text, 10, 62)
	if err != nil || n == 0 {
		return c, true, Errorf(CodeBadRequest, "", "header %s: %.40q is not the number of a chunk", HeaderSequence, text)
	}
	return Chunk{Sequence: n, End: h.Get(HeaderEnd) == "1"}, true, nil
}

// Cancel is the credit that ends a stream.
const Cancel int64 = -1

// ParseCredit reads up to which number chunks may come: a number, or Cancel. The error's code is 400.
func ParseCredit(text string) (upTo int64, err error) {
	if text == "-1" {
		return Cancel, nil
	}
	n, err := strconv.ParseUint(text, 10, 62)
	if err != nil {
		return 0, Errorf(CodeBadRequest, "", "%.40q is no credit: write the number of the last chunk that may come, or -1",
			text)
	}
	return int64(n), nil
}
