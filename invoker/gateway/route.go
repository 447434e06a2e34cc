package gateway

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/polyvoke/polyvoke/protocol"
)

// What the paths of a gateway's own begin with.
const (
	directPath = "/fn/"
	jobPath    = "/job/"
)

// find finds the route of the request. The error is an *answered one if the request needs none.
func (x *exchange) find() error {
	switch {
	case x.r.Method == http.MethodConnect:
		return &protocol.Error{Code: http.StatusNotImplemented, Msg: "CONNECT is for proxies: a gateway is no proxy"}
	case strings.HasPrefix(x.path, directPath):
		return x.findDirect(x.path[len(directPath):])
	case strings.HasPrefix(x.path, jobPath):
		return x.findJob(x.path[len(jobPath):])
	case x.path == "" || x.path[0] != '/':
		return protocol.Errorf(protocol.CodeBadRequest, "", "the path must begin with a slash")
	}
	r := x.lowerHost()
	h, _ := x.current().mux.Handler(r)
	if rt, ok := h.(*route); ok {
		x.route = rt
		x.call.Function = protocol.Ref{Name: rt.function}
		x.asked.Params = rt.pattern.Params(x.path)
		return nil
	}
	return x.missed(h)
}

// lowerHost returns the request with its host in lower case, as patterns have theirs.
func (x *exchange) lowerHost() *http.Request {
	lower := strings.ToLower(x.r.Host)
	if lower == x.r.Host {
		return x.r
	}
	r := *x.r
	r.Host = lower
	return &r
}

// findDirect finds a function by its name: rest is NAME[@VERSION][/REST].
func (x *exchange) findDirect(rest string) error {
	name, path, _ := strings.Cut(rest, "/")
	if strings.IndexByte(name, '%') >= 0 {
		name, _ = url.PathUnescape(name)
	}
	ref, err := protocol.ParseRef(name)
	if err != nil {
		return err
	}
	x.mu.RLock()
	f := x.functions[ref.Name]
	x.mu.RUnlock()
	switch {
	case f == nil || ref.Version != "":
		x.route = newDirect(ref.Name, nil)
	default:
		x.route = f.direct
	}
	x.call.Function = ref
	if path != "" {
		x.asked.Params = []protocol.HTTPParam{{Name: "path", Value: path}}
	}
	return nil
}

// answered is the error of a request that has been answered.
type answered struct{}

// Error implements error.
func (answered) Error() string { return "the request has been answered" }

// missed answers a request for which no function has a route: with what the ServeMux has to say.
func (x *exchange) missed(h http.Handler) error {
	said := miss{header: http.Header{}}
	h.ServeHTTP(&said, x.r)
	switch {
	case said.status == http.StatusMethodNotAllowed:
		return x.notAllowed(said.header.Get("Allow"))
	case said.status >= 300 && said.status < 400: // to the clean path, or to the one with a slash at its end
		x.w.Header().Set("Location", said.header.Get("Location"))
		x.finish(said.status, nil)
		return answered{}
	}
	return protocol.Errorf(protocol.CodeNotFound, "", "no function has a route for %s %.100q: a function without a "+
		"route is called as /fn/NAME", method(x.r.Method), x.path)
}

// notAllowed answers a request whose method no route has: OPTIONS with those that there are, others with 405.
func (x *exchange) notAllowed(allow string) error {
	if allow != "" {
		allow += ", OPTIONS"
	}
	x.w.Header().Set("Allow", allow)
	if x.r.Method == http.MethodOptions {
		x.preflight()
		x.finish(http.StatusNoContent, nil)
		return answered{}
	}
	return &protocol.Error{Code: http.StatusMethodNotAllowed,
		Msg: "no route for this path has the method " + method(x.r.Method) + ": use one of " + allow}
}

// miss is an answer of a ServeMux that no client gets.
type miss struct {
	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (m *miss) Header() http.Header { return m.header }

// Write implements http.ResponseWriter.
func (m *miss) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader implements http.ResponseWriter.
func (m *miss) WriteHeader(status int) { m.status = status }
