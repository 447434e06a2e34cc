package protocol

import (
	"regexp"
	"strings"
)

// Roots of the subject tree (section 2 of the specification).
const (
	RootCall = "fn"           // fn.NAME[.ARG...]: call, request/reply
	RootJob  = "job"          // job.NAME[.ARG...]: durable call
	RootDead = "dead"         // dead.NAME: dead letters
	RootLog  = "log"          // log.NAME: lines of stderr
	RootAPI  = "polyvoke.api" // polyvoke.api.VERB: control

	RootLater  = "later"          // reserved: delayed calls
	RootDue    = "due"            // reserved: calls that are due
	RootSocket = "ws"             // reserved: pushes to WebSockets
	RootEvent  = "polyvoke.event" // reserved: what operators may want to know
)

// rootOwn is the first token of all trees that are about polyvoke itself, RootAPI and RootEvent among them.
const rootOwn = "polyvoke"

// QueueGroup is the queue group of all call subscriptions: each call is taken by one of the
// invokers. It is also the default of NATS services (ADR-32).
const QueueGroup = "q"

// MaxName is the length of the longest function name, in bytes.
const MaxName = 64

// Bounds of what a manifest may choose, in bytes. A subscription's line then fits a quarter of what a NATS server
// takes.
const (
	MaxSubject = 1024 // of trigger.subject and trigger.to
	MaxQueue   = 128  // of trigger.queue
)

var versionForm = regexp.MustCompile(`^([1-9][0-9]{0,8}|[A-Za-z_-][A-Za-z0-9_-]*)$`)

// Ref names a function, or one version of it.
type Ref struct {
	Name    string
	Version string // a number, an alias, or "" for the latest
}

// String returns NAME or NAME@VERSION, the form that ParseRef reads.
func (r Ref) String() string {
	if r.Version == "" {
		return r.Name
	}
	return r.Name + "@" + r.Version
}

// MarshalText implements encoding.TextMarshaler with the form of String.
func (r Ref) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler with ParseRef.
func (r *Ref) UnmarshalText(b []byte) (err error) {
	*r, err = ParseRef(string(b))
	return err
}

// CheckName returns nil if s may be the name of a function: 1 to 64 letters, digits, - and _,
// the first one a letter or a digit. It is what a NATS service and a KV key may be called.
func CheckName(s string) error {
	switch {
	case s == "":
		return Errorf(CodeBadRequest, "", "a function needs a name")
	case len(s) > MaxName:
		return Errorf(CodeBadRequest, "", "function name %.20q... is longer than %d characters", s, MaxName)
	case !plainName(s):
		return Errorf(CodeBadRequest, "", "function name %q: use letters, digits, - and _, a letter or digit first", s)
	}
	return nil
}

// plainName says so without a regular expression: every call passes here.
func plainName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && (i == 0 || c != '-' && c != '_') {
			return false
		}
	}
	return s != ""
}

// ParseRef reads NAME or NAME@VERSION.
func ParseRef(s string) (Ref, error) {
	name, version, versioned := strings.Cut(s, "@")
	if err := CheckName(name); err != nil {
		return Ref{}, err
	}
	if versioned && (len(version) > MaxName || !versionForm.MatchString(version)) {
		return Ref{}, Errorf(CodeBadRequest, "",
			"version %.80q of function %s: use a number from 1 or an alias", version, name)
	}
	return Ref{Name: name, Version: version}, nil
}

// MaxCall is the length of the longest subject of a call that clients send, in bytes: there is room for a reply subject
// beside it in a line of the protocol.
const MaxCall = DefaultLine - 256

// CallSubject returns the subject that calls ref with further arguments. Arguments become
// tokens, so each must be one or more characters without blanks, dots, * and >; all together have at most MaxCall
// bytes.
func CallSubject(ref Ref, args ...string) (string, error) {
	if _, err := ParseRef(ref.String()); err != nil {
		return "", err
	}
	for _, a := range args {
		if !literalToken(a) {
			return "", Errorf(CodeBadRequest, "",
				"argument %q cannot be a token of a subject: no blanks, dots, * or >, and not empty", a)
		}
	}
	subject := strings.Join(append([]string{RootCall, ref.String()}, args...), ".")
	if len(subject) > MaxCall {
		return "", Errorf(CodeBadRequest, "",
			"the arguments make a subject of %d bytes; NATS takes %d: send them as body", len(subject), MaxCall)
	}
	return subject, nil
}

// ParseCall reads a call's subject: the function that it names and the arguments behind.
func ParseCall(subject string) (Ref, []string, error) {
	rest, ok := strings.CutPrefix(subject, RootCall+".")
	if !ok {
		return Ref{}, nil, Errorf(CodeBadRequest, "", "subject %q is not a call: it must begin with %s.", subject, RootCall)
	}
	first, tail, more := strings.Cut(rest, ".")
	ref, err := ParseRef(first)
	if err != nil || !more {
		return ref, nil, err
	}
	args := strings.Split(tail, ".")
	for _, a := range args {
		if !literalToken(a) {
			return Ref{}, nil, Errorf(CodeBadRequest, "", "subject %q has an empty token or a blank, * or > in it", subject)
		}
	}
	return ref, args, nil
}

// literalToken reports whether s can be one token of a subject that is published to.
func literalToken(s string) bool {
	return s != "" && s != "*" && s != ">" && !strings.ContainsAny(s, " \t\r\n\f\x00.")
}

// LogSubject returns the subject of a function's log lines.
func LogSubject(name string) string { return RootLog + "." + name }

// Reserved reports whether a subject lies in one of the trees of section 2 or of the NATS server. A pattern is reserved
// if it can match such a subject. An invoker must not publish there for users that may not do so themselves. It
// allocates nothing.
func Reserved(subject string) bool {
	first, _, _ := strings.Cut(subject, ".")
	switch first {
	case RootCall, RootJob, RootDead, RootLog, RootLater, RootDue, RootSocket, rootOwn, "*", ">":
		return true
	}
	return first != "" && first[0] == '$'
}

// CheckPattern returns nil if a trigger may subscribe to the pattern, or pass on to what it matches: tokens joined by
// dots, * for any token, > at the end for one or more; nothing of polyvoke's own or of the server's, and nobody's
// inbox.
func CheckPattern(pattern string) error {
	if len(pattern) > MaxSubject {
		return Errorf(CodeRefused, "", "subject %.40q... has %d bytes; at most %d", pattern, len(pattern), MaxSubject)
	}
	tokens := strings.Split(pattern, ".")
	for i, t := range tokens {
		if t == ">" && i == len(tokens)-1 || t == "*" {
			continue
		}
		if !literalToken(t) {
			return Errorf(CodeRefused, "",
				"subject %q: token %d is empty, or has a blank in it, or > is not the last", pattern, i+1)
		}
	}
	switch {
	case pattern[0] == '$':
		return Errorf(CodeRefused, "", "subject %q belongs to the NATS server", pattern)
	case pattern[0] == '_':
		return Errorf(CodeRefused, "", "subject %q is an inbox: subjects that begin with _ are for replies",
			pattern)
	case Reserved(pattern):
		return Errorf(CodeRefused, "",
			"subject %q takes messages that polyvoke needs itself: put a token of your own first", pattern)
	}
	return nil
}

// CheckReply returns nil if an answer may be published on the reply subject of a request. line is the longest protocol
// line in bytes that the server takes. Callers choose it, and an invoker may publish where they may not. It allocates
// nothing for one that is good. The error's code is 400 or 403.
func CheckReply(reply string, line int) error {
	switch {
	case len(reply) > LongestSubject(line):
		return Errorf(CodeBadRequest, "", "reply subject %.40q... has %d bytes; NATS takes %d", reply, len(reply),
			LongestSubject(line))
	case Reserved(reply):
		return Errorf(CodeForbidden, "", "reply subject %.80q is polyvoke's or the NATS server's own: use an inbox",
			reply)
	}
	return nil
}

// Match returns the tokens of subject that the wildcards of pattern stand for, in order, and
// whether the subject matches at all. What a final > stands for is one token each.
func Match(pattern, subject string) ([]string, bool) {
	var args []string
	for {
		p, ps, pmore := strings.Cut(pattern, ".")
		s, ss, smore := strings.Cut(subject, ".")
		switch {
		case p == ">" && !pmore:
			return append(args, strings.Split(subject, ".")...), subject != ""
		case p == "*" && s != "":
			args = append(args, s)
		case p != s:
			return nil, false
		}
		if !pmore || !smore {
			return args, pmore == smore
		}
		pattern, subject = ps, ss
	}
}

// Overlap reports whether there can be a subject that matches both patterns.
func Overlap(a, b string) bool {
	for {
		at, as, amore := strings.Cut(a, ".")
		bt, bs, bmore := strings.Cut(b, ".")
		if at == ">" || bt == ">" {
			return true
		}
		if at != bt && at != "*" && bt != "*" {
			return false
		}
		if !amore || !bmore {
			return amore == bmore
		}
		a, b = as, bs
	}
}
