package web

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// request is what a function asks for.
type request struct {
	method string
	at     place
	rule   *rule
	header http.Header // that the function has set
	body   []byte      // nil: none
	own    http.Header // that go with it whatever the function sets
	fresh  bool        // no cache is asked
}

// response is what came of it.
type response struct {
	status int
	header http.Header
	length int64         // of the body; -1: not known
	body   io.ReadCloser // nil: it is kept
	kept   *entry        // the one that it is, if it is
	keep   *entry        // what is to be kept, with the body; nil: nothing
}

// close lets go of a response.
func (r *response) close() {
	if r.body != nil {
		_ = r.body.Close() // nobody reads it
	}
}

// content returns a response that is kept.
func content(e *entry, now time.Time) *response {
	h := e.header.Clone()
	h.Set("Age", formatSeconds(e.age+now.Sub(e.came)))
	return &response{status: http.StatusOK, header: h, length: int64(len(e.body)), kept: e}
}

// fetch makes a request, and follows redirects as far as rules allow that. take is asked before each one. An error may
// come with a response, whose body is closed.
func (r *resource) fetch(ctx context.Context, q request, take func(*rule) error) (*response, error) {
	for hop := 0; ; hop++ {
		if err := take(q.rule); err != nil {
			return nil, err
		}
		got, err := r.trip(ctx, q)
		if err != nil {
			return nil, failed(err)
		}
		location := got.header.Get("Location")
		if !isRedirect(got.status) || location == "" {
			return got, nil
		}
		got.close()
		if hop == maxRedirects {
			return got, &failure{"it was redirected more than 10 times", errIO}
		}
		if q, err = r.redirect(q, got.status, location); err != nil {
			return got, err
		}
	}
}

// isRedirect reports whether a status leads to another place.
func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect,
		http.StatusPermanentRedirect:
		return true
	}
	return false
}

// redirect returns the request to which a redirect leads.
func (r *resource) redirect(q request, status int, location string) (request, error) {
	to, err := redirected(q.at, location)
	if err != nil {
		return q, &failure{err.Error(), syscall.EACCES}
	}
	if keeps := status == http.StatusTemporaryRedirect || status == http.StatusPermanentRedirect; !keeps &&
		q.method != http.MethodHead && !(q.method != http.MethodPost && status != http.StatusSeeOther) {
		q.method, q.body = http.MethodGet, nil // as browsers do (RFC 9110, 15.4)
	}
	if !to.sameOrigin(q.at) {
		q.header = forOrigin(q.header)
	}
	if q.body == nil {
		q.header = q.header.Clone()
		q.header.Del("Content-Type")
	}
	q.at = to
	if q.rule, err = allowed(r.rules, to, q.method); err != nil {
		return q, &failure{"it was redirected to " + to.origin() + ", but " + err.Error(), syscall.EACCES}
	}
	return q, nil
}

// trip makes one request, without redirects, or finds its response among those that are kept.
func (r *resource) trip(ctx context.Context, q request) (*response, error) {
	read, keep := asksCache(q.method, q.header)
	of, wishes := cached{r.function, q.at.String()}, formatHeaders(q.header)
	var old *entry
	if read && !q.fresh {
		if old = r.web.cache.find(of, wishes); old != nil && old.fresh(r.web.config.Now()) {
			return content(old, r.web.config.Now()), nil
		}
	}
	asked := r.web.config.Now()
	got, err := r.web.transport.RoundTrip(q.make(ctx, old, r.web.config.Version))
	if err != nil {
		return nil, err
	}
	if got.StatusCode == http.StatusSwitchingProtocols {
		_ = got.Body.Close() // it is a connection
		return nil, &failure{"the server answered 101, as if it had been asked for another protocol", errIO}
	}
	came := r.web.config.Now()
	if old != nil && got.StatusCode == http.StatusNotModified {
		_ = got.Body.Close() // it has none
		n, keep := old.renewed(got.Header, asked, came)
		if r.web.cache.forget(of); keep {
			r.web.cache.put(n)
		}
		return content(n, came), nil
	}
	if !isSafe(q.method) && got.StatusCode < 400 {
		r.web.cache.forget(of)
	}
	out := &response{status: got.StatusCode, header: got.Header, length: got.ContentLength, body: got.Body}
	if lifetime, ok := keepable(got.StatusCode, got.Header); ok && keep {
		out.keep = &entry{of: of, wishes: wishes, header: got.Header, came: came, lifetime: lifetime,
			age: ageOf(got.Header, asked, came)}
	}
	return out, nil
}

// make returns a request as package http has it. old is a stale response that the server may say is still the one.
//
// The body cannot be read twice, and Idempotency-Key is not spelled as package http looks for it: so a request with an
// effect is sent once, also if a connection breaks. The key is for servers that know it, when a call is repeated.
func (q request) make(ctx context.Context, old *entry, version string) *http.Request {
	h := q.header.Clone()
	for name, values := range q.own {
		if h[http.CanonicalHeaderKey(name)] == nil {
			h[name] = values
		}
	}
	if h["User-Agent"] == nil {
		h["User-Agent"] = []string{strings.TrimSuffix("polyvoke/"+version, "/")}
	}
	if key := h["Idempotency-Key"]; key != nil {
		delete(h, "Idempotency-Key")
		h[idempotencyKey] = key
	}
	if old != nil {
		if tag := old.header["Etag"]; tag != nil {
			h["If-None-Match"] = tag[:1]
		} else if at := old.header["Last-Modified"]; at != nil {
			h["If-Modified-Since"] = at[:1]
		}
	}
	m := &http.Request{Method: q.method, Header: h, Host: q.at.origin(), URL: q.at.url(), Proto: "HTTP/1.1",
		ProtoMajor: 1, ProtoMinor: 1}
	if q.body != nil {
		m.ContentLength = int64(len(q.body))
		if m.Body = http.NoBody; len(q.body) > 0 {
			m.Body = io.NopCloser(bytes.NewReader(q.body))
		}
	}
	return m.WithContext(ctx)
}

// idempotencyKey is the name of a header, in lower case as HTTP/2 has it.
const idempotencyKey = "idempotency-key"

// url returns a place as package http has it. The path is sent as it is.
func (p place) url() *url.URL {
	u := &url.URL{Scheme: p.scheme, Host: p.origin(), RawQuery: strings.TrimPrefix(p.query, "?"),
		ForceQuery: p.query == "?"}
	u.Path, u.RawPath = p.path, p.path
	if plain, err := url.PathUnescape(p.path); err == nil {
		u.Path = plain
	}
	return u
}
