package protocol

import (
	"net/url"
	"slices"
	"strings"
)

// Bounds of a pattern of HTTP.
const (
	MaxPattern  = 512 // bytes
	MaxWildcard = 64  // bytes of a wildcard's name
)

// HTTPPattern is a pattern of a route, as net/http's ServeMux knows them: "[METHOD ][HOST]/PATH". All that it is, a
// ServeMux takes.
type HTTPPattern struct {
	Method   string // empty: any
	Host     string // empty: any
	Segments []HTTPSegment
}

// HTTPSegment is one segment of a pattern's path. The last one of a path that ends with a slash is Wild and Multi, and
// has no name. That of {$} is the text "/".
type HTTPSegment struct {
	Text  string // of a literal, unescaped; else the wildcard's name
	Wild  bool   // any segment
	Multi bool   // any segments, also an empty one
}

// HTTPParam is a value of a wildcard.
type HTTPParam struct{ Name, Value string }

// ParseHTTPPattern reads a pattern. It refuses what a ServeMux does, and besides what could never match, or could not
// be a header: what is not ASCII, a path that is not clean, an escape that is none, wildcards that differ in case only.
// The error's code is 422.
func ParseHTTPPattern(s string) (HTTPPattern, error) {
	refuse := func(format string, a ...any) (HTTPPattern, error) {
		return HTTPPattern{}, Errorf(CodeRefused, "", "%.80q "+format, append([]any{s}, a...)...)
	}
	if len(s) > MaxPattern {
		return refuse("has %d bytes; at most %d", len(s), MaxPattern)
	}
	var p HTTPPattern
	method, rest, found := strings.Cut(s, " ")
	if !found {
		method, rest = "", method
	}
	if p.Method = method; found && !plainMethod(method) {
		return refuse("begins with no method: write one such as GET in capitals, a blank, and the path")
	}
	slash := strings.IndexByte(rest, '/')
	if slash < 0 {
		return refuse(`has no path: write one such as "GET /orders/{id}"`)
	}
	if p.Host, rest = rest[:slash], rest[slash:]; !plainHost(p.Host) {
		return refuse("has %q in front of its path, which is no host: write its name in lower case, without a port",
			p.Host)
	}
	if !printable(rest) || strings.ContainsAny(rest, " ?#") {
		return refuse("has a character in its path that no path has: write it as an escape, such as %%20")
	}
	var err error
	if p.Segments, err = parseSegments(rest[1:]); err != nil {
		return refuse("%w", err)
	}
	return p, nil
}

// parseSegments reads the path of a pattern, without the slash in front.
func parseSegments(path string) ([]HTTPSegment, error) {
	var all []HTTPSegment
	seen := map[string]bool{} // names in lower case
	for {
		text, rest, more := strings.Cut(path, "/")
		if text == "" && !more {
			return append(all, HTTPSegment{Wild: true, Multi: true}), nil
		}
		seg, err := parseSegment(text)
		switch lower := strings.ToLower(seg.Text); {
		case err != nil:
			return nil, err
		case more && (seg.Multi || seg.Text == "/"):
			return nil, Errorf(CodeRefused, "", "has %s before its end: it can only be the last", text)
		case seg.Wild && seen[lower]:
			return nil, Errorf(CodeRefused, "", "has two wildcards {%s}: give each a name of its own, in lower case", seg.Text)
		case seg.Wild:
			seen[lower] = true
		}
		if all = append(all, seg); !more {
			return all, nil
		}
		path = rest
	}
}

// parseSegment reads one segment of a path.
func parseSegment(text string) (HTTPSegment, error) {
	at := strings.IndexByte(text, '{')
	switch {
	case text == "" || text == "." || text == "..":
		return HTTPSegment{}, Errorf(CodeRefused, "", "has a segment %q, which no path has when it is matched", text)
	case at < 0:
		literal, err := url.PathUnescape(text)
		if err != nil || literal == "/" {
			return HTTPSegment{}, Errorf(CodeRefused, "", "has a segment %q with an escape that cannot be", text)
		}
		return HTTPSegment{Text: literal}, nil
	case at > 0 || text[len(text)-1] != '}':
		return HTTPSegment{}, Errorf(CodeRefused, "", "has a segment %q: a wildcard is a whole segment, such as {id}", text)
	}
	name := text[1 : len(text)-1]
	if name == "$" {
		return HTTPSegment{Text: "/"}, nil
	}
	name, multi := strings.CutSuffix(name, "...")
	if !plainWildcard(name) {
		return HTTPSegment{}, Errorf(CodeRefused, "", "has a wildcard %q: its name must have 1 to %d letters, digits and _, "+
			"no digit first", text, MaxWildcard)
	}
	return HTTPSegment{Text: name, Wild: true, Multi: multi}, nil
}

// plainWildcard reports whether a wildcard can have this name, which becomes part of a header's and a file's.
func plainWildcard(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= MaxWildcard
}

// plainMethod reports whether a route can have this method. There is no CONNECT: a gateway is no proxy.
func plainMethod(s string) bool {
	other := func(r rune) bool { return (r < 'A' || r > 'Z') && r != '-' }
	return s != "" && s != "CONNECT" && len(s) <= 32 && !strings.ContainsFunc(s, other)
}

// plainHost reports whether a route can have this host, or none.
func plainHost(s string) bool {
	other := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' }
	return len(s) <= 253 && !strings.ContainsFunc(s, other) && !strings.HasPrefix(s, ".") && !strings.HasSuffix(s, ".")
}

// Names returns the names of the wildcards, in order.
func (p *HTTPPattern) Names() []string {
	var all []string
	for _, s := range p.Segments {
		if s.Wild && s.Text != "" {
			all = append(all, s.Text)
		}
	}
	return all
}

// Params returns what the wildcards stand for in a path that the pattern matches, as it stands there: escaped.
func (p *HTTPPattern) Params(path string) []HTTPParam {
	var all []HTTPParam
	for _, s := range p.Segments {
		path = strings.TrimPrefix(path, "/")
		value, rest := path, ""
		if slash := strings.IndexByte(path, '/'); slash >= 0 && !s.Multi {
			value, rest = path[:slash], path[slash:]
		}
		if s.Wild && s.Text != "" {
			all = append(all, HTTPParam{s.Text, value})
		}
		path = rest
	}
	return all
}

// Split divides a path that the pattern matches: into what is in front of the last segment, if that takes several, and
// the rest, which begins with a slash. The rest of any other path is empty.
func (p *HTTPPattern) Split(path string) (front, rest string) {
	n := len(p.Segments)
	if n == 0 || !p.Segments[n-1].Multi {
		return path, ""
	}
	at := 0
	for range n - 1 {
		next := strings.IndexByte(path[min(at+1, len(path)):], '/')
		if next < 0 {
			return path, ""
		}
		at += 1 + next
	}
	return path[:at], path[at:]
}

// relation says how the requests that one pattern matches are to those of another.
type relation struct{ more, less bool } // it matches some that the other does not; and the other way round

// Conflicts reports whether there are requests that both patterns match, and neither is the more specific one: a
// ServeMux does not take both. One with a host goes before one without.
func (p *HTTPPattern) Conflicts(q *HTTPPattern) bool {
	if p.Host != q.Host {
		return false
	}
	var r relation
	switch {
	case p.Method == q.Method:
	case p.Method == "", p.Method == "GET" && q.Method == "HEAD":
		r.more = true
	case q.Method == "", q.Method == "GET" && p.Method == "HEAD":
		r.less = true
	default:
		return false
	}
	return r.paths(p.Segments, q.Segments) && r.more == r.less
}

// paths adds how two paths are to each other. It reports whether they have any in common.
func (r *relation) paths(p, q []HTTPSegment) bool {
	for len(p) > 0 && len(q) > 0 {
		a, b := p[0], q[0]
		switch {
		case a.Multi && b.Multi, a.Wild && b.Wild && a.Multi == b.Multi:
		case a.Multi, a.Wild && !b.Wild && b.Text != "/":
			r.more = true
		case b.Multi, b.Wild && !a.Wild && a.Text != "/":
			r.less = true
		case a.Wild || b.Wild || a.Text != b.Text:
			return false
		}
		if len(p) > 1 != (len(q) > 1) && (a.Multi && len(p) == 1 || b.Multi && len(q) == 1) {
			break
		}
		p, q = p[1:], q[1:]
		if len(p) == 0 != (len(q) == 0) {
			return false
		}
	}
	return true
}

// Tokens returns the pattern's host and path as tokens of a subject: "*" is one segment and ">" one or more, as in
// NATS. Two patterns that conflict have tokens that overlap.
func (p *HTTPPattern) Tokens() []string {
	all := []string{"=" + p.Host}
	for _, s := range p.Segments {
		switch {
		case s.Multi:
			all = append(all, ">")
		case s.Wild:
			all = append(all, "*")
		default:
			all = append(all, "="+s.Text)
		}
	}
	return all
}

// Reserved returns the first segment of the path, if no route may have it: it is the gateway's own.
func (p *HTTPPattern) Reserved() (string, bool) {
	first := p.Segments[0]
	return first.Text, !first.Wild && slices.Contains(ownPaths(), first.Text)
}

// ownPaths returns what paths of a gateway's own begin with.
func ownPaths() []string { return []string{"fn", "job", "_", "metrics", "healthz", "readyz", "debug"} }
