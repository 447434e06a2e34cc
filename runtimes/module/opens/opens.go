// Package opens finds what a program is likely to open, by the strings in it. In go the bytes of a module or the text
// of a script; out come paths such as /kv/stock. It is a guess: a path that a program makes of parts is not found, and
// one that is found need not be opened.
package opens

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
)

// Bounds of what is found.
const (
	Most    = 64  // paths
	maxName = 251 // bytes of a name
)

// roots are what paths begin with, by what follows.
var roots = []struct {
	folder string
	name   func(rest []byte) string // returns what stands there, or ""
	inside bool                     // it can be in the middle of a word, as in the data of Go, which has no ends of strings
}{
	{"/kv/", plain, true}, {"/obj/", plain, false}, {"/fn/", plain, false}, {"/secret/", plain, false},
	{"/http/", host, false}, {"/pub/", subject, false}, {"/sql/", database, true},
}

// InModule returns what the data of a module names, sorted: the bucket, function, secret, subject, host or database,
// below its folder. The module must be well formed.
func InModule(b []byte) []string {
	const header, data = 8, 11
	f := finder{}
	for at := header; at < len(b); {
		id := b[at]
		size, n := binary.Uvarint(b[at+1:])
		at += 1 + max(n, 0)
		if n <= 0 || size > uint64(len(b)-at) {
			break
		}
		if id == data {
			f.look(b[at : at+int(size)])
		}
		at += int(size)
	}
	return f.paths()
}

// InText returns what a text names, as InModule does.
func InText(texts ...[]byte) []string {
	f := finder{}
	for _, t := range texts {
		f.look(t)
	}
	return f.paths()
}

// finder keeps what was found.
type finder map[string]bool

// look finds paths in some bytes.
func (f finder) look(b []byte) {
	for _, r := range roots {
		for rest := b; len(f) < Most; {
			i := bytes.Index(rest, []byte(r.folder))
			if i < 0 {
				break
			}
			before := i > 0 && (nameByte(rest[i-1]) || rest[i-1] == '/')
			rest = rest[i+len(r.folder):]
			if before && !r.inside {
				continue
			}
			if name := r.name(rest); name != "" {
				f[r.folder+name] = true
			}
		}
	}
}

// paths returns what was found, sorted.
func (f finder) paths() []string {
	var all []string
	for p := range f {
		all = append(all, p)
	}
	slices.Sort(all)
	return all
}

// nameByte reports whether a name has a character.
func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// cut returns the beginning of rest that has only some characters, and the one behind it, or 0.
func cut(rest []byte, good func(c byte) bool) (name string, next byte) {
	rest = rest[:min(len(rest), maxName+1)]
	n := slices.IndexFunc(rest, func(c byte) bool { return !good(c) })
	if n < 0 {
		return string(rest), 0
	}
	return string(rest[:n]), rest[n]
}

// plain returns the name of a bucket, a function or a secret, if it ends where one does: not at a character that stands
// for others, as in a format.
func plain(rest []byte) string {
	name, next := cut(rest, nameByte)
	if len(name) > maxName || strings.IndexByte("%{$@*<", next) >= 0 && next != 0 {
		return ""
	}
	return name
}

// host returns a host and its port.
func host(rest []byte) string {
	name, next := cut(rest, func(c byte) bool { return nameByte(c) || c == '.' || c == ':' })
	if !strings.Contains(name, ".") || strings.HasPrefix(name, ".") || strings.IndexByte("%{$*<", next) >= 0 && next != 0 {
		return ""
	}
	return strings.TrimRight(name, ".:")
}

// subject returns a subject, with dots.
func subject(rest []byte) string {
	name, next := cut(rest, func(c byte) bool { return nameByte(c) || c == '.' || c == '/' })
	if next != 0 && next != '"' && next != '\'' && next != '`' {
		return ""
	}
	return strings.Trim(strings.ReplaceAll(name, "/", "."), ".")
}

// database returns the name of a database.
func database(rest []byte) string {
	name, _ := cut(rest, nameByte)
	if name == "" || !bytes.HasPrefix(rest[len(name):], []byte(".db")) {
		return ""
	}
	return name + ".db"
}
