package protocol

import "strings"

// Env returns what a process with meta = "env" learns about its request from its environment, besides the manifest's
// (section 5 of the specification), as NAME=value entries in no particular order. It is the manner
// of CGI (RFC 3875, section 4.1.18).
func (r *Request) Env(id string) []string {
	env := []string{"FN_ID=" + id, "FN_SUBJECT=" + r.Subject}
	for name, values := range r.Header {
		value := strings.Join(values, ", ")
		if !strings.ContainsRune(value, 0) { // no entry can have it
			env = append(env, "HEADER_"+strings.Map(variable, name)+"="+value)
		}
	}
	return env
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
