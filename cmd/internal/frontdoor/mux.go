package frontdoor

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// The paths of operators, which come before those of functions.
const (
	pathHealth  = "/healthz"
	pathReady   = "/readyz"
	pathMetrics = "/metrics"
	pathPprof   = "/debug/pprof/"
	pathConsole = "/_/"
	pathOpenAPI = "/_/openapi.json"
)

// Reserved reports whether a path is answered by the server itself, so that no function can have it.
func Reserved(path string) bool {
	switch path {
	case pathHealth, pathReady, pathMetrics, strings.TrimSuffix(pathConsole, "/"):
		return true
	}
	return strings.HasPrefix(path, pathConsole) || strings.HasPrefix(path, pathPprof)
}

// mux returns the handler of all paths. It does not clean paths as http.ServeMux does: what a path of a function means
// is the gateway's affair.
func (c Config) mux() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !Reserved(r.URL.Path) {
			c.Handler.ServeHTTP(w, r)
			return
		}
		if err := c.rebound(r); err != nil {
			refuse(w, http.StatusMisdirectedRequest, err.Error())
			return
		}
		c.operate(w, r)
	})
}

// operate answers the paths of operators.
func (c Config) operate(w http.ResponseWriter, r *http.Request) {
	p := r.URL.Path
	switch {
	case p == pathHealth:
		probe(w, r, nil)
	case p == pathReady:
		probe(w, r, c.Ready)
	case p == pathMetrics && c.Metrics != nil && c.operator(r):
		c.Metrics.ServeHTTP(w, r)
	case strings.HasPrefix(p, pathPprof) && c.Pprof && local(r):
		profile(w, r)
	case p == pathOpenAPI:
		c.describe(w, r)
	case p+"/" == pathConsole && c.Console != nil:
		http.Redirect(w, r, pathConsole, http.StatusPermanentRedirect)
	case strings.HasPrefix(p, pathConsole) && c.Console != nil:
		if !local(r) && peerOf(r).IsLoopback() {
			r.RemoteAddr = "somebody behind a proxy" // that is not trusted: they are not on this machine
		}
		c.Console.ServeHTTP(w, r)
	default:
		refuse(w, http.StatusNotFound, nothing)
	}
}

// describe answers with the document of OpenAPI. It lists all functions, which is not for strangers.
func (c Config) describe(w http.ResponseWriter, r *http.Request) {
	if c.OpenAPI == nil || !c.operator(r) {
		refuse(w, http.StatusNotFound, nothing)
		return
	}
	c.OpenAPI.ServeHTTP(w, r)
}

// nothing is what strangers are told of operators' paths.
const nothing = "there is nothing here, or not for you"

// refuse answers in plain text.
func refuse(w http.ResponseWriter, status int, msg string) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, msg, status)
}

// probe answers a health check: 200, or 503 with the reason.
func probe(w http.ResponseWriter, r *http.Request, ready func() error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, "use GET")
		return
	}
	if ready != nil {
		if err := ready(); err != nil {
			refuse(w, http.StatusServiceUnavailable, err.Error())
			return
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = io.WriteString(w, "ok\n")
}

// profile answers the paths of net/http/pprof.
func profile(w http.ResponseWriter, r *http.Request) {
	switch strings.TrimPrefix(r.URL.Path, pathPprof) {
	case "cmdline":
		pprof.Cmdline(w, r)
	case "profile":
		pprof.Profile(w, r)
	case "symbol":
		pprof.Symbol(w, r)
	case "trace":
		pprof.Trace(w, r)
	default:
		pprof.Index(w, r)
	}
}

// local reports whether a request was made on this machine: not one that a proxy on it passes on for others.
func local(r *http.Request) bool {
	h, _ := r.Context().Value(hopKey{}).(hop)
	return h.peer.IsLoopback() && !h.told && peerOf(r).IsLoopback()
}

// operator reports whether a request comes from where operators are.
func (c Config) operator(r *http.Request) bool {
	h, _ := r.Context().Value(hopKey{}).(hop)
	return local(r) || !h.told && contains(c.Operators, peerOf(r))
}

// rebound finds out whether a page of somebody else's has made a browser of this machine send the request: by giving
// its own name this machine's address (DNS rebinding), for which the request has that name as its Host.
func (c Config) rebound(r *http.Request) error {
	at, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if at == nil || !addrOf(at).IsLoopback() {
		return nil
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	_, err := netip.ParseAddr(host)
	if err == nil || host == "localhost" || strings.HasSuffix(host, ".localhost") || slices.Contains(c.Hosts, host) ||
		slices.Contains(c.TLS.ACME.Domains, host) {
		return nil
	}
	return errors.New("this host is not one of this server's: use localhost, or name it with --http-host")
}

// patient returns a handler whose requests' bodies must go on within a time. net/http itself reads what the handler
// leaves of a body, before it answers or afterwards, so the time begins with the request.
//
// A message of HTTP/1.1 that has its length both in Content-Length and in chunks could be two messages to a proxy.
// net/http goes by the chunks, hides the other length, and keeps the connection, which RFC 9112, section 6.1, does not
// permit. So a connection ends with its first request in chunks.
func patient(next http.Handler, limit time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			b := &patientBody{ReadCloser: r.Body, control: http.NewResponseController(w), limit: limit}
			b.extend()
			r.Body = b
			if r.ProtoMajor == 1 && len(r.TransferEncoding) > 0 {
				w.Header().Set("Connection", "close")
			}
		}
		next.ServeHTTP(w, r)
	})
}

// patientBody is a body each read of which has its own deadline.
type patientBody struct {
	io.ReadCloser
	control *http.ResponseController
	limit   time.Duration
}

// extend gives the body its time once more.
func (b *patientBody) extend() {
	_ = b.control.SetReadDeadline(time.Now().Add(b.limit)) // it is closed if that is not possible
}

// Read implements io.Reader. After the end there is no deadline: the connection is watched until the answer is whole.
func (b *patientBody) Read(p []byte) (int, error) {
	b.extend()
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// guard returns a handler whose panics are logged as what they are: bugs. The connection is cut, as net/http does.
func (c Config) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler:
				panic(p)
			default:
				c.Log.Error("http: a bug ended a request", "err", fmt.Sprint(p), "stack", string(debug.Stack()))
				panic(http.ErrAbortHandler)
			}
		}()
		next.ServeHTTP(w, r)
	})
}
