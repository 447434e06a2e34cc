package protocol

import (
	"fmt"
	"slices"
	"strings"
)

// MaxWebSockets is how many tables [[websocket]] a manifest has at most.
const MaxWebSockets = 64

// checkWebSockets finds routes of WebSockets that cannot be.
func (f *Function) checkWebSockets(p *problems) {
	if len(f.WebSocket) > MaxWebSockets {
		p.add("websocket", "%d tables [[websocket]]; at most %d", len(f.WebSocket), MaxWebSockets)
		return
	}
	seen := f.httpPatterns()
	for i := range f.WebSocket {
		c := socketCheck{WebSocketRoute: &f.WebSocket[i], number: i + 1, problems: p}
		pattern, err := c.Pattern()
		if err != nil {
			c.add("route", Errorf(CodeRefused, "", "route = %w", err))
			continue
		}
		if own, ok := pattern.Reserved(); ok {
			c.add("route", Errorf(CodeRefused, "", "route = %q: paths below /%s are the gateway's own: begin with another "+
				"segment", c.Route, own))
		}
		if other := seen.conflict(&pattern); other != "" {
			c.add("route", Errorf(CodeRefused, "", "route = %q takes requests of %s, and neither is the more specific one: "+
				"change one", c.Route, other))
		}
		seen = append(seen, namedPattern{pattern, fmt.Sprintf("websocket %d, %q", i+1, c.Route)})
		c.topics(pattern.Names())
		c.lists()
		c.add("auth", CheckAuth(c.Auth))
		if _, err := ParseRate(c.Rate); err != nil {
			c.add("rate", Errorf(CodeRefused, "", "rate = %w", err))
		}
	}
}

// Pattern returns the pattern of the requests that ask for a connection: they are of GET. The error's code is 422.
func (r *WebSocketRoute) Pattern() (HTTPPattern, error) {
	if strings.ContainsAny(r.Route, " \t") {
		return HTTPPattern{}, Errorf(CodeRefused, "", "%.80q has a blank: write the path alone, such as %q, as a WebSocket "+
			"has no method", r.Route, "/chat/{room}")
	}
	if _, err := ParseHTTPPattern(r.Route); err != nil {
		return HTTPPattern{}, err // without the method in its text
	}
	return ParseHTTPPattern("GET " + r.Route)
}

// namedPattern is a pattern, and what an error calls it.
type namedPattern struct {
	HTTPPattern
	name string
}

// namedPatterns are those of a manifest.
type namedPatterns []namedPattern

// httpPatterns returns the patterns of the tables [[http]], but for those that are none.
func (f *Function) httpPatterns() (all namedPatterns) {
	for i, r := range f.HTTP {
		if p, err := ParseHTTPPattern(r.Route); err == nil {
			all = append(all, namedPattern{p, fmt.Sprintf("http %d, %q", i+1, r.Route)})
		}
	}
	return all
}

// conflict returns what a pattern conflicts with, or nothing.
func (all namedPatterns) conflict(p *HTTPPattern) string {
	for i := range all {
		if p.Conflicts(&all[i].HTTPPattern) {
			return all[i].name
		}
	}
	return ""
}

// socketCheck finds what is wrong with one route.
type socketCheck struct {
	*WebSocketRoute
	number int // from 1
	*problems
}

// add takes note of what is wrong with a key, if anything is.
func (c *socketCheck) add(key string, err error) {
	if err != nil {
		c.problems.add(fmt.Sprintf("websocket[%d].%s", c.number-1, key), "websocket %d: %w", c.number, err)
	}
}

// topics finds what is wrong with the topics of a route whose path has such names.
func (c *socketCheck) topics(names []string) {
	if len(c.Topics) > MaxSocketTopics {
		c.add("topics", Errorf(CodeRefused, "", "%d topics; at most %d", len(c.Topics), MaxSocketTopics))
		return
	}
	for _, topic := range c.Topics {
		c.add("topics", checkTopicForm(topic, names))
	}
}

// checkTopicForm returns what is wrong with a topic of a route whose path has such names.
func checkTopicForm(topic string, names []string) error {
	tokens := strings.Split(topic, ".")
	for i, token := range tokens {
		switch name, ok := topicName(token); {
		case ok && !slices.Contains(names, name):
			return Errorf(CodeRefused, "", "topic %.80q: the route has no {%.40s}", topic, name)
		case ok:
			tokens[i] = "*" // whatever the client's path has
		case strings.ContainsAny(token, "{}"):
			return Errorf(CodeRefused, "", "topic %.80q: token %.40q must be {name}, or have no braces", topic, token)
		case !topicToken(token):
			return Errorf(CodeRefused, "", "topic %.80q: token %d is empty, or has a blank, a control character, * or > "+
				"in it: a topic is one subject", topic, i+1)
		}
	}
	if tokens[0] == "*" {
		return Errorf(CodeRefused, "", "topic %.80q begins with what the client chooses, which could be any subject: put a "+
			"token of your own first", topic)
	}
	return CheckPattern(strings.Join(tokens, "."))
}

// lists finds what is wrong with the lists of strings.
func (c *socketCheck) lists() {
	for _, l := range []struct {
		key    string
		values []string
		most   int
		good   func(string) bool
		what   string
	}{
		{"headers", c.Headers, MaxRouteHeaders, isToken, "the name of a header"},
		{"origins", c.Origins, MaxOrigins, isOrigin, `an origin, such as "https://example.org", without a path, or "*"`},
		{"protocols", c.Protocols, MaxSocketProtocols, isToken, "a token of HTTP, such as chat.v1"},
		{"events", c.Events, len(SocketEvents()), isSocketEvent, "one of " + strings.Join(SocketEvents(), ", ")},
	} {
		if len(l.values) > l.most {
			c.add(l.key, Errorf(CodeRefused, "", "%s has %d entries; at most %d", l.key, len(l.values), l.most))
			continue
		}
		for _, v := range l.values {
			if len(v) > MaxOrigin || !l.good(v) {
				c.add(l.key, Errorf(CodeRefused, "", "%s: %.80q is not %s", l.key, v, l.what))
			}
		}
	}
}

// isSocketEvent reports whether an event can be listed in a route.
func isSocketEvent(s string) bool { return slices.Contains(SocketEvents(), s) }
