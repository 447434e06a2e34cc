package protocol

import (
	"fmt"
	"net/url"
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
	for i := range f.WebSocket {
		c := socketCheck{WebSocketRoute: &f.WebSocket[i], number: i + 1, problems: p}
		names, err := pathNames(c.Route)
		c.add("route", err)
		c.twin(f.WebSocket[:i])
		c.topics(names)
		c.lists()
		c.add("auth", checkSocketAuth(c.Auth))
		if _, err := ParseRate(c.Rate); err != nil {
			c.add("rate", Errorf(CodeRefused, "", "rate = %w", err))
		}
	}
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

// twin finds a route before this one that is the same.
func (c *socketCheck) twin(before []WebSocketRoute) {
	for i, other := range before {
		if c.Route != "" && other.Route == c.Route {
			c.add("route", Errorf(CodeRefused, "", "route = %q is that of websocket %d too: take one off", c.Route, i+1))
			return
		}
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
		check  func(string) error
	}{
		{"headers", c.Headers, MaxHeaders, func(s string) error {
			if err := checkHeaderName(s); err != nil {
				return Errorf(CodeRefused, "", "headers: %w", err)
			}
			return nil
		}},
		{"origins", c.Origins, MaxSocketOrigins, checkOrigin},
		{"protocols", c.Protocols, MaxSocketProtocols, checkSubprotocol},
		{"events", c.Events, len(SocketEvents()), func(s string) error {
			if !slices.Contains(SocketEvents(), s) {
				return Errorf(CodeRefused, "", "events: %.40q: use some of %s", s, strings.Join(SocketEvents(), ", "))
			}
			return nil
		}},
	} {
		if len(l.values) > l.most {
			c.add(l.key, Errorf(CodeRefused, "", "%s has %d entries; at most %d", l.key, len(l.values), l.most))
			continue
		}
		for _, v := range l.values {
			c.add(l.key, l.check(v))
		}
	}
}

// checkOrigin returns what is wrong with an origin: SCHEME://HOST[:PORT] as browsers send it (RFC 6454), or *.
func checkOrigin(origin string) error {
	if origin == "*" {
		return nil
	}
	u, err := url.Parse(origin)
	if err != nil || len(origin) > MaxSubject || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != origin ||
		strings.ToLower(origin) != origin || strings.ContainsAny(u.Host, "*") {
		return Errorf(CodeRefused, "", "origin %.80q: write it as browsers do, such as %q: lower case, no path; or * for any",
			origin, "https://example.org")
	}
	return nil
}

// checkSubprotocol returns what is wrong with the name of a subprotocol, which is a token of HTTP (RFC 9110, 5.6.2).
func checkSubprotocol(name string) error {
	if name == "" || len(name) > MaxSocketValue || !printable(name) || strings.ContainsAny(name, " \"(),/:;<=>?@[\\]{}") {
		return Errorf(CodeRefused, "", "protocols: %.80q is no token of HTTP: use letters, digits, -, . and _", name)
	}
	return nil
}

// checkSocketAuth returns what is wrong with who may use a route.
func checkSocketAuth(auth string) error {
	switch auth {
	case "", AuthNone, AuthKey, AuthJWT:
		return nil
	}
	if name, ok := strings.CutPrefix(auth, AuthFunction); ok {
		if _, err := ParseRef(name); err != nil {
			return Errorf(CodeRefused, "", "auth: %w", err)
		}
		return nil
	}
	return Errorf(CodeRefused, "", "auth = %.80q: use %s, %s, %s, or %q", auth, AuthNone, AuthKey, AuthJWT,
		AuthFunction+"NAME")
}

// pathNames returns the names in the path of a pattern of net/http's ServeMux that has no method, [HOST]/PATH. What
// such a pattern cannot be is an error with code 422.
func pathNames(route string) (names []string, err error) {
	refuse := func(format string, a ...any) ([]string, error) {
		return nil, Errorf(CodeRefused, "", "route = %.80q: "+format, append([]any{route}, a...)...)
	}
	host, path, ok := strings.Cut(route, "/")
	switch {
	case route == "":
		return refuse("give it a path, such as %q", "/chat/{room}")
	case len(route) > MaxSubject:
		return refuse("it has %d bytes; at most %d", len(route), MaxSubject)
	case strings.ContainsAny(route, " \t"):
		return refuse("a WebSocket has no method, and a path no blanks: write the path alone")
	case !ok || strings.ContainsAny(host, "{}") || !printable(route):
		return refuse("write [HOST]/PATH in printable ASCII")
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		last := i == len(segments)-1
		name, braced := topicName(s)
		rest := strings.HasSuffix(name, "...")
		name = strings.TrimSuffix(name, "...")
		switch {
		case !braced && strings.ContainsAny(s, "{}"):
			return refuse("{name} is a whole segment")
		case s == "." || s == ".." || s == "" && !last:
			return refuse("segment %d is empty, or is . or ..", i+1)
		case !braced:
		case name == "$" && !rest && last:
		case !identifier(name) || slices.Contains(names, name):
			return refuse("{%.40s} is no name of letters, digits and _, or stands there twice", name)
		case rest && !last:
			return refuse("{%.40s...} is the rest of the path, so it is the last segment", name)
		default:
			names = append(names, name)
		}
	}
	return names, nil
}

// identifier reports whether s is a name as ServeMux has it, in ASCII.
func identifier(s string) bool {
	other := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
	}
	return s != "" && len(s) <= MaxName && (s[0] < '0' || s[0] > '9') && !strings.ContainsFunc(s, other)
}
