package secrets

// Hidden is in the place of a secret.
const Hidden = "***"

// Redactor replaces secrets in a text that comes piece by piece, whatever the pieces are. It holds back what may be the
// beginning of a secret. The zero value replaces nothing. It is for one goroutine at a time.
type Redactor struct {
	// Matcher finds the secrets. It can be set once, and later than the first piece.
	Matcher *Matcher

	at    int32  // node of Matcher
	held  []byte // not shown yet, from head on
	head  int
	begin int64  // position of held[head] in the text
	spans []span // secrets that were found in what is held; they do not touch each other
	out   []byte
}

// span is a piece of the text.
type span struct{ from, to int64 }

// Redact takes the next piece and returns what can be shown now. With last it is all that is left. The result is the
// caller's until the next call. Secrets that overlap each other are replaced as one.
func (r *Redactor) Redact(piece []byte, last bool) []byte {
	if r.Matcher == nil {
		return piece
	}
	r.out = r.out[:0]
	for len(piece) > 0 {
		if r.at == 0 && r.head == len(r.held) {
			if piece = r.skip(piece); len(piece) == 0 {
				break
			}
		}
		r.take(piece[0])
		piece = piece[1:]
	}
	if last {
		r.release(len(r.held) - r.head)
		r.at = 0
	}
	return r.out
}

// skip shows what no secret begins with, and returns the rest.
func (r *Redactor) skip(piece []byte) []byte {
	n := 0
	for n < len(piece) && r.Matcher.first[piece[n]] == 0 {
		n++
	}
	r.out = append(r.out, piece[:n]...)
	r.begin += int64(n)
	return piece[n:]
}

// take takes a byte.
func (r *Redactor) take(c byte) {
	r.held = append(r.held, c)
	r.at = r.Matcher.step(r.at, c)
	n := &r.Matcher.nodes[r.at]
	if n.out > 0 {
		end := r.begin + int64(len(r.held)-r.head)
		r.cover(span{end - int64(n.out), end})
	}
	for n.child == 0 && n.depth > 0 { // nothing goes on here, so less need wait
		r.at = n.fail
		n = &r.Matcher.nodes[r.at]
	}
	r.release(len(r.held) - r.head - int(n.depth))
}

// cover takes note of a secret that ends where the text does.
func (r *Redactor) cover(s span) {
	for n := len(r.spans); n > 0 && r.spans[n-1].to >= s.from; n-- {
		s.from = min(s.from, r.spans[n-1].from)
		r.spans = r.spans[:n-1]
	}
	r.spans = append(r.spans, s)
}

// release shows the first n bytes of what is held.
func (r *Redactor) release(n int) {
	end := r.begin + int64(n)
	for r.begin < end {
		to, hidden := end, false
		if len(r.spans) > 0 {
			s := r.spans[0]
			switch {
			case r.begin < s.from:
				to = min(end, s.from)
			default:
				to, hidden = min(end, s.to), true
			}
			if r.begin == s.from {
				r.out = append(r.out, Hidden...)
			}
		}
		part := int(to - r.begin)
		if !hidden {
			r.out = append(r.out, r.held[r.head:r.head+part]...)
		}
		r.head, r.begin = r.head+part, to
		if hidden && to == r.spans[0].to {
			r.spans = r.spans[1:]
		}
	}
	r.compact()
}

// compact forgets what was shown, when that is most of it.
func (r *Redactor) compact() {
	if r.head > len(r.held)/2 {
		r.held = r.held[:copy(r.held, r.held[r.head:])]
		r.head = 0
	}
}
