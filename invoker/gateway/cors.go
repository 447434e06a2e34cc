package gateway

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// cors answers what a browser asks before it lets a script of another origin send a request (fetch.spec.whatwg.org,
// section 3.3), where the route has rules for that. It also answers OPTIONS for /fn/. It reports whether it has
// answered.
func (x *exchange) cors() bool {
	if x.r.Method != http.MethodOptions {
		return false
	}
	asked := x.preflight()
	direct := x.route.http.Route == "" && x.route.own == nil
	if !asked && !direct {
		return false
	}
	if direct {
		x.w.Header().Set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
	}
	x.finish(http.StatusNoContent, nil)
	return true
}

// preflight sets the headers of the answer to a preflight request, if the route that it asks for has rules and lets
// its origin in, and reports whether there are rules.
func (x *exchange) preflight() bool {
	method, origin := x.r.Header.Get("Access-Control-Request-Method"), x.r.Header.Get("Origin")
	if method == "" || origin == "" {
		return false
	}
	r := *x.lowerHost()
	r.Method = method
	found, _ := x.current().mux.Handler(&r)
	rt, ok := found.(*route)
	if !ok || rt.http.CORS == nil {
		return false
	}
	h, rules := x.w.Header(), rt.http.CORS
	h["Vary"] = append(h["Vary"], "Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers")
	if !allowed(rules, origin) || len(rules.Methods) > 0 && !slices.Contains(rules.Methods, method) {
		return true
	}
	allow(h, rules, origin)
	h.Set("Access-Control-Allow-Methods", protocol.CleanValue(method, 64))
	if len(rules.Methods) > 0 {
		h.Set("Access-Control-Allow-Methods", strings.Join(rules.Methods, ", "))
	}
	if headers := r.Header.Get("Access-Control-Request-Headers"); len(rules.Headers) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.Join(rules.Headers, ", "))
	} else if headers != "" {
		h.Set("Access-Control-Allow-Headers", headers)
	}
	age := rules.MaxAge
	if age == 0 {
		age = protocol.DefaultCORSAge
	}
	h.Set("Access-Control-Max-Age", strconv.Itoa(int(time.Duration(age).Seconds())))
	return true
}

// corsHeaders lets a script of another origin read the answer, if the route's rules do.
func (x *exchange) corsHeaders() {
	if x.route == nil || x.route.http.CORS == nil {
		return
	}
	h, rules, origin := x.w.Header(), x.route.http.CORS, x.r.Header.Get("Origin")
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			delete(h, name) // the route's rules are the only ones
		}
	}
	if !slices.Contains(h["Vary"], "Origin") {
		h["Vary"] = append(slices.Clip(h["Vary"]), "Origin")
	}
	if origin == "" || !allowed(rules, origin) {
		return
	}
	allow(h, rules, origin)
	if len(rules.Expose) > 0 {
		h.Set("Access-Control-Expose-Headers", strings.Join(rules.Expose, ", "))
	}
}

// allowed reports whether rules let an origin in.
func allowed(rules *protocol.CORS, origin string) bool {
	return slices.Contains(rules.Origins, "*") || slices.Contains(rules.Origins, origin)
}

// allow sets the headers that let an origin in.
func allow(h http.Header, rules *protocol.CORS, origin string) {
	if slices.Contains(rules.Origins, "*") {
		origin = "*"
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if rules.Credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
}
