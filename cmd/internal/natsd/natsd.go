// Package natsd is the NATS server that polyvoke brings along.
//
// In goes an address and a folder; out comes a NATS server with JetStream on disk in this
// process, or an error that says which process has the address or the folder already. It is the server
// that everybody knows, with one listener and nothing else: no WebSocket, no monitoring port,
// no cluster. Whoever needs those runs nats-server and joins it.
package natsd

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/polyvoke/polyvoke/runtimes/exhausted"
)

// DefaultListen is where the server listens unless it is told otherwise.
const DefaultListen = "127.0.0.1:4222"

// startTimeout is how long a server may take to open its store and its port.
const startTimeout = time.Minute

// A client that is frozen, or whose machine is, is dropped after 12 to 20 s: until then the server takes it for one
// that is slow, and gives it its share of what comes. nats-server's own defaults take 4 to 6 minutes.
const (
	pingEvery   = 4 * time.Second
	pingsMissed = 2
)

// ErrExposed is in the chain of Start's error if the address is not loopback and nothing
// protects the server.
var ErrExposed = errors.New("no credentials for an address that others can reach")

// ErrInUse is in the chain of Start's error if another process has the address or the folder.
var ErrInUse = errors.New("in use")

// Config says what server to start.
type Config struct {
	// Listen is HOST:PORT. Empty means DefaultListen; port 0 means any free one.
	Listen string
	// Store is the folder for JetStream's files. It is made if it does not exist. It must
	// not be empty.
	Store string
	// User and Password are what clients must present. Empty means that they need not.
	User, Password string
	// Token is what clients must present instead of User and Password. Empty means none.
	Token string
	// Insecure allows an address other than loopback without User or Token.
	Insecure bool
	// PowerLoss has everything on disk before it is acknowledged, so that it outlives the machine too. Without it the
	// server syncs its files every two minutes: what it has acknowledged outlives any end of the process, and of what
	// it has acknowledged since the last sync, the end of the machine can take some. It costs a sync for each message.
	PowerLoss bool
	// Log takes the server's warnings and errors. Nil discards them.
	Log *slog.Logger
}

// Server is a running server. Its methods may be called from several goroutines.
type Server struct {
	reviver *reviver
	lock    *lock
	url     string
	close   sync.Once
}

// Start starts a server and returns when it accepts connections. Nothing has happened if it
// returns an error. The store is locked for as long as the server runs, and not longer, in
// whatever way the process ends.
func Start(c Config) (*Server, error) {
	host, port, err := c.address()
	if err != nil {
		return nil, err
	}
	l, err := lockFolder(c.Store)
	if err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	mend(c.Store, c.Log)
	failed := make(chan struct{}, 1)
	s, err := c.start(host, port, failed)
	if err != nil {
		l.release()
		return nil, err
	}
	n := &Server{reviver: c.watch(s, host, failed), lock: l, url: clientURL(s.Addr().(*net.TCPAddr))}
	l.describe(fmt.Sprintf("process %d, %s", os.Getpid(), n.url))
	return n, nil
}

// clientURL returns where clients on this machine find a server that listens on a.
func clientURL(a *net.TCPAddr) string {
	if a.IP.IsUnspecified() {
		return "nats://127.0.0.1:" + strconv.Itoa(a.Port)
	}
	return "nats://" + a.String()
}

// URL returns the address for clients on this machine, without credentials.
func (s *Server) URL() string { return s.url }

// Close ends the server, waits until it has ended, and gives the store free. It may be called more than once.
func (s *Server) Close() {
	s.close.Do(func() {
		close(s.reviver.quit)
		<-s.reviver.ended
		s.lock.release()
	})
}

// address checks Listen, and that nobody listens there.
func (c Config) address() (host string, port int, err error) {
	listen := c.Listen
	if listen == "" {
		listen = DefaultListen
	}
	host, text, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, fmt.Errorf(`listen address %q: write HOST:PORT, such as %q`, listen, DefaultListen)
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("listen address %q: the port must be a number from 0 to 65535", listen)
	}
	if !c.Insecure && c.User == "" && c.Token == "" && !loopback(host) {
		return "", 0, fmt.Errorf("listen address %q: %w", listen, ErrExposed)
	}
	probe, err := net.Listen("tcp", listen)
	if err != nil {
		return "", 0, fmt.Errorf("listen address %s: %w: %w", listen, ErrInUse, err)
	}
	return host, port, probe.Close()
}

// loopback reports whether only this machine can reach host. An empty host is every address.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// start starts the server on an address that was free a moment ago. failed gets a token when a stream cannot be
// written.
func (c Config) start(host string, port int, failed chan struct{}) (*server.Server, error) {
	if port == 0 {
		port = server.RANDOM_PORT
	}
	s, err := server.NewServer(&server.Options{
		ServerName:    "polyvoke",
		Host:          host,
		Port:          port,
		JetStream:     true,
		StoreDir:      c.Store,
		Username:      c.User,
		Password:      c.Password,
		Authorization: c.Token,
		NoSigs:        true,
		MaxConn:       mostClients(exhausted.Limit()),
		PingInterval:  pingEvery,
		MaxPingsOut:   pingsMissed,
		SyncAlways:    c.PowerLoss,
	})
	if err != nil {
		return nil, fmt.Errorf("nats server: %w", err)
	}
	fatal := make(chan error, 1)
	s.SetLoggerV2(&logger{c.Log, fatal, failed}, false, false, false)
	s.Start()
	ready := make(chan bool, 1)
	go func() { ready <- s.ReadyForConnections(startTimeout) }()
	select {
	case err = <-fatal:
	case ok := <-ready:
		if ok {
			return s, nil
		}
		err = errors.New("it does not accept connections in " + startTimeout.String())
	}
	s.Shutdown()
	s.WaitForShutdown()
	return nil, fmt.Errorf("nats server: %w", err)
}

// kept is how many descriptors clients never get: for the store, for what else the process does, and for being told
// that there is none left.
const kept = 128

// mostClients returns how many clients may be connected to a process with that number of descriptors, or 0 for the
// server's default. One that is too many is told so, where it would otherwise wait for the server to have a
// descriptor again.
func mostClients(descriptors int) int {
	if descriptors == 0 {
		return 0
	}
	return min(descriptors-max(min(kept, descriptors/2), descriptors/8), server.DEFAULT_MAX_CONNECTIONS)
}

// logger hands on what the server says. It implements server.Logger.
type logger struct {
	log    *slog.Logger
	fatal  chan error
	failed chan struct{}
}

var _ server.Logger = (*logger)(nil)

// write logs a line of the server.
func (l *logger) write(level func(*slog.Logger, string, ...any), format string, a []any) {
	level(l.log, "nats server: "+fmt.Sprintf(format, a...))
}

// Noticef implements server.Logger. What a server tells about itself interests few.
func (l *logger) Noticef(format string, a ...any) { l.write((*slog.Logger).Debug, format, a) }

// Debugf implements server.Logger.
func (l *logger) Debugf(format string, a ...any) { l.write((*slog.Logger).Debug, format, a) }

// Tracef implements server.Logger.
func (l *logger) Tracef(format string, a ...any) { l.write((*slog.Logger).Debug, format, a) }

// Warnf implements server.Logger.
func (l *logger) Warnf(format string, a ...any) { l.write((*slog.Logger).Warn, format, a) }

// Errorf implements server.Logger.
func (l *logger) Errorf(format string, a ...any) {
	l.write((*slog.Logger).Error, format, a)
	l.note(format)
}

// Fatalf ends the start of the server; nats-server itself would end the process.
func (l *logger) Fatalf(format string, a ...any) {
	l.write((*slog.Logger).Error, format, a)
	select {
	case l.fatal <- fmt.Errorf(format, a...):
	default:
	}
}
