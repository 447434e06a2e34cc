package web

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/protocol"
)

// Config says how requests are made. The zero value works.
type Config struct {
	Version     string           // polyvoke's own, for User-Agent
	Guard       Guard            // which addresses are refused
	Resolver    *net.Resolver    // finds addresses; nil: the system's
	RootCAs     *x509.CertPool   // who vouches for servers; nil: those whom the system trusts
	Connect     time.Duration    // how long making a connection may take; 0: DefaultConnect. TLS has as long again
	Concurrency int              // requests of one version at a time; 0: DefaultConcurrency
	Cache       int64            // bytes of responses that are kept for all functions; 0: DefaultCache, below 0: none
	Now         func() time.Time // for the age of what is kept; nil: time.Now
}

// Defaults of Config.
const (
	DefaultConnect     = 10 * time.Second
	DefaultConcurrency = 64
	DefaultCache       = 64 << 20
)

// Bounds of a request and a response.
const (
	maxRedirects   = 10
	maxHeaderBytes = 64 << 10 // of a response
	maxWishBytes   = 16 << 10 // of PATH.headers
	maxWishes      = 256      // URLs with a method or headers, a call
	maxMethod      = 32
	maxExchanges   = 1000 // responses that a run holds, however small they are
	heldResponses  = 4    // how many of the largest responses a run may hold at a time
	maxIdle        = 128
	maxIdlePerHost = 8
	idleTime       = 90 * time.Second
)

// Web is the Kind of grants of HTTP. It belongs to the functions of one registry: what it keeps of responses is told
// apart by the names of functions. Its methods may be called from several goroutines.
type Web struct {
	config    Config
	transport *http.Transport
	cache     *cache
}

var _ backend.Kind = (*Web)(nil)

// New returns a Web. The caller calls Close when no function uses it any more.
func New(c Config) *Web {
	c.Connect = cmp.Or(c.Connect, DefaultConnect)
	c.Concurrency = cmp.Or(c.Concurrency, DefaultConcurrency)
	if c.Now == nil {
		c.Now = time.Now
	}
	w := &Web{config: c, cache: newCache(cmp.Or(c.Cache, DefaultCache), c.Now)}
	dialer := &net.Dialer{Timeout: c.Connect, Resolver: c.Resolver, Control: w.config.Guard.control}
	w.transport = &http.Transport{
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        &tls.Config{RootCAs: c.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    c.Connect,
		MaxResponseHeaderBytes: maxHeaderBytes,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		IdleConnTimeout:        idleTime,
	}
	return w
}

// Close closes connections that nobody uses.
func (w *Web) Close() { w.transport.CloseIdleConnections() }

// Open implements backend.Kind. It connects to nobody.
func (w *Web) Open(_ context.Context, f *protocol.Function, grants []protocol.Grant) ([]backend.Resource, error) {
	rules, err := parseRules(grants)
	if err != nil {
		return nil, err
	}
	return []backend.Resource{&resource{web: w, function: f.Name, rules: rules,
		turns: make(chan struct{}, w.config.Concurrency)}}, nil
}

// resource is /http of one version.
type resource struct {
	web      *Web
	function string
	rules    []*rule
	turns    chan struct{} // has one for each request that is being made
	running  sync.WaitGroup
}

var _ backend.Resource = (*resource)(nil)

// Mount implements backend.Resource.
func (r *resource) Mount() string { return protocol.Grant{HTTP: "host"}.Mount() }

// Begin implements backend.Resource.
func (r *resource) Begin(t *backend.Transaction) backend.Session { return newSession(r, t) }

// Close implements backend.Resource. It waits for the requests of runs that have ended.
func (r *resource) Close() { r.running.Wait() }
