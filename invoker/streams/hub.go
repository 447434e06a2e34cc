package streams

import (
	"crypto/rand"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// PingEvery is how often a client says that it is there.
	PingEvery = 5 * time.Second
	// Silence is how long the other end of a stream may say nothing until it counts as gone.
	Silence = 20 * time.Second
	// inWindow is how many chunks of a request's body are on the way or not read at most.
	inWindow = 8
	// headerRoom is what a chunk's headers take at most, in bytes.
	headerRoom = 1 << 10
)

// Hub has the streams that an invoker serves on a connection, and hears what their clients say: on one subscription, by
// subjects that end with a random token for each stream. Its methods may be called from several goroutines.
type Hub struct {
	nc      *nats.Conn
	line    int
	silence time.Duration
	prefix  string
	sub     *nats.Subscription

	mu  sync.Mutex
	all map[string]*Session // by the last token of their subjects
}

// Listen returns a Hub that hears clients, once the server has the subscription. line is the longest protocol line that
// it takes. A client that says nothing for silence is gone; 0 means Silence.
func Listen(nc *nats.Conn, line int, silence time.Duration) (*Hub, error) {
	if silence <= 0 {
		silence = Silence
	}
	h := &Hub{nc: nc, line: line, silence: silence, prefix: protocol.RootStream + "." + rand.Text() + ".",
		all: map[string]*Session{}}
	var err error
	h.sub, err = nc.Subscribe(h.prefix+"*", h.hear)
	return h, err
}

// Subject returns the subject that the Hub subscribes to.
func (h *Hub) Subject() string { return h.prefix + "*" }

// Close ends the subscription.
func (h *Hub) Close() { _ = h.sub.Unsubscribe() } // an error means that the connection is gone

// hear takes what a client says.
func (h *Hub) hear(m *nats.Msg) {
	h.mu.Lock()
	s := h.all[strings.TrimPrefix(m.Subject, h.prefix)]
	h.mu.Unlock()
	switch {
	case s != nil:
		s.hear(m)
	case m.Reply != "" && protocol.CheckReply(m.Reply, h.line) == nil:
		reply := protocol.Reply{Exit: -1, Err: protocol.Errorf(protocol.CodeUnavailable, "",
			"the invoker does not know the stream any more: its end was lost on the way")}
		header, body := reply.Message()
		header[protocol.HeaderStream] = []string{"1"}
		_ = h.nc.PublishMsg(&nats.Msg{Subject: m.Reply, Header: nats.Header(header), Data: body})
	}
}

// Opening says what a stream is to be.
type Opening struct {
	Reply  string          // where its chunks go; it must have passed protocol.CheckReply
	Credit int64           // of the client; 0 if it gives none
	Chunks bool            // the client sends chunks too
	Header protocol.Header // of the first chunk
	Gone   func()          // called once if the client is gone or cancels; it must not wait
}

// Open begins a stream. It must be ended with End.
func (h *Hub) Open(o Opening) *Session {
	token := rand.Text()
	s := &Session{hub: h, token: token, subject: h.prefix + token, opening: o}
	credit := o.Credit
	if credit == 0 {
		credit = Free
	}
	s.sender = NewSender(credit, int(h.nc.MaxPayload())-headerRoom, s.publish)
	if o.Chunks {
		s.receiver = NewReceiver(inWindow, s.grant)
	}
	h.mu.Lock()
	h.all[token] = s
	if o.Credit > 0 || o.Chunks {
		s.quiet = time.AfterFunc(h.silence, func() {
			s.fail(protocol.Errorf(protocol.CodeUnavailable, "", "its caller said nothing for %v", h.silence))
		})
	}
	h.mu.Unlock()
	if s.quiet != nil {
		s.greet()
	}
	return s
}

// Session is the invoker's end of a stream: a Writer for the process's output, and a Reader for its input.
type Session struct {
	hub            *Hub
	token, subject string
	opening        Opening
	sender         *Sender
	receiver       *Receiver   // nil unless the client sends chunks
	quiet          *time.Timer // ends the stream of a client that says nothing; nil if it need not

	mu    sync.Mutex
	gone  error // why the client takes nothing any more
	ended bool
}

// Write implements io.Writer. It waits until the client lets chunks come.
func (s *Session) Write(b []byte) (int, error) { return s.sender.Write(b) }

// Input returns what the client sends, or nil if it sends nothing.
func (s *Session) Input() io.Reader {
	if s.receiver == nil {
		return nil
	}
	return s.receiver
}

// Err returns why the client is gone, or nil.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone
}

// Stop makes all Writes and Reads fail.
func (s *Session) Stop() {
	s.sender.Fail(ErrClosed)
	if s.receiver != nil {
		s.receiver.Abandon(ErrClosed)
	}
}

// End publishes the end of the stream, with these headers and body. No Write may be under way.
func (s *Session) End(header protocol.Header, body []byte) error {
	s.Stop()
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	if s.quiet != nil {
		s.quiet.Stop()
	}
	defer func() { // those who ask meanwhile are not told that nobody knows it
		s.hub.mu.Lock()
		defer s.hub.mu.Unlock()
		delete(s.hub.all, s.token)
	}()
	if header == nil {
		header = protocol.Header{}
	}
	header[protocol.HeaderStream] = []string{"1"}
	s.sender.End().Put(header)
	return s.hub.nc.PublishMsg(&nats.Msg{Subject: s.opening.Reply, Header: nats.Header(header), Data: body})
}

// publish sends a chunk. Its reply subject is where the client says what it takes; the server itself says there that
// nobody listens.
func (s *Session) publish(c protocol.Chunk, body []byte) error {
	header := protocol.Header{}
	if c.Sequence == 1 {
		for name, values := range s.opening.Header {
			header[name] = values
		}
		header[protocol.HeaderStream] = []string{"1"}
	}
	c.Put(header)
	return s.hub.nc.PublishMsg(&nats.Msg{Subject: s.opening.Reply, Reply: s.subject, Header: nats.Header(header), Data: body})
}

// greet tells the client where the invoker hears it, and how much it may send.
func (s *Session) greet() {
	upTo := int64(0)
	if s.receiver != nil {
		upTo = s.receiver.Granted()
	}
	s.grant(upTo)
}

// grant lets more of the client's chunks come.
func (s *Session) grant(upTo int64) {
	_ = s.hub.nc.PublishMsg(&nats.Msg{Subject: s.opening.Reply, Reply: s.subject, Header: nats.Header{
		protocol.HeaderStream: {"1"}, protocol.HeaderCredit: {strconv.FormatInt(upTo, 10)}}})
}

// hear takes what the client says: a chunk, or the number up to which it takes chunks.
func (s *Session) hear(m *nats.Msg) {
	if IsNoResponders(m) {
		s.fail(protocol.Errorf(protocol.CodeUnavailable, "", "its caller is gone"))
		return
	}
	if s.quiet != nil {
		s.mu.Lock()
		if !s.ended {
			s.quiet.Reset(s.hub.silence)
		}
		s.mu.Unlock()
	}
	c, chunk, err := protocol.ParseChunk(protocol.Header(m.Header))
	switch {
	case err != nil:
	case chunk && s.receiver != nil:
		if err = s.receiver.Put(c, m.Data, endOf(m)); errors.Is(err, ErrClosed) {
			err = nil // the process has ended
		}
	case chunk:
		err = protocol.Errorf(protocol.CodeBadRequest, "", "a chunk came of a body that was said to have none")
	default:
		err = s.credit(m)
	}
	if err != nil {
		s.fail(err)
	}
}

// credit takes note of how much the client takes. One that asks for it is told that the stream is there.
func (s *Session) credit(m *nats.Msg) error {
	upTo, err := protocol.ParseCredit(strings.TrimSpace(string(m.Data[:min(len(m.Data), 40)])))
	switch {
	case err != nil:
		return err
	case upTo == protocol.Cancel:
		return protocol.Errorf(protocol.CodeUnavailable, "", "its caller cancelled it")
	}
	s.sender.Credit(upTo)
	if m.Reply != "" {
		s.greet()
	}
	return nil
}

// fail ends the stream, because of its client.
func (s *Session) fail(err error) {
	s.mu.Lock()
	first := s.gone == nil && !s.ended
	if first {
		s.gone = err
	}
	s.mu.Unlock()
	if !first {
		return
	}
	s.sender.Fail(err)
	if s.receiver != nil {
		s.receiver.Abandon(err)
	}
	s.opening.Gone()
}

// endOf returns what the last chunk of a stream means to its reader: io.EOF, or the error that it carries.
func endOf(m *nats.Msg) error {
	r, err := protocol.ParseReply(protocol.Header(m.Header), nil)
	switch {
	case err != nil:
		return err
	case r.Err != nil:
		return r.Err
	}
	return io.EOF
}

// IsNoResponders reports whether a message is what the server itself says of one that nobody got.
func IsNoResponders(m *nats.Msg) bool { return len(m.Data) == 0 && m.Header.Get("Status") == "503" }
