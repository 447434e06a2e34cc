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

// Client is polyvoke's client on a connection to NATS. Set its fields before the first call of a method, and do not
// change them afterwards unless their comments allow it. Its methods may be called from several goroutines. Use one
// Client for a connection, and do not copy it: it subscribes once, and stays in the connection's ErrorHandler.
type Client struct {
	// Conn carries everything. It must not be nil. The client does not close it. Do not set its ErrorHandler after the
	// first call of a method: the client learns from it what NATS does not permit. Requests wait while it reconnects,
	// so connect with nats.MaxReconnects(-1).
	Conn *nats.Conn
	// Domain is the JetStream domain. Empty means that of the server of Conn.
	Domain string
	// APIPrefix is the prefix of JetStream's API, in place of a domain. Empty means $JS.API.
	APIPrefix string
	// URL is what errors call the NATS server. Empty means the address to which Conn is connected.
	URL string
	// Timeout is how long NATS, JetStream and the control service may take to answer. Calls and deployments have
	// their own limits. 0 means DefaultTimeout.
	Timeout time.Duration

	// Progress, if not nil, wraps the reader of an upload, to show how it gets on. It gets a description and the
	// number of bytes. It may be changed until the first upload, and the goroutine that uploads calls it.
	Progress func(r io.Reader, what string, total int64) io.Reader
	// Waiting, if not nil, is called before a wait that can take long, and what it returns after it. It may be changed
	// until the first deployment.
	Waiting func(what string) (done func())
	// Stated is what the client says about itself when it asks for a change. It may be changed until the first request.
	Stated protocol.Stated
	// Edits marks each deployment as an edit of the one before, which invokers serve sooner. It may be changed until
	// the first deployment.
	Edits bool

	once    sync.Once
	denials *denials.Watch
	replies replies
	queues  queues
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
		c.replies.nc = c.Conn
		c.denials = denials.On(c.Conn, c.replies.denied)
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

// Within returns a context that ends after Timeout, for requests that are no calls.
func (c *Client) Within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.timeout())
}

// Permitted returns a context that ends when NATS does not permit what its holder waits for: to publish on a subject,
// to subscribe to it or to an inbox, or, if the subject is empty, a request to JetStream. The function must be called
// with the error of the wait. It returns the refusal instead, whose code is 403, or else that error.
func (c *Client) Permitted(ctx context.Context, subject string) (context.Context, func(error) error) {
	return c.permitted(ctx, func(denied string) bool {
		if subject == "" {
			return strings.HasPrefix(denied, "$") && !strings.HasPrefix(denied, "$SRV.") ||
				c.APIPrefix != "" && strings.HasPrefix(denied, c.APIPrefix)
		}
		return denied == subject || strings.HasPrefix(denied, subject+".")
	})
}

// permitted is Permitted for the subjects that concerns reports. It may be called at any time until the returned
// function is.
func (c *Client) permitted(ctx context.Context, concerns func(subject string) bool) (context.Context, func(error) error) {
	if err := c.begin(); err != nil {
		ctx, end := context.WithCancelCause(ctx)
		end(err)
		return ctx, func(error) error { return err }
	}
	return c.denials.During(ctx, func(d denials.Denial) bool {
		return c.replies.concerns(d) || concerns(d.Subject)
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
// comes from a write for which there was no more room in the buffer, that of a closed connection also from waiting for
// a flush.
func (c *Client) broke(err error) bool {
	var socket *net.OpError
	cut := errors.As(err, &socket) || errors.Is(err, nats.ErrDisconnected) ||
		errors.Is(err, nats.ErrConnectionReconnecting) || errors.Is(err, nats.ErrConnectionClosed)
	return cut && !c.Conn.IsClosed()
}
