package protocol

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// CGI returns the environment of a process that gets a request of HTTP as CGI/1.1 has it (RFC 3875), with the names of
// WAGI besides, or nil if the request is none of that kind. id returns that of the call. Unlike others
//   - a header Proxy is never HTTP_PROXY, and one with an underscore is no variable, nor is one with anything else that
//     is no letter, digit or hyphen: it could pass for another;
//   - repeated headers are joined, those of cookies by semicolons;
//   - CONTENT_TYPE has the type;
//   - Authorization is a variable, unless a gateway has found out who the client is.
//
// # Errors
//
// A NUL byte, which no variable can have, is an Error with CodeBadRequest.
func (r *Request) CGI(id func() string) ([]string, error) {
	h := r.Header
	if h.Get(HeaderHTTP) != HTTPCGI {
		return nil, nil
	}
	e := cgiEnv{r: r, all: make([]string, 0, 32+len(h))}
	path, query := h.Get(HeaderPath), h.Get(HeaderQuery)
	e.request(id(), path, query)
	e.paths(path, query)
	names := slices.SortedFunc(maps.Keys(h), func(a, b string) int {
		return cmp.Or(strings.Compare(strings.ToLower(a), strings.ToLower(b)), strings.Compare(a, b))
	})
	for _, name := range names {
		e.header(name, h[name])
	}
	for _, v := range e.all {
		if strings.IndexByte(v, 0) >= 0 {
			name, _, _ := strings.Cut(v, "=")
			return nil, Errorf(CodeBadRequest, "",
				"the value of %s has a NUL byte, which an environment cannot have", name)
		}
	}
	return e.all, nil
}

// cgiEnv is an environment that is being made.
type cgiEnv struct {
	r   *Request
	all []string
}

func (e *cgiEnv) set(name, value string) { e.all = append(e.all, name+"="+value) }

// request sets what is known about the request and its client.
func (e *cgiEnv) request(id, path, query string) {
	h := e.r.Header
	length := strconv.Itoa(len(e.r.Body))
	if n := h.Get("Content-Length"); len(e.r.Body) == 0 && n != "" { // of a stream
		length = n
	}
	client, principal := h.Get(HeaderClient), h.Get(HeaderPrincipal)
	e.set("AUTH_TYPE", authType(principal))
	e.set("CONTENT_LENGTH", length)
	e.set("CONTENT_TYPE", h.Get("Content-Type"))
	e.set("FN_ID", id)
	e.set("GATEWAY_INTERFACE", "CGI/1.1")
	if h.Get(HeaderScheme) == "https" {
		e.set("HTTPS", "on")
	}
	e.set("QUERY_STRING", query)
	e.set("REMOTE_ADDR", client)
	e.set("REMOTE_HOST", client)
	e.set("REMOTE_USER", principal)
	e.set("REQUEST_METHOD", h.Get(HeaderMethod))
	e.set("REQUEST_URI", withQuery(path, query))
	e.set("SERVER_PROTOCOL", "HTTP/1.1")
	e.set("SERVER_SOFTWARE", "polyvoke/1 WAGI/1")
}

// authType returns the value of AUTH_TYPE: the kind of a principal, such as key of "key:ada".
func authType(principal string) string {
	kind, _, _ := strings.Cut(principal, ":")
	return kind
}

// paths sets what the URL is made of.
func (e *cgiEnv) paths(path, query string) {
	h := e.r.Header
	scheme := cmp.Or(h.Get(HeaderScheme), "http")
	host := h.Get("Host")
	name, port := splitHost(host, scheme)
	route := h.Get(HeaderRoute)
	script, rest := path, ""
	if p, err := ParseHTTPPattern(route); err == nil {
		script, rest = p.Split(path)
		route = p.wagi()
	}
	info, script := unescaped(rest), unescaped(script)
	e.set("PATH_INFO", info)
	e.set("PATH_TRANSLATED", info)
	e.set("SCRIPT_NAME", script)
	e.set("SERVER_NAME", name)
	e.set("SERVER_PORT", port)
	e.set("X_FULL_URL", withQuery(scheme+"://"+host+path, query))
	e.set("X_MATCHED_ROUTE", route)
	e.set("X_RAW_PATH_INFO", rest)
}

// header makes a variable of one of the client's headers, unless it is none of the client's or one that a process must
// not take for another.
func (e *cgiEnv) header(name string, values []string) {
	switch lower := strings.ToLower(name); {
	case OwnHeader(name), odd(name) > 0:
		return
	case lower == "proxy", lower == "content-length":
		return
	case lower == "authorization" && e.r.Header.Get(HeaderPrincipal) != "":
		return
	case lower == "cookie":
		e.set("HTTP_COOKIE", strings.Join(values, "; "))
		return
	}
	e.set("HTTP_"+strings.Map(variable, name), strings.Join(values, ", "))
}

// withQuery returns a path with its query.
func withQuery(path, query string) string {
	if query == "" {
		return path
	}
	return path + "?" + query
}

// unescaped returns a path without escapes, or as it is if it has some that cannot be.
func unescaped(path string) string {
	if s, err := url.PathUnescape(path); err == nil {
		return s
	}
	return path
}

// splitHost divides what a client calls the server into a name and a port.
func splitHost(host, scheme string) (name, port string) {
	name, port = host, "80"
	if scheme == "https" {
		port = "443"
	}
	if at := strings.LastIndexByte(host, ':'); at >= 0 && strings.IndexByte(host[at:], ']') < 0 {
		name, port = host[:at], cmp.Or(host[at+1:], port)
	}
	return name, port
}

// wagi returns the pattern's path as WAGI writes it: /... stands for what the last wildcard takes.
func (p *HTTPPattern) wagi() string {
	var b strings.Builder
	for _, s := range p.Segments {
		switch {
		case s.Multi:
			b.WriteString("/...")
		case s.Wild:
			b.WriteString("/:" + s.Text)
		case s.Text == "/":
			b.WriteString("/")
		default:
			b.WriteString("/" + s.Text)
		}
	}
	return b.String()
}

// RouteArgs returns the values of the route's wildcards, in order, for a process that gets them as arguments: those of
// the route with this pattern, if it has args.
func (r *Request) RouteArgs(f *Function) []string {
	route := r.Header.Get(HeaderRoute)
	for i := range f.HTTP {
		if f.HTTP[i].Route != route || !f.HTTP[i].Args {
			continue
		}
		p, err := ParseHTTPPattern(route)
		if err != nil {
			return nil
		}
		var args []string
		for _, name := range p.Names() {
			args = append(args, unescaped(r.Header.Get(HeaderParam+name)))
		}
		return args
	}
	return nil
}

// HTTPVaries reports whether the environment of the function's processes differs from request to request: a route
// hands requests over as CGI does.
func (f *Function) HTTPVaries() bool {
	return slices.ContainsFunc(f.HTTP, func(r HTTPRoute) bool { return r.Request == HTTPCGI })
}

// HTTPArgs reports whether the function has a route whose wildcards are arguments.
func (f *Function) HTTPArgs() bool {
	return slices.ContainsFunc(f.HTTP, func(r HTTPRoute) bool { return r.Args })
}
