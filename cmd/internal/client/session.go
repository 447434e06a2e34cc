package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
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

	// Edits tells that each deployment of a function is an edit of the one before, to be there soon. It may be set until the first
	// deployment.
	Edits bool

	timeout time.Duration // for an answer of the control service or of JetStream
	api     string        // prefix of JetStream's API, if it is not $JS.API
	denials *denials.Watch
}

// Connect reaches NATS, with settings that have been resolved, under a name that operators see.
// Unless an option says otherwise, the connection is for one answer: when it breaks, whoever
// waits on it learns so at once. The error's code is 400 for a setting that is wrong, and 503
// if NATS cannot be reached.
func Connect(settings *Settings, name string, more ...nats.Option) (*Session, error) {
	options, err := settings.options()
	if err != nil {
		return nil, err
	}
	s := &Session{URL: Redact(settings.Server), timeout: settings.Timeout, api: settings.APIPrefix}
	options = append(options, nats.Name(name), nats.Timeout(settings.Timeout),
		nats.NoReconnect(), nats.UseOldRequestStyle()) // requests of the new style do not learn
	s.Conn, err = nats.Connect(settings.Server, append(options, more...)...)
	if err != nil {
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

// Lasting is the option of Connect for a connection that outlives the server's restarts.
func Lasting(o *nats.Options) error {
	o.AllowReconnect, o.MaxReconnect, o.UseOldRequestStyle = true, -1, false
	return nil
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
		return d.Subject == subject
	})
}
