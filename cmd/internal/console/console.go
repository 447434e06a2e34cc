// Package console shows what functions do, and lets people call, deploy and mend them, in a browser.
//
// In go requests for paths below Path; out come pages that are whole without a script, and a stream of what changes in
// them. console.go puts it together, guard.go says who may look, page.go makes a page of a template in pages, and
// events.go keeps it up to date. Each view is a file: functions.go, function.go, calls.go, playground.go, upload.go,
// jobs.go, dead.go, schedules.go, connections.go, runtimes.go, languages.go and invokers.go. It is a client like any
// other: what it shows comes from invoker/client and from subjects that anybody with permission can read.
package console

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"

	"github.com/polyvoke/polyvoke/cmd/internal/console/figures"
	"github.com/polyvoke/polyvoke/cmd/internal/console/recent"
	"github.com/polyvoke/polyvoke/invoker/client"
)

// Path is where the console is mounted.
const Path = "/_/"

// Config says what a console shows, and to whom.
type Config struct {
	// Client asks invokers and makes calls. It must not be nil.
	Client *client.Client
	// Calls has the calls of the invoker of this process, which it observes. Nil means that there is none.
	Calls *recent.Calls
	// Gateway answers requests that the playground makes by HTTP, in this process. Nil means that there is none.
	Gateway http.Handler
	// Connections has the WebSockets of this process. Nil means that there are none.
	Connections Connections

	// Token is what a browser must present once. Empty means that whoever is on this machine may look, and nobody else.
	Token string
	// Admit, if not nil, decides about requests in place of Token: the gateway's own access.
	Admit func(r *http.Request) error
	// Hosts are names by which browsers may reach the console, besides localhost and addresses. Any other name is
	// refused: a page from elsewhere could have bound it to this machine (DNS rebinding).
	Hosts []string

	// Version is polyvoke's own.
	Version string
	// Log takes what operators should know. Nil discards it.
	Log *slog.Logger
}

// Console is an http.Handler for the paths below Path. Its methods may be called from several goroutines.
type Console struct {
	Config
	poller  figures.Poller
	catalog catalog
	logins  logins
	streams chan struct{} // a place for each stream of events
	ended   chan struct{} // closed when Serve has returned
	end     sync.Once
	handler http.Handler
}

// maxStreams is how many pages can be kept up to date at a time.
const maxStreams = 64

// New returns a console. It shows figures while Serve runs.
func New(c Config) (*Console, error) {
	if c.Client == nil || c.Client.Conn == nil {
		return nil, errors.New("console: Client must be set")
	}
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	k := &Console{Config: c, streams: make(chan struct{}, maxStreams), ended: make(chan struct{})}
	k.poller.Conn, k.poller.Log = c.Client.Conn, c.Log
	k.catalog.client = c.Client
	k.handler = k.guard(k.routes())
	return k, nil
}

// Serve gathers figures until ctx ends, and then ends all streams of events. It may be called once.
func (k *Console) Serve(ctx context.Context) error {
	defer k.end.Do(func() { close(k.ended) })
	return k.poller.Serve(ctx)
}

// ServeHTTP implements http.Handler.
func (k *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { k.handler.ServeHTTP(w, r) }

// routes says which file answers what.
func (k *Console) routes() http.Handler {
	m := http.NewServeMux()
	for pattern, view := range map[string]func(http.ResponseWriter, *http.Request){
		"GET /_/{$}":                     k.functions, // functions.go
		"GET /_/live/functions":          k.functionsLive,
		"GET /_/functions/{name}":        k.function, // function.go
		"GET /_/live/functions/{name}":   k.functionLive,
		"POST /_/functions/{name}/queue": k.setQueue,
		"GET /_/calls":                   k.calls, // calls.go
		"GET /_/live/calls":              k.callsLive,
		"GET /_/calls/{seq}":             k.call,
		"GET /_/playground":              k.playground, // playground.go
		"POST /_/playground":             k.play,
		"GET /_/upload":                  k.upload, // upload.go
		"POST /_/upload":                 k.take,
		"GET /_/jobs":                    k.jobs, // jobs.go
		"GET /_/jobs/{job}":              k.job,
		"POST /_/jobs/{job}/cancel":      k.cancelJob,
		"GET /_/dead":                    k.dead, // dead.go
		"POST /_/dead":                   k.changeDead,
		"GET /_/dead/{job}":              k.letter,
		"GET /_/schedules":               k.schedules,   // schedules.go
		"GET /_/connections":             k.connections, // connections.go
		"GET /_/runtimes":                k.runtimes,    // runtimes.go
		"GET /_/languages":               k.languages,   // languages.go
		"GET /_/languages/{name}":        k.language,
		"GET /_/invokers":                k.invokers, // invokers.go
		"GET /_/static/{file}":           k.static,   // static.go
		"GET /_/login":                   k.loginPage,
		"POST /_/login":                  k.login, // guard.go
		"POST /_/logout":                 k.logout,
		"/_/":                            k.missing,
	} {
		m.HandleFunc(pattern, view)
	}
	return m
}
