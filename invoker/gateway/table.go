package gateway

import (
	"log/slog"
	"maps"
	"net/http"
	"net/textproto"
	"slices"

	"github.com/polyvoke/polyvoke/invoker/paths"
	"github.com/polyvoke/polyvoke/protocol"
)

// function is a function that the gateway has been told of.
type function struct {
	manifest *protocol.Function
	direct   *route  // /fn/NAME
	job      *route  // POST /job/NAME
	demands  demands // of direct, and of its jobs
}

// route is where requests go that match a pattern. It is not changed once it is made.
type route struct {
	text     string // the pattern, as functions are told
	shown    string // the pattern, as observers are
	pattern  protocol.HTTPPattern
	function string
	http     protocol.HTTPRoute
	socket   *protocol.WebSocketRoute // nil: none
	own      func(x *exchange) error  // answers instead of a function; nil: none
	only     []string                 // headers that the function gets, by canonical names; nil: all
	rate     protocol.Rate
	input    int64 // the longest body, in bytes; 0: not known
}

// ServeHTTP is there so that a ServeMux takes a route. It is not called.
func (rt *route) ServeHTTP(http.ResponseWriter, *http.Request) {}

// table has the routes of all functions. It is not changed once it is made.
type table struct {
	mux     *http.ServeMux
	changes uint64 // what Gateway.changes was
}

// change puts a function in the place of the one of its name; nil takes it away.
func (g *Gateway) change(name string, f *protocol.Function) {
	g.mu.Lock()
	defer g.mu.Unlock()
	old := g.functions[name]
	if f == nil {
		delete(g.functions, name)
	} else {
		g.functions[name] = &function{manifest: f, direct: newDirect(name, f), job: newJob(f),
			demands: strictest(f)}
	}
	if g.Guard != nil {
		g.tellGuard(name, f)
	}
	if routed(old) || routed(g.functions[name]) {
		g.changes.Add(1)
	}
}

// tellGuard tells the guard of a function that has changed, so that it has what the routes need.
func (g *Gateway) tellGuard(name string, f *protocol.Function) {
	g.Guard.Forget(name)
	if f == nil {
		return
	}
	for _, rt := range routesOf(f) {
		if err := g.Guard.Check(rt.http.Auth); err != nil {
			g.Log.Error("nobody can use a route", "function", name, "route", rt.text, "err", err)
		}
	}
}

// routed reports whether a function has routes.
func routed(f *function) bool {
	return f != nil && len(f.manifest.HTTP)+len(f.manifest.WebSocket) > 0
}

// current returns the table of all functions. The first request after a change makes it, and those that come meanwhile
// wait for it: whoever was told that a function is deployed is answered by it.
func (g *Gateway) current() *table {
	if t := g.table.Load(); t.changes == g.changes.Load() {
		return t
	}
	g.building.Lock()
	defer g.building.Unlock()
	g.mu.RLock()
	changes, all := g.changes.Load(), slices.Collect(maps.Values(g.functions))
	g.mu.RUnlock()
	t := g.table.Load()
	if t.changes != changes {
		t = newTable(all, g.Log)
		t.changes = changes
		g.table.Store(t)
	}
	return t
}

// newTable makes the table of functions. Two that were deployed at the same moment, by two invokers, can have routes
// that conflict: then the one whose name comes first has it.
func newTable(all []*function, log *slog.Logger) *table {
	t := &table{mux: http.NewServeMux()}
	var index paths.Index
	all = slices.DeleteFunc(all, func(f *function) bool { return !routed(f) })
	slices.SortFunc(all, func(a, b *function) int {
		if a.manifest.Name < b.manifest.Name {
			return -1
		}
		return 1
	})
	for _, f := range all {
		for _, rt := range routesOf(f.manifest) {
			e := paths.Entry{Owner: f.manifest.Name, Text: rt.text, Pattern: rt.pattern}
			if other, conflict := index.Conflict(e); conflict {
				log.Error("route not served: another function has one that conflicts with it; deploy one of them anew",
					"function", f.manifest.Name, "route", rt.text, "other", other.Owner, "other_route", other.Text)
				continue
			}
			index.Add(e)
			t.mux.Handle(patternOf(rt), rt)
		}
	}
	return t
}

// patternOf returns the pattern of a route as a ServeMux takes it.
func patternOf(rt *route) string {
	if rt.socket != nil {
		return "GET " + rt.text
	}
	return rt.text
}

// routesOf makes the routes of a function. What cannot be read is left out: the registry has checked it.
func routesOf(f *protocol.Function) []*route {
	var all []*route
	seen := map[string]bool{}
	add := func(rt *route, text, auth, rate string, headers []string) {
		rt.text, rt.shown, rt.function, rt.input = text, text, f.Name, int64(f.Limits.WithDefaults().Input)
		rt.http.Route, rt.http.Auth = text, auth
		rt.only = canonical(headers)
		var err error
		if rt.pattern, err = protocol.ParseHTTPPattern(patternOf(rt)); err != nil || seen[patternOf(rt)] {
			return
		}
		if rt.rate, err = protocol.ParseRate(rate); err == nil {
			seen[patternOf(rt)] = true
			all = append(all, rt)
		}
	}
	for _, r := range f.HTTP {
		add(&route{http: r}, r.Route, r.Auth, r.Rate, r.Headers)
	}
	for i, r := range f.WebSocket {
		add(&route{socket: &f.WebSocket[i]}, r.Route, r.Auth, "", r.Headers)
	}
	return all
}

// canonical returns names of headers as net/http writes them. nil stays nil: it means all.
func canonical(names []string) []string {
	if names == nil {
		return nil
	}
	all := make([]string, 0, len(names))
	for _, n := range names {
		all = append(all, textproto.CanonicalMIMEHeaderKey(n))
	}
	return all
}

// newDirect makes the route /fn/NAME of a function, whose manifest may be nil.
func newDirect(name string, f *protocol.Function) *route {
	rt := &route{text: "/fn/" + name + "/{path...}", shown: "/fn/{function}", function: name}
	rt.pattern, _ = protocol.ParseHTTPPattern(rt.text)
	if f != nil {
		rt.input = int64(f.Limits.WithDefaults().Input)
	}
	return rt
}
