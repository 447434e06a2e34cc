package protocol

import (
	"crypto/sha256"
	"encoding/base32"
	"net/textproto"
	"strings"
)

// Jobs of a function with job.key stand in a line for each key, in the stream TurnStream. An entry of a line is a job,
// on EntrySubject. The first one of a line has the turn: a copy of it on TurnSubject, of which there is one at a time.

const (
	streamTurn = "FN_TURN_"        // and NAME: the lines of a function's keys
	rootTurn   = rootOwn + ".turn" // where invokers publish entries of lines, and turns
)

// TurnStream returns the name of the stream that has the lines of a function's keys.
func TurnStream(name string) string { return streamTurn + name }

// TurnOwner returns the function whose lines a stream has. It returns false for any other stream.
func TurnOwner(stream string) (name string, ok bool) {
	name, ok = strings.CutPrefix(stream, streamTurn)
	return name, ok && CheckName(name) == nil
}

// TurnSubject returns the subject of the job of a line that may run. A line of "*" is all lines.
func TurnSubject(name, line string) string { return rootTurn + "." + name + "." + line }

// EntrySubject returns the subject of a job that stands in a line. "*" is all lines, or all ids.
func EntrySubject(name, line, id string) string { return TurnSubject(name, line) + "." + id }

// TurnsOfAll matches TurnSubject, EntrySubject and RankSubject of all functions.
const TurnsOfAll = rootTurn + ".>"

// parseTurn reads the form of TurnSubject.
func parseTurn(subject string) (name, line string, ok bool) {
	rest, ok := strings.CutPrefix(subject, rootTurn+".")
	name, line, found := strings.Cut(rest, ".")
	if !ok || !found || CheckName(name) != nil || !isLine(line) {
		return "", "", false
	}
	return name, line, true
}

// isLine reports whether a line can have the name.
func isLine(s string) bool { return len(s) == lineLength && !strings.ContainsAny(s, ".*>") }

// IsTurn reports whether a subject is one of TurnSubject.
func IsTurn(subject string) bool {
	_, _, ok := parseTurn(subject)
	return ok
}

// ParseEntrySubject reads the form of EntrySubject.
func ParseEntrySubject(subject string) (name, line, id string, ok bool) {
	turn, id := subject[:max(0, strings.LastIndexByte(subject, '.'))], subject[strings.LastIndexByte(subject, '.')+1:]
	name, line, ok = parseTurn(turn)
	return name, line, id, ok && checkJobID(id) == nil
}

// lineEncoding makes names of lines, which are tokens of subjects.
var lineEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// lineLength is the length of a line's name: 128 bits are enough for no two keys to have the same.
const lineLength = 26

// MaxKeyArg is the highest argument that a JobKey can name.
const MaxKeyArg = 64

// JobKey says what the key of a job is: one of its arguments, or one of its headers. The zero value is none.
type JobKey struct {
	Arg    int    // from 1; 0: a header
	Header string // in the form of the specification
}

// headerWord is what JobKey's form begins with where the key is a header.
const headerWord = "header "

// ParseKey reads {N}, the Nth argument, or "header NAME". Empty is none.
func ParseKey(s string) (k JobKey, err error) {
	if s == "" {
		return k, nil
	}
	if name, ok := strings.CutPrefix(s, headerWord); ok && headerName(name) {
		return JobKey{Header: textproto.CanonicalMIMEHeaderKey(name)}, nil
	}
	if n, ok := placeholder(s); ok && n <= MaxKeyArg {
		return JobKey{Arg: n}, nil
	}
	return k, Errorf(CodeRefused, "", `%.60q: write "{1}" to "{%d}" for an argument, or "header NAME"`, s, MaxKeyArg)
}

// headerName reports whether a header can have the name, and is no header of NATS or of polyvoke's invokers.
func headerName(s string) bool {
	other := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r) }
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, other) && !strings.HasPrefix(strings.ToLower(s), "nats-")
}

// Line returns the name of the line in which a job stands: that of its key. A job that has no such argument or header, or
// an empty one, has no key: it has a line of its own, which id makes.
func (k JobKey) Line(r *Request, id string) string {
	value, kind := "", "key "
	switch {
	case k.Arg > 0 && k.Arg <= len(r.Args):
		value = r.Args[k.Arg-1]
	case k.Header != "":
		value = r.Header.Get(k.Header)
	}
	if value == "" {
		value, kind = id, "id "
	}
	sum := sha256.Sum256([]byte(kind + value))
	return lineEncoding.EncodeToString(sum[:16])
}
