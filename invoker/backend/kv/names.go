package kv

import (
	"io/fs"
	"strings"

	"github.com/polyvoke/polyvoke/protocol"
)

// MaxKey is how many bytes a key has at most.
const MaxKey = 1000

// internal is what polyvoke's own keys in a granted bucket begin with. They do not exist for processes.
const internal = "_fn/"

// validKey reports whether a name is a key that NATS takes, and a path that a Tree takes.
func validKey(name string) bool {
	if len(name) > MaxKey || name == "." || !fs.ValidPath(name) {
		return false
	}
	if name[0] == '.' || name[len(name)-1] == '.' || strings.Contains(name, "..") {
		return false // an empty token of a subject
	}
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte("-/_=.", c) < 0:
			return false
		}
	}
	return true
}

// isInternal reports whether a key, or a folder, is polyvoke's own.
func isInternal(name string) bool {
	return strings.HasPrefix(name, internal) || name+"/" == internal
}

// pattern says which keys a grant covers. "*" is any characters, slashes included. The empty pattern covers all keys.
type pattern string

// matches reports whether the grant covers a key.
func (p pattern) matches(key string) bool { return protocol.Grant{Keys: string(p)}.Covers(key) }

// reaches reports whether the grant can cover a key that begins with prefix.
func (p pattern) reaches(prefix string) bool {
	fixed, _, any := strings.Cut(string(p), "*")
	if p == "" || any && len(prefix) >= len(fixed) {
		// Whatever the star and what follows it have to match can follow the prefix.
		return strings.HasPrefix(prefix, fixed)
	}
	return strings.HasPrefix(fixed, prefix)
}

// above calls do for each folder that leads to a name, the nearest first, until do returns false.
func above(name string, do func(folder string) bool) {
	for i := strings.LastIndexByte(name, '/'); i > 0; i = strings.LastIndexByte(name[:i], '/') {
		if !do(name[:i]) {
			return
		}
	}
}

// below returns the prefix that all names below a folder have.
func below(folder string) string {
	if folder == "." {
		return ""
	}
	return folder + "/"
}
