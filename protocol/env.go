package protocol

import (
	"cmp"
	"slices"
	"strings"
)

// Env returns the part of the environment that describes the request to a process with meta = "env" (section 5 of the
// specification). The manifest's part comes behind it, and wins where both have a name. The entries are NAME=value,
// each name once, in the manner of CGI (RFC 3875, section 4.1.18). If several headers have the same entry, one counts
// whose name has letters, digits and hyphens only: neither X_User nor X!User can replace X-User. Else it is the first in
// the order of their names in lower case.
//
// # Errors
//
// A NUL byte, which no entry can have, is an Error with CodeBadRequest.
func (r *Request) Env(id string) ([]string, error) {
	env := []string{"FN_ID=" + id, "FN_SUBJECT=" + r.Subject}
	names := make([]string, 0, len(r.Header))
	for name := range r.Header {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(odd(a)-odd(b), strings.Compare(strings.ToLower(a), strings.ToLower(b)))
	})
	taken := make(map[string]bool, len(names))
	for _, name := range names {
		variable := "HEADER_" + strings.Map(variable, name)
		if !taken[variable] {
			taken[variable] = true
			env = append(env, variable+"="+strings.Join(r.Header[name], ", "))
		}
	}
	for _, e := range env {
		if strings.IndexByte(e, 0) >= 0 {
			name, _, _ := strings.Cut(e, "=")
			return nil, Errorf(CodeBadRequest, "",
				"the value of %s has a NUL byte, which an environment cannot have", name)
		}
	}
	return env, nil
}

// variable returns what stands for a character of a header's name in that of a variable.
func variable(c rune) rune {
	switch {
	case 'a' <= c && c <= 'z':
		return c - 'a' + 'A'
	case 'A' <= c && c <= 'Z' || '0' <= c && c <= '9':
		return c
	}
	return '_'
}

// ambiguous reports whether a variable has an underscore for a character which stands for a hyphen usually.
func ambiguous(c rune) bool { return c != '-' && variable(c) == '_' }

// odd returns 1 for a header whose variable may be that of another one with hyphens, and 0 for others.
func odd(name string) int {
	if strings.ContainsFunc(name, ambiguous) {
		return 1
	}
	return 0
}
