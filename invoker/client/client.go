// Package client calls functions of polyvoke on NATS and manages them, from any Go program.
//
// In go requests and modules; out come replies. A Client needs a connection of nats.go, and nothing else:
//
//	nc, err := nats.Connect(nats.DefaultURL)
//	if err != nil {
//		return err
//	}
//	defer nc.Close()
//	c := &client.Client{Conn: nc}
//	if _, err = c.Deploy(ctx, protocol.Function{Name: "greet"}, wasm); err != nil {
//		return err
//	}
//	reply, err := c.Call(ctx, &protocol.Request{Function: protocol.Ref{Name: "greet"}, Body: []byte("Ada")})
//
// The files are the steps of a request: call.go sends and waits, bodies.go carries what is too large for a message;
// deploy.go, control.go and runtimes.go speak to the control service, and ask.go finds an invoker that is alive to
// answer. Errors say what to do next; those with a code are *protocol.Error. Nothing here prints, reads the
// environment or knows of a command line.
package client

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/denials"
	"github.com/polyvoke/polyvoke/protocol"
)

// DefaultTimeout is how long NATS may take to answer, as with the official command line.
const DefaultTimeout = 5 * time.Second

// Client is polyvoke's client on a connection to NATS. Its fields are set before the first call of a method and not
// changed afterwards, but for those that say otherwise. Its methods may then be called from several goroutines. One
// Client for each connection is enough: it stays on the connection's error handler, and a copy of it is none.
type Client struct {
	// Conn carries everything. It must not be nil, and its owner closes it. Its ErrorHandler is not to be set again
	// after the first call of a method: the client learns from it what NATS does not permit. What is asked while it is
	// made anew waits, so it should have been made with nats.MaxReconnects(-1).
	Conn *nats.Conn
	// Domain is the JetStream domain. Empty means that of the server of Conn.
	Domain string
	// APIPrefix is the prefix of JetStream's API, in place of a domain. Empty means $JS.API.
	APIPrefix string
	// URL is what errors call the NATS server. Empty means the address to which Conn is connected.
	URL string
	// Timeout is how long NATS, JetStream and the control service may take to answer. Calls and deployments have
	// times of their own. 0 means DefaultTimeout.
	Timeout time.Duration

	// Progress, if it is not nil, wraps what is uploaded, so that somebody can watch it. It is given what is being
	// done and the number of bytes. It may be changed until the first upload, and is called by the goroutine that
	// uploads.
	Progress func(r io.Reader, what string, total int64) io.Reader
	// Waiting, if it is not nil, is told what is waited for that can take long, and returns what to call when it is
	// over. It may be changed until the first deployment.
	Waiting func(what string) (done func())
	// Edits tells that each deployment of a function is an edit of the one before, to be there soon. It may be changed
	// until the first deployment.
	Edits bool

	once    sync.Once
	denials *denials.Watch
	js      jetstream.JetStream
	err     error // of the beginning
}

var _ protocol.Caller = (*Client)(nil)

// begin makes ready what requests need, once. The error's code is 400.
func (c *Client) begin() error {
	c.once.Do(func() {
		if c.Conn == nil {
			c.err = protocol.Errorf(protocol.CodeBadRequest, "", "client: Conn is nil: set it to a connection of nats.Connect")
			return
		}
		c.denials = denials.On(c.Conn, nil)
		switch {
		case c.Domain != "":
			c.js, c.err = jetstream.NewWithDomain(c.Conn, c.Domain)
		case c.APIPrefix != "":
			c.js, c.err = jetstream.NewWithAPIPrefix(c.Conn, c.APIPrefix)
		default:
			c.js, c.err = jetstream.New(c.Conn)
		}
		if c.err != nil {
			c.err = protocol.Errorf(protocol.CodeBadRequest, "", "client: JetStream: %w", c.err)
		}
	})
	return c.err
}

// JetStream returns the JetStream of Domain or APIPrefix. The error's code is 400, for a Client that is set wrong.
func (c *Client) JetStream() (jetstream.JetStream, error) {
	err := c.begin()
	return c.js, err
}

// timeout is Timeout or its default.
func (c *Client) timeout() time.Duration { return cmp.Or(max(c.Timeout, 0), DefaultTimeout) }

// url is what errors call the NATS server.
func (c *Client) url() string {
	return cmp.Or(c.URL, c.Conn.ConnectedUrlRedacted(), "a NATS that is not connected")
}

// reconnectMin is the time between two tries of something that failed because the connection broke.
const reconnectMin = 100 * time.Millisecond

// Within bounds what waits for an answer that is not a function's by Timeout.
func (c *Client) Within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.timeout())
}

// Permitted returns a context that ends when NATS does not permit what somebody waits for: a publication on a subject
// or a subscription to it, an inbox, or, if the subject is empty, a request to JetStream. What it returns beside must
// be called with the error of the wait, and returns the refusal, whose code is 403, in place of that.
func (c *Client) Permitted(ctx context.Context, subject string) (context.Context, func(error) error) {
	if err := c.begin(); err != nil {
		ctx, end := context.WithCancelCause(ctx)
		end(err)
		return ctx, func(error) error { return err }
	}
	inbox := cmp.Or(c.Conn.Opts.InboxPrefix, "_INBOX") + "."
	return c.denials.During(ctx, func(d denials.Denial) bool {
		switch {
		case d.Subscription && (d.Subject == "" || strings.HasPrefix(d.Subject, inbox)):
			return true
		case subject == "":
			return strings.HasPrefix(d.Subject, "$") || c.APIPrefix != "" && strings.HasPrefix(d.Subject, c.APIPrefix)
		}
		return d.Subject == subject || strings.HasPrefix(d.Subject, subject+".")
	})
}

// connected waits until there is a connection, or ctx ends.
func (c *Client) connected(ctx context.Context) error {
	for !c.Conn.IsConnected() {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case c.Conn.IsClosed():
			return nats.ErrConnectionClosed
		}
		pause(ctx, askPause)
	}
	return nil
}

// connectedWithin is connected for a time.
func (c *Client) connectedWithin(ctx context.Context, d time.Duration) error {
	if c.Conn.IsConnected() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return c.connected(ctx)
}

// lostTime is how long something is tried again that fails because the connection does, if ctx lets it.
const lostTime = time.Minute

// again does something, and does it again as long as it fails because the connection was cut or an answer was lost
// with it. It must bear being done twice.
func (c *Client) again(ctx context.Context, do func() error) error {
	for begun := time.Now(); ; pause(ctx, reconnectMin) {
		err := do()
		lost := c.broke(err) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded)
		if !lost || ctx.Err() != nil || time.Since(begun) > lostTime {
			return err
		}
	}
}

// broke reports whether an error says that the connection was cut, and is about to be made anew. The error of a socket
// comes from a write for which there was no more room in the buffer, that of a closed connection also from waiting for a
// flush.
func (c *Client) broke(err error) bool {
	var socket *net.OpError
	return !c.Conn.IsClosed() && (errors.As(err, &socket) || errors.Is(err, nats.ErrDisconnected) || errors.Is(err, nats.ErrConnectionReconnecting) ||
		errors.Is(err, nats.ErrConnectionClosed))
}
