package secrets

import "bytes"

// MinHidden is the length of the shortest text that is kept out of logs, in bytes: shorter ones are words that logs are
// full of.
const MinHidden = 8

// Matcher finds secrets in a text: by the automaton of Aho and Corasick ("Efficient String Matching", 1975), so that a
// byte of the text costs the same however many secrets there are. It does not change. Nil finds nothing.
type Matcher struct {
	nodes []node     // the root comes first
	first [256]int32 // children of the root, by their byte; 0: none
}

// node is a beginning of texts that are looked for.
type node struct {
	child, next int32 // first child and next sibling; 0: none
	fail        int32 // the longest other beginning that this one ends with
	depth       int32 // its length
	out         int32 // the length of the longest text that it ends with; 0: none
	c           byte  // its last byte
}

// NewMatcher returns a Matcher of values. What it looks for are their lines of MinHidden bytes and more, without the
// blanks around them, since a log has lines; if a value has none such, it is the value as a whole. It is nil if there
// is nothing to look for.
func NewMatcher(values ...[]byte) *Matcher {
	m := &Matcher{nodes: make([]node, 1)}
	for _, v := range values {
		some := false
		for line := range bytes.Lines(v) {
			some = m.add(bytes.TrimSpace(line)) || some
		}
		if !some {
			m.add(bytes.TrimSpace(v))
		}
	}
	if len(m.nodes) == 1 {
		return nil
	}
	m.link()
	return m
}

// add adds a text, if it is long enough.
func (m *Matcher) add(text []byte) bool {
	if len(text) < MinHidden {
		return false
	}
	at := int32(0)
	for _, c := range text {
		to := m.childOf(at, c)
		if to == 0 {
			to = int32(len(m.nodes))
			m.nodes = append(m.nodes, node{c: c, depth: m.nodes[at].depth + 1, next: m.nodes[at].child})
			m.nodes[at].child = to
			if at == 0 {
				m.first[c] = to
			}
		}
		at = to
	}
	m.nodes[at].out = int32(len(text))
	return true
}

// childOf returns a child of a node, or 0.
func (m *Matcher) childOf(at int32, c byte) int32 {
	if at == 0 {
		return m.first[c]
	}
	n := m.nodes[at].child
	for n != 0 && m.nodes[n].c != c {
		n = m.nodes[n].next
	}
	return n
}

// link sets where nodes lead that have no child for a byte, the shortest first.
func (m *Matcher) link() {
	line := []int32{0}
	for len(line) > 0 {
		at := line[0]
		line = line[1:]
		for n := m.nodes[at].child; n != 0; n = m.nodes[n].next {
			if at != 0 {
				m.nodes[n].fail = m.step(m.nodes[at].fail, m.nodes[n].c)
			}
			m.nodes[n].out = max(m.nodes[n].out, m.nodes[m.nodes[n].fail].out)
			line = append(line, n)
		}
	}
}

// step returns the node for what ends with a byte more.
func (m *Matcher) step(at int32, c byte) int32 {
	for {
		if n := m.childOf(at, c); n != 0 || at == 0 {
			return n
		}
		at = m.nodes[at].fail
	}
}

// Redact returns a text with secrets replaced.
func (m *Matcher) Redact(text string) string {
	if m == nil {
		return text
	}
	r := Redactor{Matcher: m}
	return string(r.Redact([]byte(text), true))
}
