package protocol

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Bounds of a manifest's routes.
const (
	MaxRoutes       = 64 // tables [[http]]
	MaxRouteHeaders = 64 // names in headers, and in each list of cors
	MaxOrigins      = 64
	MaxOrigin       = 256 // bytes
	MaxMediaType    = 256 // bytes

	DefaultHTTPIdle = Duration(time.Minute)
	MaxHTTPIdle     = MaxTimeout
	DefaultCORSAge  = Duration(10 * time.Minute)
	MaxCORSAge      = Duration(24 * time.Hour)
)

// checkHTTP finds routes that cannot be.
func (f *Function) checkHTTP(p *problems) {
	if len(f.HTTP) > MaxRoutes {
		p.add("http", "%d tables [[http]]; at most %d", len(f.HTTP), MaxRoutes)
		return
	}
	seen := make([]*HTTPPattern, len(f.HTTP))
	for i := range f.HTTP {
		c := httpCheck{HTTPRoute: &f.HTTP[i], number: i + 1, problems: p}
		pattern, err := ParseHTTPPattern(c.Route)
		if err != nil {
			c.refuse("route", "route = %w", err)
			continue
		}
		if own, ok := pattern.Reserved(); ok {
			c.refuse("route", "route = %q: paths below /%s are the gateway's own: begin with another segment", c.Route, own)
		}
		for k, other := range seen[:i] {
			if other != nil && pattern.Conflicts(other) {
				c.refuse("route", "route = %q takes requests of route %d, %q, and neither is the more specific one: change one",
					c.Route, k+1, f.HTTP[k].Route)
				break
			}
		}
		seen[i] = &pattern
		c.forms()
		c.names("headers", c.Headers, MaxRouteHeaders, isToken, "the name of a header")
		c.cors()
	}
}

// httpCheck finds what is wrong with one table [[http]].
type httpCheck struct {
	*HTTPRoute
	number int // from 1
	*problems
}

// refuse takes note of what is wrong with a key.
func (c *httpCheck) refuse(key, format string, a ...any) {
	e := Errorf(CodeRefused, "", format, a...)
	c.problems.add(fmt.Sprintf("http[%d].%s", c.number-1, key), "http %d: %w", c.number, e)
}

// forms finds values that are none of a few, or out of their bounds.
func (c *httpCheck) forms() {
	c.oneOf("request", c.Request, HTTPFiles, HTTPCGI, HTTPMessage)
	c.oneOf("reply", c.Reply, HTTPBody, HTTPCGI, HTTPMessage)
	switch {
	case c.Type == "":
	case c.Reply == HTTPCGI || c.Reply == HTTPMessage:
		c.refuse("type", "type is that of a body; with reply = %q the function writes its own: take one off", c.Reply)
	case len(c.Type) > MaxMediaType || !printable(c.Type) || !isMediaType(c.Type):
		c.refuse("type", `type = %.80q: write a media type, such as "application/json"`, c.Type)
	}
	if c.Idle < 0 || c.Idle > MaxHTTPIdle {
		c.refuse("idle", "idle must be more than zero and at most %s", MaxHTTPIdle)
	}
	if c.Idle > 0 && !c.Stream {
		c.refuse("idle", "idle is the longest pause of a stream: set stream = true, or take idle off")
	}
	if c.Stream && (c.Request == HTTPMessage || c.Reply == HTTPMessage) {
		c.refuse("stream", "a whole message is no stream: use request = %q or %q, and reply = %q or %q", HTTPFiles, HTTPCGI,
			HTTPBody, HTTPCGI)
	}
	if err := CheckAuth(c.Auth); err != nil {
		c.refuse("auth", "%w", err)
	}
	if _, err := ParseRate(c.Rate); err != nil {
		c.refuse("rate", "rate = %w", err)
	}
}

// CheckAuth returns nil if auth, the value of a route's key, says who may use it. The error's code is 422.
func CheckAuth(auth string) error {
	if name, ok := strings.CutPrefix(auth, AuthFunction); ok && CheckName(name) == nil {
		return nil
	}
	switch auth {
	case "", AuthNone, AuthKey, AuthJWT:
		return nil
	}
	return Errorf(CodeRefused, "", `auth = %.80q: use %q, %q, %q or "%sNAME"`, auth, AuthNone, AuthKey, AuthJWT,
		AuthFunction)
}

// oneOf finds a value that is none of several.
func (c *httpCheck) oneOf(key, value string, all ...string) {
	if value != "" && !slices.Contains(all, value) {
		c.refuse(key, "%s = %.40q: use one of %s", key, value, strings.Join(all, ", "))
	}
}

// names finds names in a list that cannot be.
func (c *httpCheck) names(key string, list []string, most int, good func(string) bool, what string) {
	if len(list) > most {
		c.refuse(key, "%s has %d entries; at most %d", key, len(list), most)
		return
	}
	for _, name := range list {
		if len(name) > MaxOrigin || !good(name) {
			c.refuse(key, "%s: %.80q is not %s", key, name, what)
		}
	}
}

// cors finds what is wrong with the table cors.
func (c *httpCheck) cors() {
	o := c.CORS
	if o == nil {
		return
	}
	if len(o.Origins) == 0 {
		c.refuse("cors.origins", `cors.origins is empty: list origins such as "https://example.org", or "*" for any`)
	}
	c.names("cors.origins", o.Origins, MaxOrigins, isOrigin, `an origin, such as "https://example.org", without a path, or "*"`)
	if o.Credentials && slices.Contains(o.Origins, "*") {
		c.refuse("cors.credentials", `cors.credentials with the origin "*" would let any page act for its visitor: list the origins`)
	}
	c.names("cors.methods", o.Methods, MaxRouteHeaders, plainMethod, "a method, such as PUT")
	c.names("cors.headers", o.Headers, MaxRouteHeaders, isToken, "the name of a header")
	c.names("cors.expose", o.Expose, MaxRouteHeaders, isToken, "the name of a header")
	if o.MaxAge < 0 || o.MaxAge > MaxCORSAge {
		c.refuse("cors.max_age", "cors.max_age must be more than zero and at most %s", MaxCORSAge)
	}
}

// isOrigin reports whether s is "*" or an origin as browsers send it (RFC 6454, section 6.2).
func isOrigin(s string) bool {
	if s == "*" || s == "null" {
		return s == "*"
	}
	scheme, host, ok := strings.Cut(s, "://")
	return ok && isToken(scheme) && host != "" && printable(s) && strings.ToLower(s) == s &&
		!strings.ContainsAny(host, "/?#@ *,;\\\"'<>")
}

// isMediaType reports whether s has the form TYPE/SUBTYPE, maybe with parameters (RFC 9110, section 8.3.1).
func isMediaType(s string) bool {
	kind, _, _ := strings.Cut(s, ";")
	top, sub, ok := strings.Cut(strings.TrimSpace(kind), "/")
	return ok && isToken(top) && isToken(sub)
}
