package connect

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/protocol"
)

// DefaultTimeout is how long to wait for NATS to answer.
const DefaultTimeout = client.DefaultTimeout

// Session is a connection to NATS for the length of one command, and polyvoke's client on it. Its methods may be called
// from several goroutines, if Progress may. Close ends it.
type Session struct {
	*nats.Conn
	*client.Client
	JS jetstream.JetStream // that of the settings
}

// How a connection that breaks is noticed and made again. A peer that is frozen is missed after three pings.
const (
	pingEvery     = 4 * time.Second
	pingsMissed   = 2
	reconnectMin  = 100 * time.Millisecond // doubles with each try
	reconnectMax  = 800 * time.Millisecond
	reconnectMore = 150 * time.Millisecond // at most, at random, so that not all come at once
	connectPause  = 100 * time.Millisecond
	absence       = 2 * time.Second // how long a server that is not there is waited for: it may be starting
)

// To reaches NATS, with settings that have been resolved, under a name that operators see. The connection
// outlives the server's restarts: what is asked on it waits for as long as it may. A server that is not there is
// waited for too, for a moment: it may just be starting again. The error's code is 400 for a setting that is wrong,
// and 503 if NATS cannot be reached.
func To(settings *Settings, name string, more ...nats.Option) (*Session, error) {
	options, err := settings.options()
	if err != nil {
		return nil, err
	}
	s := &Session{Client: &client.Client{
		Domain: settings.Domain, APIPrefix: settings.APIPrefix, URL: Redact(settings.Server), Timeout: settings.Timeout,
	}}
	options = append(options, nats.Name(name), nats.Timeout(settings.Timeout), nats.MaxReconnects(-1),
		nats.CustomReconnectDelay(reconnectDelay), nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(pingsMissed))
	if s.Conn, err = reach(settings, append(options, more...)); err != nil {
		return nil, connectError(s.URL, err)
	}
	s.Client.Conn = s.Conn
	if s.JS, err = s.Client.JetStream(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// reach connects, and tries again for a while if the server is not there or the connection is cut before it stands.
func reach(settings *Settings, options []nats.Option) (nc *nats.Conn, err error) {
	for begun := time.Now(); ; time.Sleep(connectPause) {
		nc, err = nats.Connect(settings.Server, options...)
		patience := time.Duration(0)
		switch {
		case err == nil:
			return nc, nil
		case errors.Is(err, nats.ErrNoServers):
			patience = min(absence, settings.Timeout)
		case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
			patience = settings.Timeout
		}
		if time.Since(begun) >= patience {
			return nil, err
		}
	}
}

// reconnectDelay returns how long to wait before all servers are tried once more.
func reconnectDelay(tries int) time.Duration {
	return min(reconnectMin<<min(max(tries-1, 0), 8), reconnectMax) + rand.N(reconnectMore)
}

// connectError says what to do about a server that could not be reached.
func connectError(url string, err error) error {
	hint := ": check --server, and whether the server requires TLS (--tlsca)"
	switch {
	case errors.Is(err, nats.ErrNoServers):
		return &protocol.Error{Code: protocol.CodeUnavailable, Err: err,
			Msg: fmt.Sprintf("no NATS server answers on %s: start one with polyvoke serve, or name another with --server", url)}
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		hint = ": give --user and --password, --token, --creds, --nkey or --context"
	case errors.Is(err, nats.ErrTimeout):
		hint = ": check that it is a NATS server, or raise --timeout"
	}
	return protocol.Errorf(protocol.CodeUnavailable, "", "NATS on %s: %w%s", url, err, hint)
}

// Redact returns a list of servers, with commas, without what is secret in it.
func Redact(servers string) string {
	list := strings.Split(servers, ",")
	for i, s := range list {
		if u, err := url.Parse(strings.TrimSpace(s)); err == nil && u.User != nil {
			u.User = url.User("...")
			list[i] = u.String()
		}
	}
	return strings.Join(list, ",")
}
