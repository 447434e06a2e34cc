package web

import (
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// reserved are the headers that no function sets: those of the connection, and those that say how long a body is.
var reserved = []string{"Connection", "Content-Length", "Expect", "Host", "Http2-Settings", "Keep-Alive",
	"Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// travelling are the headers that go to another origin, too, if a redirect leads there.
var travelling = []string{"Accept", "Accept-Language", "Cache-Control", "Content-Language", "Content-Type", "User-Agent"}

// maxHeaders is how many lines PATH.headers may have.
const maxHeaders = 100

// parseHeaders reads PATH.headers as a function has written it.
func parseHeaders(text string) (http.Header, error) {
	h := http.Header{}
	lines := 0
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSuffix(line, "\r"); strings.TrimSpace(line) == "" {
			continue
		}
		if lines++; lines > maxHeaders {
			return nil, invalid("PATH.headers has more than %d lines", maxHeaders)
		}
		name, value, ok := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if !ok || !isToken(name) || strings.ContainsFunc(value, isControl) {
			return nil, invalid("%.60q is no header: write Name: value", line)
		}
		name = textproto.CanonicalMIMEHeaderKey(name)
		if slices.Contains(reserved, name) {
			return nil, invalid("the header %s is not for a function to set", name)
		}
		h[name] = append(h[name], value)
	}
	return h, nil
}

// isToken reports whether a name is one of a header (RFC 9110, 5.6.2).
func isToken(name string) bool {
	const others = "!#$%&'*+-.^_`|~"
	return name != "" && strings.Trim(name, others+"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}

// isControl reports whether a character can be in no value of a header.
func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// formatHeaders returns headers as PATH.headers shows them, sorted.
func formatHeaders(h http.Header) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			b.WriteString(name)
			b.WriteString(": ")
			b.WriteString(value)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// sizeOf returns how many bytes headers take, about.
func sizeOf(h http.Header) (n int64) {
	for name, values := range h {
		for _, value := range values {
			n += int64(len(name) + len(value) + 32)
		}
	}
	return n
}

// forOrigin returns the headers that may go to an origin other than the one they were set for.
func forOrigin(h http.Header) http.Header {
	out := http.Header{}
	for _, name := range travelling {
		if values := h[name]; values != nil {
			out[name] = values
		}
	}
	return out
}
