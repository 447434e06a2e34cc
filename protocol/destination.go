package protocol

import (
	"strconv"
	"strings"
)

// MaxHops is how often one message and what became of it can be passed on by triggers. Only a loop of functions gets
// there.
const MaxHops = 16

// Destination returns the subject on which the reply to a message is passed on: To, with what the wildcards of Pattern
// stand for in the message's subject. It is "" for a trigger that passes nothing on. The error's code is 400 if the
// subject does not match. It is 400 too if the result cannot be published on, or is reserved.
func (t Trigger) Destination(subject string) (string, error) {
	if t.To == "" {
		return "", nil
	}
	var args []string
	if pattern := t.Pattern(); pattern != "" {
		var ok bool
		if args, ok = Match(pattern, subject); !ok {
			return "", Errorf(CodeBadRequest, "", "subject %.80q is none of %s", subject, pattern)
		}
	}
	tokens := strings.Split(t.To, ".")
	for i, token := range tokens {
		n, ok := placeholder(token)
		switch {
		case !ok:
		case n > t.wildcards():
			return "", Errorf(CodeBadRequest, "", "to = %q: %s has no wildcard %d", t.To, t.forWildcards(), n)
		case n == t.wildcards() && t.open():
			tokens[i] = strings.Join(args[n-1:], ".")
		default:
			tokens[i] = args[n-1]
		}
	}
	to := strings.Join(tokens, ".")
	if Reserved(to) || strings.HasPrefix(to, "_") {
		return "", Errorf(CodeBadRequest, "", "subject %.80q is reserved: functions cannot pass messages on to it", to)
	}
	for token := range strings.SplitSeq(to, ".") {
		if !literalToken(token) {
			return "", Errorf(CodeBadRequest, "",
				"subject %.80q cannot be published on: it has an empty token or a blank, * or > in it", to)
		}
	}
	return to, nil
}

// DestinationPattern returns the pattern of the subjects that Destination can return, or "" if there are none. The
// trigger must have passed the manifest's Check.
func (t Trigger) DestinationPattern() string {
	tokens := strings.Split(t.To, ".")
	for i, token := range tokens {
		n, ok := placeholder(token)
		if !ok {
			continue
		}
		tokens[i] = "*"
		if n == t.wildcards() && t.open() {
			tokens[i] = ">"
		}
	}
	return strings.Join(tokens, ".")
}

// forWildcards names what has the wildcards that To can speak of, or has none.
func (t Trigger) forWildcards() string {
	if pattern := t.Pattern(); pattern != "" {
		return pattern
	}
	if t.Batch > 0 {
		return "a batch"
	}
	return t.String()
}

// wildcards returns how many wildcards the trigger's pattern has.
func (t Trigger) wildcards() int {
	n := 0
	for token := range strings.SplitSeq(t.Pattern(), ".") {
		if token == "*" || token == ">" {
			n++
		}
	}
	return n
}

// open reports whether the last wildcard stands for any number of tokens.
func (t Trigger) open() bool {
	pattern := t.Pattern()
	return pattern == ">" || strings.HasSuffix(pattern, ".>")
}

// placeholder reads the token {N}, which means what the Nth wildcard stands for.
func placeholder(token string) (n int, ok bool) {
	if len(token) < 3 || token[0] != '{' || token[len(token)-1] != '}' {
		return 0, false
	}
	digits := token[1 : len(token)-1]
	n, err := strconv.Atoi(digits)
	return n, err == nil && n > 0 && digits == strconv.Itoa(n)
}

// checkTo returns what is wrong with To.
func (t Trigger) checkTo() error {
	if t.To == "" {
		return nil
	}
	if len(t.To) > MaxSubject {
		return Errorf(CodeRefused, "", "to = %.40q... has %d bytes; at most %d", t.To, len(t.To), MaxSubject)
	}
	tokens := strings.Split(t.To, ".")
	for i, token := range tokens {
		n, ok := placeholder(token)
		switch {
		case token == "*" || token == ">":
			return Errorf(CodeRefused, "",
				"to = %q: a message has one subject: write {1} for what the first wildcard of %s stands for, and so on",
				t.To, t.forWildcards())
		case !ok && strings.ContainsAny(token, "{}"):
			return Errorf(CodeRefused, "", "to = %q: token %q must be {1}, {2} and so on, or have no braces", t.To, token)
		case ok && n > t.wildcards():
			return Errorf(CodeRefused, "", "to = %q: %s has no wildcard %d", t.To, t.forWildcards(), n)
		case ok && n == t.wildcards() && t.open() && i < len(tokens)-1:
			return Errorf(CodeRefused, "", "to = %q: %s stands for any number of tokens, so it must be the last", t.To, token)
		}
	}
	if err := CheckPattern(t.DestinationPattern()); err != nil {
		return Errorf(CodeRefused, "", "to = %q: %w", t.To, err)
	}
	return nil
}
