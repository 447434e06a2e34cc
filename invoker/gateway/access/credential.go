package access

import (
	"net/http"
	"strings"
)

// Headers in which a client says who it is. What stands in a query ends up in logs and histories, so nothing is read
// there.
const (
	headerAuthorization = "Authorization"
	headerKey           = "X-Api-Key"
	scheme              = "Bearer"
)

// bearer returns the token of a request's Authorization header, and "" if there is none, or one of another scheme.
func bearer(h http.Header) (string, error) {
	value, err := one(h, headerAuthorization)
	if err != nil || len(value) <= len(scheme) || value[len(scheme)] != ' ' || !equalFold(value[:len(scheme)], scheme) {
		return "", err
	}
	return strings.Trim(value[len(scheme):], " "), nil
}

// one returns the value of a header that may be there once: of two, the next hop might see another.
func one(h http.Header, name string) (string, error) {
	switch values := h[name]; len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	default:
		return "", invalid("there are %d %s headers: send one", len(values), name)
	}
}

// equalFold reports whether two names of ASCII are the same but for case.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// lower returns a letter of ASCII in lower case, and all else as it is.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
