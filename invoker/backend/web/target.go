package web

import (
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// part is which of the files of a URL a name means.
type part string

// The parts of a URL's name, by what stands behind its end.
const (
	partContent part = ""
	partMethod  part = ".method"
	partHeaders part = ".headers"
	partStatus  part = ".status"
	partBody    part = ".body"
	partError   part = ".error"
)

// parts are those with an end.
var parts = [...]part{partMethod, partHeaders, partStatus, partBody, partError}

// maxTarget is the length of the longest name, in bytes.
const maxTarget = 8 << 10

// target is what a name means.
type target struct {
	host  string // in lower case; an IPv6 address without brackets
	port  string // empty: that of the scheme
	path  string // as it is sent; empty: the name is that of the host alone, a folder
	query string // as it is sent, with its "?"
	part  part
}

// invalid returns an error for a name that means nothing.
func invalid(format string, a ...any) error {
	return &failure{reason: fmt.Sprintf(format, a...), err: fs.ErrInvalid}
}

// parseTarget reads a name of a file, which is no folder above hosts.
func parseTarget(name string) (t target, err error) {
	if !fs.ValidPath(name) || name == "." {
		return t, invalid("it is no name of a file")
	}
	if len(name) > maxTarget {
		return t, invalid("it has %d bytes; at most %d", len(name), maxTarget)
	}
	origin, rest := name, ""
	if i := strings.IndexAny(name, "/?"); i >= 0 {
		origin, rest = name[:i], name[i:]
	}
	if t.host, t.port, err = parseOrigin(origin); err != nil || rest == "" {
		return t, err
	}
	rest, t.part = cutPart(rest)
	path, query, has := strings.Cut(rest, "?")
	if t.path, err = parsePath(strings.TrimPrefix(path, "/")); err != nil || !has {
		return t, err
	}
	query, err = escape(query, "/?")
	t.query = "?" + query
	return t, err
}

// cutPart takes the end of a name that says which part is meant, if there is anything before it.
func cutPart(name string) (string, part) {
	for _, p := range parts {
		if base, ok := strings.CutSuffix(name, string(p)); ok && base != "" && !strings.HasSuffix(base, "/") {
			return base, p
		}
	}
	return name, partContent
}

// key returns what is the same for all parts of a URL, and for no other URL.
func (t target) key() string { return t.origin() + t.path + t.query }

// origin returns the host and port as a name begins with them.
func (t target) origin() string { return hostPort(t.host, t.port) }

// hostPort returns a host and port as a URL has them. port may be empty.
func hostPort(host, port string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" {
		host += ":" + port
	}
	return host
}

// parseOrigin reads HOST[:PORT].
func parseOrigin(s string) (host, port string, err error) {
	host = strings.ToLower(s)
	if strings.Contains(s, "@") {
		return "", "", invalid("it has a user in front of the host: send an Authorization header instead")
	}
	end := strings.LastIndexByte(host, ']')
	if i := strings.LastIndexByte(host, ':'); i > end {
		host, port = host[:i], host[i+1:]
		if n, err := strconv.Atoi(port); err != nil || strconv.Itoa(n) != port || n < 1 || n > 65535 {
			return "", "", invalid("its port %.20q must be 1 to 65535", port)
		}
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		a, err := netip.ParseAddr(inner)
		if err != nil || !closed || !a.Is6() || a.Zone() != "" {
			return "", "", invalid("its host is no IPv6 address such as [2001:db8::1]")
		}
		return a.String(), port, nil
	}
	return host, port, checkHost(host)
}

// checkHost returns what is wrong with a host in lower case that is no IPv6 address. A name that ends with a number is
// an address to those who parse URLs as browsers do (url.spec.whatwg.org, "ends in a number"): only the form with four
// decimal numbers is taken, for that means the same to everybody.
func checkHost(host string) error {
	if host == "" || len(host) > 253 {
		return invalid("its host has %d bytes; it must have 1 to 253", len(host))
	}
	last := ""
	for last = range strings.SplitSeq(host, ".") {
		if last == "" || len(last) > 63 || last[0] == '-' || last[len(last)-1] == '-' ||
			strings.Trim(last, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return invalid("its host has a label %.70q, which no name of a host has", last)
		}
	}
	if !isNumber(last) {
		return nil
	}
	if a, err := netip.ParseAddr(host); err != nil || !a.Is4() {
		return invalid("its host ends with a number, but is no address of four decimal numbers, such as 192.0.2.1")
	}
	return nil
}

// isNumber reports whether a label is a number, decimal, octal or hexadecimal.
func isNumber(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

// parsePath returns a path as it is sent, from one without its first slash in which "%" is an empty segment.
func parsePath(s string) (string, error) {
	var b strings.Builder
	for segment := range strings.SplitSeq(s, "/") {
		b.WriteByte('/')
		if segment == "%" {
			continue
		}
		escaped, err := escape(segment, "")
		if err != nil {
			return "", err
		}
		b.WriteString(escaped)
	}
	return b.String(), checkPath(b.String())
}

// checkPath returns what is wrong with an escaped path: whoever resolves dots or escapes first, even those of escapes,
// must see the same path as those who do not. What follows a ";" is a parameter to some.
func checkPath(path string) error {
	for range 4 {
		for segment := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' || r == '\\' }) {
			segment, _, _ = strings.Cut(segment, ";")
			if segment == "." || segment == ".." {
				return invalid("its path has a segment %q, which servers take away: write the path that is meant", segment)
			}
		}
		plain, err := url.PathUnescape(path)
		if strings.ContainsFunc(plain, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return invalid("its path has a control character")
		}
		if err != nil || plain == path {
			return nil
		}
		path = plain
	}
	return invalid("its path is escaped several times")
}

// unreserved are the characters that mean the same escaped and not (RFC 3986, 2.3).
const unreserved = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"

// escape returns a part of a URL as it is sent. also are the characters that this part may have besides those that
// a segment of a path may.
func escape(s, also string) (string, error) {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c, escaped := s[i], false
		if c == '%' {
			if i+2 >= len(s) {
				return "", invalid("it has a %% that begins no escape such as %%2F: write %%25")
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", invalid("it has a %% that begins no escape such as %%2F: write %%25")
			}
			c, escaped, i = byte(n), true, i+2
		}
		plain := strings.IndexByte(unreserved, c) >= 0 || !escaped && strings.IndexByte("!$&'()*+,;=:@"+also, c) >= 0
		switch {
		case !escaped && (c < ' ' || c == 0x7f):
			return "", invalid("it has a control character")
		case plain:
			b = append(b, c)
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b), nil
}
