package publish

import (
	"strings"
	"unicode/utf8"

	"github.com/polyvoke/polyvoke/protocol"
)

// pattern is a granted pattern of subjects.
type pattern struct {
	text   string
	tokens []string
	ops    int // how many messages a run may send by it
}

// tokensOf returns the tokens that a path names, or false if no subject to publish on has or begins with them.
func tokensOf(name string) (tokens []string, ok bool) {
	if len(name) > protocol.MaxSubject || !utf8.ValidString(name) || strings.ContainsFunc(name, noneOfSubject) {
		return nil, false
	}
	subject := strings.ReplaceAll(name, "/", ".")
	if protocol.Reserved(subject) || subject[:min(1, len(subject))] == "_" {
		return nil, false
	}
	tokens = strings.Split(subject, ".")
	for _, t := range tokens {
		if t == "" {
			return nil, false
		}
	}
	return tokens, true
}

// noneOfSubject reports whether a character can be in no subject to publish on: a wildcard, a blank, or one that nobody
// sees.
func noneOfSubject(c rune) bool { return c <= ' ' || c == 0x7f || c == '*' || c == '>' }

// grantOf returns the index of the first pattern that matches a subject, or -1.
func (r *resource) grantOf(tokens []string) int {
	subject := strings.Join(tokens, ".")
	for i, p := range r.granted {
		if _, ok := protocol.Match(p.text, subject); ok {
			return i
		}
	}
	return -1
}

// rest returns what of a pattern can follow some tokens. It is empty if nothing can, or if they do not match.
func (p *pattern) rest(tokens []string) []string {
	for i, t := range tokens {
		switch {
		case i >= len(p.tokens):
			return nil
		case p.tokens[i] == ">":
			return p.tokens[i:]
		case p.tokens[i] != "*" && p.tokens[i] != t:
			return nil
		}
	}
	return p.tokens[len(tokens):]
}

// isFolder reports whether some granted subject begins with tokens, and has more.
func (r *resource) isFolder(tokens []string) bool {
	for i := range r.granted {
		if len(r.granted[i].rest(tokens)) > 0 {
			return true
		}
	}
	return false
}
