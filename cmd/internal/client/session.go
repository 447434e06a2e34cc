package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/denials"
	"github.com/polyvoke/polyvoke/protocol"
)

// Session is a connection to NATS for the length of one command. Its methods may be called from
// several goroutines, if Progress may. Close ends it.
type Session struct {
	*nats.Conn
	JS  jetstream.JetStream // that of the settings
	URL string              // for messages, without passwords

	// Progress, if it is not nil, wraps what is uploaded, so that somebody can watch it. It is
	// given what is being done and the number of bytes, and may be set until the first upload.
	Progress func(r io.Reader, what string, total int64) io.Reader

	// Waiting, if it is not nil, is told what is waited for that can take long, and returns what to call
	// when it is over. It may be set until the first deployment.
	Waiting func(what string) (done func())

	// Edits tells that each deployment of a function is an edit of the one before, to be there soon. It may be set
	// until the first deployment.
	Edits bool

	timeout time.Duration // for an answer of the control service or of JetStream
	api     string        // prefix of JetStream's API, if it is not $JS.API
	denials *denials.Watch
}

// How a connection that breaks is noticed and made anew. A peer that is frozen is missed after three pings.
const (
	pingEvery     = 4 * time.Second
	pingsMissed   = 2
	reconnectMin  = 100 * time.Millisecond // doubles with each try
	reconnectMax  = 800 * time.Millisecond
	reconnectMore = 150 * time.Millisecond // at most, at random, so that not all come at once
	connectPause  = 100 * time.Millisecond
)

// Connect reaches NATS, with settings that have been resolved, under a name that operators see. The connection
// outlives the server's restarts: what is asked on it waits for as long as it may. A server that is not there is
// waited for too, for a moment: it may just be starting again. The error's code is 400 for a setting that is wrong,
// and 503 if NATS cannot be reached.
func Connect(settings *Settings, name string, more ...nats.Option) (*Session, error) {
	options, err := settings.options()
	if err != nil {
		return nil, err
	}
	s := &Session{URL: Redact(settings.Server), timeout: settings.Timeout, api: settings.APIPrefix}
	options = append(options, nats.Name(name), nats.Timeout(settings.Timeout), nats.MaxReconnects(-1), nats.CustomReconnectDelay(reconnectDelay),
		nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(pingsMissed))
	if s.Conn, err = reach(settings, append(options, more...)); err != nil {
		return nil, connectError(s.URL, err)
	}
	s.denials = denials.On(s.Conn, nil)
	if s.JS, err = settings.jetStream(s.Conn); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// jetStream returns the JetStream that the settings mean.
func (s *Settings) jetStream(nc *nats.Conn) (jetstream.JetStream, error) {
	switch {
	case s.Domain != "":
		return jetstream.NewWithDomain(nc, s.Domain)
	case s.APIPrefix != "":
		return jetstream.NewWithAPIPrefix(nc, s.APIPrefix)
	}
	return jetstream.New(nc)
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
	hint := ": is --server right, and does it want TLS (--tlsca) or not?"
	switch {
	case errors.Is(err, nats.ErrNoServers):
		return &protocol.Error{Code: protocol.CodeUnavailable, Err: err,
			Msg: fmt.Sprintf("no NATS server answers on %s: start one with polyvoke serve, or name another with --server", url)}
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		hint = ": give --user and --password, --token, --creds, --nkey or --context"
	case errors.Is(err, nats.ErrTimeout):
		hint = ": is it a NATS server? --timeout gives it more time"
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

// Within bounds what waits for an answer that is not a function's by the timeout of the settings.
func (s *Session) Within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.timeout)
}

// Permitted returns a context that ends when NATS does not permit what somebody waits for: a publication on a subject
// or a subscription to it, an inbox, or, if the subject is empty, a request to JetStream. What it returns beside must
// be called with the error of the wait, and returns the refusal, whose code is 403, in place of that.
func (s *Session) Permitted(ctx context.Context, subject string) (context.Context, func(error) error) {
	inbox := cmp.Or(s.Opts.InboxPrefix, "_INBOX") + "."
	return s.denials.During(ctx, func(d denials.Denial) bool {
		switch {
		case d.Subscription && (d.Subject == "" || strings.HasPrefix(d.Subject, inbox)):
			return true
		case subject == "":
			return strings.HasPrefix(d.Subject, "$") || s.api != "" && strings.HasPrefix(d.Subject, s.api)
		}
		return d.Subject == subject || strings.HasPrefix(d.Subject, subject+".")
	})
}

// connected waits until there is a connection, or ctx ends.
func (s *Session) connected(ctx context.Context) error {
	for !s.IsConnected() {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case s.IsClosed():
			return nats.ErrConnectionClosed
		}
		pause(ctx, askPause)
	}
	return nil
}

// connectedWithin is connected for a time.
func (s *Session) connectedWithin(ctx context.Context, d time.Duration) error {
	if s.IsConnected() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return s.connected(ctx)
}

// lostTime is how long something is tried again that fails because the connection does, if ctx lets it.
const lostTime = time.Minute

// again does something, and does it again as long as it fails because the connection was cut or an answer was lost
// with it. It must bear being done twice.
func (s *Session) again(ctx context.Context, do func() error) error {
	for begun := time.Now(); ; pause(ctx, reconnectMin) {
		err := do()
		lost := s.broke(err) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded)
		if !lost || ctx.Err() != nil || time.Since(begun) > lostTime {
			return err
		}
	}
}

// broke reports whether an error says that the connection was cut, and is about to be made anew. The error of a socket
// comes from a write for which there was no more room in the buffer, that of a closed connection also from waiting for a
// flush.
func (s *Session) broke(err error) bool {
	var socket *net.OpError
	return !s.IsClosed() && (errors.As(err, &socket) || errors.Is(err, nats.ErrDisconnected) || errors.Is(err, nats.ErrConnectionReconnecting) ||
		errors.Is(err, nats.ErrConnectionClosed))
}
