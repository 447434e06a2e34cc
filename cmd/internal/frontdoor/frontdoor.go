// Package frontdoor is the HTTP server in front of functions: connections come in, and requests go out to a handler.
//
// A connection is taken and bounded by conns.go, and decrypted by tls.go, with certificates of files or of acme.go. Its
// requests pass trust.go, which finds out who the client is, and mux.go, which knows the paths of operators; all else
// is for the gateway. access.go writes a line for each answer. openapi.go describes the routes. Nothing here knows of
// NATS or runs functions.
package frontdoor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds that Config's zero values mean.
const (
	DefaultConnections = 16384            // of all clients together
	DefaultOfAddress   = 1024             // connections of one address that is no proxy of ours
	DefaultMaxHeader   = 64 << 10         // bytes of a request's line and headers
	DefaultHeaderTime  = 10 * time.Second // until they must have come, with the handshake before them
	DefaultBodyTime    = time.Minute      // without a byte of a request's body
	DefaultWriteTime   = time.Minute      // in which a client must take writePiece bytes
	DefaultIdleTime    = 2 * time.Minute  // between two requests of a connection
	DefaultDrain       = 30 * time.Second
)

// Config says how a Server listens, and for whom. Open checks it.
type Config struct {
	// Addr is HOST:PORT to listen on. Port 0 is any free one; an empty host is every address.
	Addr string
	// Handler answers what is not for operators. It must not be nil.
	Handler http.Handler
	// Console answers what is below /_/. Nil means that there is none.
	Console http.Handler
	// Metrics answers /metrics, to operators. Nil means that there are none.
	Metrics http.Handler
	// OpenAPI answers /_/openapi.json, to operators. Nil means that there is none.
	OpenAPI http.Handler
	// Ready says why requests cannot be answered now, to /readyz. Nil means that they always can.
	Ready func() error
	// Pprof has /debug/pprof/ answered, to this machine.
	Pprof bool

	// TLS says where certificates come from. The zero value means that connections are not encrypted.
	TLS TLS
	// Trust says which proxies may speak for clients.
	Trust Trust
	// Operators are the addresses that may read /metrics and /_/openapi.json besides this machine.
	Operators []netip.Prefix
	// Hosts are the names under which this machine's own clients reach the operators' paths and the console, besides
	// localhost and addresses.
	Hosts []string

	// Connections bounds those of all clients. 0 means DefaultConnections.
	Connections int
	// OfAddress bounds the connections of one address, proxies of Trust excepted. 0 means DefaultOfAddress.
	OfAddress int
	// MaxHeader bounds the line and headers of a request, in bytes. 0 means DefaultMaxHeader.
	MaxHeader int
	// HeaderTime, BodyTime, WriteTime and IdleTime bound how long a client may take: for a request's headers, for each
	// part of its body, for each part of an answer, and between requests. 0 means the defaults above.
	HeaderTime, BodyTime, WriteTime, IdleTime time.Duration
	// Notice is how long connections are still taken after the end of Serve's context, while /readyz already answers
	// 503, so that load balancers send their requests elsewhere. 0 is no time.
	Notice time.Duration
	// Drain is how long requests may go on after that. 0 means DefaultDrain.
	Drain time.Duration
	// Ending is told when Serve's context has ended, to end connections that have been taken over. Serve waits for it,
	// for as long as Drain. It may be nil.
	Ending func(ctx context.Context)
	// Log takes what operators should know. Nil discards it.
	Log *slog.Logger
}

// Server is a listener and what answers there. Open makes one.
type Server struct {
	c     Config
	conns *conns
	certs *certificates // nil without TLS
	http  *http.Server
	also  *http.Server // answers ACME's challenges on a port of their own; nil for none
	other net.Listener // of also

	ending atomic.Bool // Serve's context has ended
}

// Open checks a configuration and begins to listen, so that what is wrong is known before anything else begins.
// Connections are taken when Serve runs. An error names the setting, as Setting.
func Open(c Config) (*Server, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	s := &Server{c: c}
	s.c.Ready = s.ready(c.Ready)
	var err error
	if s.certs, err = c.TLS.open(c.Log); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return nil, &Setting{"http", fmt.Errorf("%w: choose another address, or end what listens there", err)}
	}
	if s.certs != nil && s.certs.challenges != nil {
		if s.other, err = net.Listen("tcp", c.TLS.ACME.HTTPAddr); err != nil {
			l.Close()
			return nil, &Setting{"acme-http", err}
		}
		s.also = &http.Server{Handler: s.certs.challenges, ReadTimeout: c.HeaderTime, WriteTimeout: c.WriteTime,
			MaxHeaderBytes: c.MaxHeader, ErrorLog: errorLog(c.Log)}
	}
	s.conns = newConns(l, c)
	s.http = s.server()
	return s, nil
}

// Setting is the error for a setting that cannot be used.
type Setting struct {
	Name string // the flag, without dashes
	Err  error
}

// Error names the setting.
func (s *Setting) Error() string { return "--" + s.Name + ": " + s.Err.Error() }

// Unwrap returns the cause.
func (s *Setting) Unwrap() error { return s.Err }

// withDefaults returns a configuration with defaults in place of zero values.
func (c Config) withDefaults() Config {
	c.Connections, c.OfAddress = cmp.Or(c.Connections, DefaultConnections), cmp.Or(c.OfAddress, DefaultOfAddress)
	c.MaxHeader = cmp.Or(c.MaxHeader, DefaultMaxHeader)
	c.HeaderTime, c.BodyTime = cmp.Or(c.HeaderTime, DefaultHeaderTime), cmp.Or(c.BodyTime, DefaultBodyTime)
	c.WriteTime, c.IdleTime = cmp.Or(c.WriteTime, DefaultWriteTime), cmp.Or(c.IdleTime, DefaultIdleTime)
	c.Drain = cmp.Or(c.Drain, DefaultDrain)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// check refuses what means nothing.
func (c Config) check() error {
	switch {
	case c.Handler == nil:
		return errors.New("frontdoor: Handler is nil")
	case c.Connections < 1:
		return &Setting{"http-connections", errors.New("it must be 1 or more")}
	case c.OfAddress < 1:
		return &Setting{"http-connections-per-address", errors.New("it must be 1 or more")}
	case c.MaxHeader < 1<<10 || c.MaxHeader > 1<<20:
		return &Setting{"http-max-header", errors.New("it must be from 1KiB to 1MiB")}
	case c.Notice < 0:
		return &Setting{"drain-notice", errors.New("it must not be less than zero")}
	case min(c.HeaderTime, c.BodyTime, c.WriteTime, c.IdleTime, c.Drain) < 0:
		return errors.New("frontdoor: a time is less than zero")
	}
	return c.Trust.check()
}

// server makes the server of net/http. Streams and WebSockets last as long as they like, so nothing bounds a whole
// request or a whole answer: what is bounded is the time without progress.
func (s *Server) server() *http.Server {
	c := s.c
	hs := &http.Server{
		Handler:           c.guard(c.Trust.wrap(patient(c.mux(), c.BodyTime))),
		ReadHeaderTimeout: c.HeaderTime,
		IdleTimeout:       c.IdleTime,
		MaxHeaderBytes:    c.MaxHeader,
		ConnState:         s.conns.state,
		ErrorLog:          errorLog(c.Log),
		Protocols:         new(http.Protocols),
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 100, SendPingTimeout: c.IdleTime, WriteByteTimeout: c.WriteTime,
			MaxReceiveBufferPerStream: 256 << 10, MaxReceiveBufferPerConnection: 1 << 20},
	}
	hs.Protocols.SetHTTP1(true)
	if s.certs == nil {
		hs.Protocols.SetUnencryptedHTTP2(true)
		return hs
	}
	hs.Protocols.SetHTTP2(true)
	hs.TLSConfig = s.certs.config()
	return hs
}

// URL returns where the server is reached: on this machine, if it listens on every address.
func (s *Server) URL() string {
	scheme := "http"
	if s.certs != nil {
		scheme = "https"
	}
	a := s.conns.Addr().(*net.TCPAddr).AddrPort()
	host := a.Addr().Unmap().String()
	if a.Addr().IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, fmt.Sprint(a.Port()))
}

// HasFiles reports whether the certificate comes from files, which Reload reads.
func (s *Server) HasFiles() bool { return s.certs != nil && s.certs.files != nil }

// Reload reads the certificate's files again. It does nothing where there are none. With an error the certificate
// stays that it was.
func (s *Server) Reload() error {
	if s.certs == nil {
		return nil
	}
	return s.certs.reload()
}

// Close ends a server that does not Serve.
func (s *Server) Close() error {
	if s.other != nil {
		s.other.Close()
	}
	return s.conns.Close()
}

// Serve answers requests until ctx ends. From then on it is not ready. After Notice it takes no more connections, and
// goes on with the requests that it has, for up to Drain; what is left is cut off. The error says why it could not go
// on, or that something was cut off.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	if s.certs != nil && s.certs.files != nil {
		running.Go(func() { s.certs.follow(ctx, s.c.Log) })
	}
	ended := make(chan error, 2)
	running.Go(func() { ended <- s.serveConns() })
	if s.also != nil {
		running.Go(func() { ended <- s.also.Serve(s.other) })
	}
	var err error
	select {
	case <-ctx.Done():
		err = s.notice(ended)
	case err = <-ended: // there is nothing to listen on any more
	}
	end := s.shutdown()
	cancel()
	running.Wait()
	return errors.Join(err, end)
}

// ready returns what says why requests cannot be answered now: because the server ends, or as other says.
func (s *Server) ready(other func() error) func() error {
	return func() error {
		switch {
		case s.ending.Load():
			return errors.New("this server ends")
		case other != nil:
			return other()
		}
		return nil
	}
}

// notice tells those who ask that the server ends, and gives them the time to hear of it, unless it cannot go on.
func (s *Server) notice(ended <-chan error) error {
	s.ending.Store(true)
	if s.c.Notice == 0 {
		return nil
	}
	s.c.Log.Info("HTTP will end", "notice", s.c.Notice)
	s.http.SetKeepAlivesEnabled(false) // who comes again may go elsewhere
	over := time.NewTimer(s.c.Notice)
	defer over.Stop()
	select {
	case <-over.C:
		return nil
	case err := <-ended:
		return err
	}
}

// serveConns answers what comes over the connections.
func (s *Server) serveConns() error {
	if s.certs == nil {
		return s.http.Serve(s.conns)
	}
	return s.http.ServeTLS(s.conns, "", "")
}

// shutdown ends the servers, with patience for what they answer.
func (s *Server) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.c.Drain)
	defer cancel()
	var ending sync.WaitGroup
	if s.c.Ending != nil {
		ending.Go(func() { s.c.Ending(ctx) })
	}
	err := s.http.Shutdown(ctx)
	if s.also != nil {
		err = errors.Join(err, s.also.Shutdown(ctx))
	}
	ending.Wait()
	if err != nil {
		err = fmt.Errorf("http: %d connections were cut off, because --drain %s has passed: %w",
			s.conns.open(), s.c.Drain, err)
		s.http.Close()
	}
	s.conns.closeTaken()
	return err
}

// errorLog returns a logger for net/http, whose lines are about single connections.
func errorLog(log *slog.Logger) *stdLog { return slog.NewLogLogger(log.Handler(), slog.LevelDebug) }
