package web

import (
	"cmp"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/polyvoke/polyvoke/protocol"
)

// rule is a grant as it is compared.
type rule struct {
	protocol.HTTPTarget
	port    string
	path    string // as it is sent; empty: all paths
	methods []string
	max     int64 // bytes of a response; 0: limits.output
	ops     int   // requests a call
	index   int   // among the rules
}

// parseRules reads grants. The error's code is 422.
func parseRules(grants []protocol.Grant) ([]*rule, error) {
	all := make([]*rule, len(grants))
	for i, g := range grants {
		r, err := parseRule(g)
		if err != nil {
			return nil, err
		}
		r.index, all[i] = i, r
	}
	return all, nil
}

// parseRule reads a grant.
func parseRule(g protocol.Grant) (r *rule, err error) {
	r = &rule{max: int64(g.MaxBytes), ops: g.Ops(), methods: g.Methods}
	if r.HTTPTarget, err = protocol.ParseHTTPTarget(g.HTTP); err != nil {
		return nil, err
	}
	if len(r.methods) == 0 {
		r.methods = []string{http.MethodGet, http.MethodHead}
	}
	for _, m := range r.methods {
		if !isMethod(m) {
			return nil, protocol.Errorf(protocol.CodeRefused, "", "methods: %.40q is no method in capitals, such as POST", m)
		}
	}
	r.port = strconv.Itoa(r.Port)
	if r.Path == "/" {
		return r, nil
	}
	if r.path, err = escape(r.Path, "/"); err == nil {
		err = checkPath(r.path)
	}
	if err != nil {
		return nil, protocol.Errorf(protocol.CodeRefused, "", "http = %.80q: %w", g.HTTP, err)
	}
	return r, nil
}

// portOf returns the port of a scheme.
func portOf(scheme string) string {
	if scheme == "http" {
		return "80"
	}
	return "443"
}

// isMethod reports whether a method can be granted and asked for. CONNECT makes tunnels, and TRACE shows credentials.
func isMethod(m string) bool {
	return m != "" && len(m) <= maxMethod && strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") == "" &&
		m != http.MethodConnect && m != http.MethodTrace
}

// isSafe reports whether a method has no effect (RFC 9110, 9.2.1).
func isSafe(m string) bool {
	return m == http.MethodGet || m == http.MethodHead || m == http.MethodOptions
}

// place is where a request goes.
type place struct{ scheme, host, port, path, query string }

// String returns the URL.
func (p place) String() string { return p.scheme + "://" + p.origin() + p.path + p.query }

// origin returns the host and port as the header Host has them.
func (p place) origin() string {
	if p.port == portOf(p.scheme) {
		return hostPort(p.host, "")
	}
	return hostPort(p.host, p.port)
}

// sameOrigin reports whether another place is of the same scheme, host and port.
func (p place) sameOrigin(o place) bool {
	return p.scheme == o.scheme && p.host == o.host && p.port == o.port
}

// covers reports whether a rule speaks of a place.
func (r *rule) covers(p place) bool {
	return r.Scheme == p.scheme && r.port == p.port && r.HasHost(p.host) &&
		(r.path == "" || p.path == r.path || strings.HasPrefix(p.path, r.path+"/"))
}

// errNotGranted is why a place that no grant covers does not exist.
var errNotGranted = &failure{reason: "no grant of http speaks of it", err: fs.ErrNotExist}

// allowed returns the rule by which a place can be asked by a method: of several the one with the longest path. An
// empty method is any.
func allowed(rules []*rule, p place, method string) (*rule, error) {
	var best *rule
	known := false
	for _, r := range rules {
		if !r.covers(p) {
			continue
		}
		known = true
		if (method == "" || slices.Contains(r.methods, method)) && (best == nil || len(r.path) > len(best.path)) {
			best = r
		}
	}
	switch {
	case best != nil:
		return best, nil
	case known:
		return nil, &failure{err: syscall.EACCES,
			reason: "the method " + method + " is not granted: add it to methods of the grant"}
	}
	return nil, errNotGranted
}

// find returns where the request for a target goes, and by which rule: by https if there is a grant for that.
func find(rules []*rule, t target, method string) (p place, r *rule, err error) {
	for _, scheme := range []string{"https", "http"} {
		p = place{scheme, t.host, cmp.Or(t.port, portOf(scheme)), t.path, t.query}
		if r, err = allowed(rules, p, method); err != errNotGranted {
			return p, r, err
		}
	}
	return p, nil, err
}

// redirected returns where a redirect from a place leads.
func redirected(from place, location string) (p place, err error) {
	base, err := url.Parse(from.String())
	if err != nil {
		return p, invalid("%q is no URL", from)
	}
	u, err := base.Parse(location)
	switch {
	case err != nil || u.Opaque != "":
		return p, invalid("it was redirected to what is no URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return p, invalid("it was redirected to the scheme %.20q", u.Scheme)
	case u.User != nil:
		return p, invalid("it was redirected to a URL with a user in it")
	}
	p.scheme = u.Scheme
	if p.host, p.port, err = parseOrigin(u.Host); err != nil {
		return p, err
	}
	p.port = cmp.Or(p.port, portOf(p.scheme))
	if p.path, err = escape(cmp.Or(u.EscapedPath(), "/"), "/"); err != nil {
		return p, err
	}
	if u.RawQuery != "" || u.ForceQuery {
		query, err := escape(u.RawQuery, "/?")
		if err != nil {
			return p, err
		}
		p.query = "?" + query
	}
	return p, checkPath(p.path)
}
