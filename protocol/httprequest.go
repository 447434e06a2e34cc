package protocol

import (
	"slices"
	"strconv"
	"strings"
)

// HTTPRequest is a request of HTTP without its body, as a gateway has it.
type HTTPRequest struct {
	Kind   string              // how the process gets it: HTTPFiles or another; empty: not at all, as with a job
	Method string              // such as "GET"
	Path   string              // as it was sent, escaped
	Query  string              // as it was sent, without the question mark
	Host   string              // what the client calls the server, maybe with a port
	Route  string              // the pattern that it has matched
	Client string              // the client's address
	Secure bool                // it came by TLS
	Params []HTTPParam         // what the pattern's wildcards stand for, escaped
	Header map[string][]string // of the client, by canonical names
	Only   []string            // of those the function gets these, by canonical names; nil: all that it may have
	Proxy  bool                // a proxy that is trusted sent it, so its word about the client counts
}

// httpReserve is how much less a request of HTTP may have than any: the headers of the call come on top. So both ways
// to the function, in this process and over NATS, have the same bounds.
const (
	httpReserve      = 40
	httpReserveBytes = 6 << 10
)

// Headers returns the headers of the call: what is known about the request, and what the function gets of the client's
// own. Those that mean something on the way do not get through: hop-by-hop headers, Proxy, Fn-* and Nats-*. Values are
// shared with the request. The error's code is 431.
func (q *HTTPRequest) Headers() (Header, error) {
	h := make(Header, q.count())
	known := make([]string, 0, len(q.Params)+8)
	set := func(name, value string) {
		known = append(known, value)
		n := len(known)
		h[name] = known[n-1 : n : n]
	}
	if q.Kind != "" {
		set(HeaderHTTP, q.Kind)
		set(HeaderMethod, q.Method)
		set(HeaderPath, q.Path)
		set(HeaderRoute, q.Route)
		set(HeaderClient, q.Client)
		if q.Query != "" {
			set(HeaderQuery, q.Query)
		}
		if q.Secure {
			set(HeaderScheme, "https")
		}
		for _, p := range q.Params {
			set(HeaderParam+p.Name, p.Value)
		}
	}
	if q.Host != "" && (q.Only == nil || q.Kind == HTTPCGI || slices.Contains(q.Only, "Host")) {
		set("Host", q.Host)
	}
	q.copy(h)
	return h, h.fitsHTTP()
}

// count returns about how many headers there will be. A map of no more than eight is a small one.
func (q *HTTPRequest) count() int {
	n := len(q.Params) + 6 // and Fn-Id
	if q.Query != "" {
		n++
	}
	if q.Host != "" {
		n++
	}
	if q.Only != nil {
		return n + min(len(q.Only), len(q.Header))
	}
	if len(q.Header["Content-Length"]) > 0 {
		n--
	}
	return n + len(q.Header)
}

// copy adds those of the client's own headers that the function gets.
func (q *HTTPRequest) copy(h Header) {
	connection := q.Header["Connection"]
	if q.Only != nil {
		for _, list := range [...][]string{q.Only, tracing} {
			for _, name := range list {
				if v, ok := q.Header[name]; ok && q.passes(name, connection) {
					h[name] = v
				}
			}
		}
		return
	}
	for name, values := range q.Header {
		if q.passes(name, connection) {
			h[name] = values
		}
	}
}

// tracing are headers that functions get whatever a route lists: whoever is called next needs them.
var tracing = []string{"Traceparent", "Tracestate"}

// passes reports whether a function may get one of the client's headers.
func (q *HTTPRequest) passes(name string, connection []string) bool {
	switch name {
	case "Content-Length", "Host", "Expect", "Proxy":
		return false
	case "Forwarded", "X-Real-Ip":
		return q.Proxy
	}
	if OwnHeader(name) || HopByHop(name) {
		return false
	}
	if !q.Proxy && strings.HasPrefix(name, "X-Forwarded-") {
		return false
	}
	return len(connection) == 0 || !listed(connection, name)
}

// OwnHeader reports whether a header belongs to polyvoke or to NATS, whatever its case: none from outside gets through.
// Nor does one with an underscore, or anything else, for the hyphen, such as Fn_Auth or Fn.Auth: to a process that knows
// headers by their variables of CGI, as those of WSGI, Rack and PHP do, it may be the same.
func OwnHeader(name string) bool { return begins(name, "Fn") || begins(name, "Nats") }

// begins reports whether a header's name begins with a word, without regard to case, and what ends that.
func begins(name, word string) bool {
	n := len(word)
	return len(name) > n && variable(rune(name[n])) == '_' && strings.EqualFold(name[:n], word)
}

// HopByHop reports whether a header, by its canonical name, is about one connection only (RFC 9110, section 7.6.1).
func HopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade", "Http2-Settings":
		return true
	}
	return false
}

// listed reports whether a header's values, which are lists, have a name.
func listed(values []string, name string) bool {
	for _, v := range values {
		for item := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(item), name) {
				return true
			}
		}
	}
	return false
}

// fitsHTTP is check with room for the headers of a call.
func (h Header) fitsHTTP() error {
	count, size := 0, 0
	for name, values := range h {
		count += len(values)
		for _, v := range values {
			size += len(name) + len(v) + len(": \r\n")
		}
	}
	if count > MaxHeaders-httpReserve || size > MaxHeaderBytes-httpReserveBytes {
		return Errorf(CodeHeaders, "", "the request has %d headers with %d bytes: send at most %d with %d bytes",
			count, size, MaxHeaders-httpReserve, MaxHeaderBytes-httpReserveBytes)
	}
	return nil
}

// Message returns the request and a body as a message of HTTP/1.1 (RFC 9112), as a process reads it off stdin if its
// route has request = "http". The order of headers is that of their names. The error's code is 431.
func (q *HTTPRequest) Message(body []byte) ([]byte, error) {
	all := *q
	all.Kind = ""
	h, err := all.Headers()
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, 256+h.Size()+len(q.Path)+len(q.Query)+len(body))
	b = append(append(append(b, q.Method...), ' '), q.Path...)
	if q.Query != "" {
		b = append(append(b, '?'), q.Query...)
	}
	b = append(append(append(b, " HTTP/1.1\r\nHost: "...), q.Host...), "\r\n"...)
	names := make([]string, 0, len(h))
	for name := range h {
		if name != "Host" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		for _, v := range h[name] {
			b = append(append(append(append(b, name...), ": "...), v...), "\r\n"...)
		}
	}
	b = strconv.AppendInt(append(b, "Content-Length: "...), int64(len(body)), 10)
	b = append(b, "\r\nConnection: close\r\n\r\n"...)
	return append(b, body...), nil
}
