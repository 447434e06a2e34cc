package protocol

import (
	"slices"
	"strings"
)

// Env returns the part of the environment that describes the request to a process with meta = "env" (section 5 of the
// specification). The manifest's part comes behind it, and wins where both have a name. The entries are NAME=value,
// each name once, in the manner of CGI (RFC 3875, section 4.1.18). If several headers have the same entry, the first
// counts in the order of their names in lower case: X_User cannot replace X-User.
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
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
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
