package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/streams"
	"github.com/polyvoke/polyvoke/protocol"
)

// Stream implements protocol.Streamer over NATS (section 15 of the specification): in and out travel in chunks, with
// numbers, as fast as both ends take them. A chunk that is lost is an error. So is an invoker of which nothing is heard
// for 20 s. An invoker that does not know streams is called as Call does: then in is read to its end first.
//
// Stream returns when no Write to out is under way, but a Read of in may be: in is not to be used again unless it was
// read to its end.
func (c *Client) Stream(ctx context.Context, r *protocol.Request, in io.Reader, out io.Writer) (
	*protocol.Reply, error) {
	if err := c.begin(); err != nil {
		return nil, err
	}
	switch {
	case in != nil && (len(r.Body) > 0 || r.Claim != nil):
		return nil, protocol.Errorf(protocol.CodeBadRequest, "", "a request whose body is a stream has another one")
	case in != nil && r.Event:
		return nil, protocol.Errorf(protocol.CodeBadRequest, "", "the body of a CloudEvent cannot be a stream")
	}
	if out == nil {
		out = io.Discard
	}
	sent := *r
	sent.Stream, sent.Chunks, sent.Credit = true, in != nil, protocol.StreamWindow
	subject, h, body, err := sent.Message()
	if err != nil {
		return nil, err
	}
	msg := &nats.Msg{Subject: subject, Header: nats.Header(h), Data: body}
	tell(ctx, msg, r)
	if !c.fits(msg) {
		if sent.Claim, err = c.put(ctx, body, "sending "+r.Function.Name); err != nil {
			return nil, err
		}
		defer c.discard(ctx, sent.Claim)
		subject, h, _, _ = sent.Message()
		msg = &nats.Msg{Subject: subject, Header: nats.Header(h)}
	}
	reply, err := c.stream(ctx, msg, &sent, in, out)
	if errors.Is(err, errOldInvoker) {
		return c.streamWhole(ctx, r, in, out)
	}
	return reply, err
}

var _ protocol.Streamer = (*Client)(nil)

// errOldInvoker is the error of an invoker that does not know that a body can come in chunks. It has run nothing.
var errOldInvoker = errors.New("the invoker does not know streams")

// streamWhole makes a call with a body that is read first.
func (c *Client) streamWhole(ctx context.Context, r *protocol.Request, in io.Reader, out io.Writer) (
	*protocol.Reply, error) {
	whole := *r
	var err error
	whole.Body, err = io.ReadAll(io.LimitReader(in, int64(protocol.MaxBody)+1))
	switch {
	case err != nil:
		return nil, protocol.Errorf(protocol.CodeBadRequest, "", "the request's body could not be read to its end: %w", err)
	case int64(len(whole.Body)) > int64(protocol.MaxBody):
		return nil, protocol.Errorf(protocol.CodeTooLarge, "", "the body is larger than %s, the most that any function takes",
			protocol.MaxBody)
	}
	reply, err := c.Call(ctx, &whole)
	if err != nil {
		return nil, err
	}
	return passWhole(reply, out)
}

// passWhole writes the body of a reply that came in one message, if it is what the process wrote.
func passWhole(reply *protocol.Reply, out io.Writer) (*protocol.Reply, error) {
	if reply.Err != nil || len(reply.Body) == 0 {
		return reply, nil
	}
	if _, err := io.Copy(out, bytes.NewReader(reply.Body)); err != nil {
		return nil, err
	}
	reply.Body = nil
	return reply, nil
}

// stream makes a call and carries its stream. The connection may be cut meanwhile, and be made anew.
func (c *Client) stream(ctx context.Context, msg *nats.Msg, r *protocol.Request, in io.Reader, out io.Writer) (
	reply *protocol.Reply, err error) {
	var s *stream
	send := func(ctx context.Context, msg *nats.Msg, r *protocol.Request) (*nats.Msg, error) {
		s = newStream(c, r)
		if s.inbox, err = c.replies.inbox(msg.Subject, s.hear); err != nil {
			return nil, c.RequestError("call "+r.Function.String(), err)
		}
		m, err := c.sendFrom(ctx, s.inbox, msg, r)
		if err != nil {
			s.inbox.close()
		}
		return m, err
	}
	if _, err := c.exchange(ctx, msg, r, send); err != nil {
		return nil, err
	}
	defer s.inbox.close()
	return s.carry(ctx, in, out)
}

// newStream returns the client's end of the stream of a request that is about to be sent.
func newStream(c *Client, r *protocol.Request) *stream {
	s := &stream{client: c, sent: r, found: make(chan struct{})}
	s.receiver = streams.NewReceiver(protocol.StreamWindow, s.say)
	s.sender = streams.NewSender(0, s.chunk(), s.publish)
	return s
}

// stream is the client's end of a stream.
type stream struct {
	client   *Client
	sent     *protocol.Request
	inbox    *inbox
	receiver *streams.Receiver
	sender   *streams.Sender

	mu    sync.Mutex
	peer  string        // the subject on which the invoker hears; empty until it has said so
	heard time.Time     // when it last said something
	last  *nats.Msg     // what ended the stream: the end, or an answer in one message
	alone bool          // it is the latter
	begun bool          // a chunk has come
	found chan struct{} // closed when peer is known
}

// hear takes what the invoker says.
func (s *stream) hear(m *nats.Msg) {
	if streams.IsNoResponders(m) {
		s.receiver.Fail(protocol.Errorf(protocol.CodeUnavailable, "",
			"the invoker that ran %s is gone. The function may have run", s.sent.Function))
		return
	}
	h := protocol.Header(m.Header)
	c, chunk, err := protocol.ParseChunk(h)
	s.note(m, chunk)
	switch credit := h.Get(protocol.HeaderCredit); {
	case err != nil:
		s.receiver.Fail(badReply(s.sent, err))
	case chunk && c.End:
		_ = s.receiver.Put(c, nil, io.EOF) // carry finds out
	case chunk:
		_ = s.receiver.Put(c, m.Data, nil)
	case credit != "":
		if upTo, err := protocol.ParseCredit(credit); err == nil {
			s.sender.Credit(upTo)
		}
	default:
		s.receiver.Fail(s.endAlone(m))
	}
}

// endAlone returns what an answer in one message means to who reads the stream. An answer without an error is whole
// only if no chunk came before.
func (s *stream) endAlone(m *nats.Msg) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun && m.Header.Get(protocol.HeaderErrorCode) == "" {
		return badReply(s.sent, errors.New("a message without a number came behind chunks"))
	}
	return io.EOF
}

// note keeps what a message says besides its chunk: where the invoker hears, and how the call has ended.
func (s *stream) note(m *nats.Msg, chunk bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = time.Now()
	if s.peer == "" && protocol.IsStreamSubject(m.Reply) {
		s.peer = m.Reply
		close(s.found)
	}
	s.begun = s.begun || chunk
	alone := !chunk && m.Header.Get(protocol.HeaderCredit) == ""
	if s.last == nil && (alone || m.Header.Get(protocol.HeaderEnd) == "1") {
		s.last, s.alone = m, alone
	}
}

// at returns where the invoker hears, or "".
func (s *stream) at() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peer
}

// say tells the invoker up to which number chunks may come.
func (s *stream) say(upTo int64) {
	if peer := s.at(); peer != "" {
		_ = s.client.Conn.Publish(peer, strconv.AppendInt(nil, upTo, 10)) // it is said again with each ping
	}
}

// cancelStream tells an invoker that nobody wants the stream any more on which it hears.
func cancelStream(nc *nats.Conn, peer string) {
	if protocol.IsStreamSubject(peer) {
		_ = nc.Publish(peer, []byte("-1"))
	}
}

// publish sends a chunk of the request's body.
func (s *stream) publish(c protocol.Chunk, body []byte) error {
	h := protocol.Header{}
	c.Put(h)
	return s.client.Conn.PublishMsg(&nats.Msg{Subject: s.at(), Header: nats.Header(h), Data: body})
}

// carry carries what comes in and goes out until the end.
func (s *stream) carry(ctx context.Context, in io.Reader, out io.Writer) (*protocol.Reply, error) {
	// What other streams of the same connection are denied, and those before it were, is no matter of this one.
	ctx, permitted := s.client.permitted(ctx, func(subject string) bool { return subject == s.at() && subject != "" })
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { s.receiver.Abandon(ctx.Err()); s.sender.Fail(ctx.Err()) })()
	go s.ping(ctx)
	if in != nil {
		go s.send(ctx, in)
	}
	err := permitted(s.write(out))
	if err != nil {
		cancelStream(s.client.Conn, s.at())
		if errors.Is(err, context.DeadlineExceeded) {
			err = &protocol.Error{Code: protocol.CodeTimeout, Err: err,
				Msg: s.sent.Function.String() + " did not end before its caller's deadline: give it more time"}
		}
		return nil, err
	}
	return s.reply(ctx, out)
}

// write writes what comes, until the end.
func (s *stream) write(out io.Writer) error {
	for {
		chunk, err := s.receiver.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		n, err := out.Write(chunk)
		if err == nil && n < len(chunk) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return err
		}
		s.receiver.Done()
	}
}

// reply reads what ended the stream.
func (s *stream) reply(ctx context.Context, out io.Writer) (*protocol.Reply, error) {
	s.mu.Lock()
	m, alone := s.last, s.alone
	s.mu.Unlock()
	known := m.Header.Get(protocol.HeaderStream) == "1"
	for _, name := range []string{protocol.HeaderStream, protocol.HeaderSequence, protocol.HeaderEnd} {
		m.Header.Del(name)
	}
	reply, err := s.client.reply(ctx, m, s.sent)
	switch {
	case err != nil:
		return nil, err
	case !alone:
		return reply, nil
	case s.sent.Chunks && !known && reply.Err != nil && reply.Err.Code == protocol.CodeBadRequest:
		return nil, errOldInvoker
	}
	return passWhole(reply, out)
}

// send sends the request's body. What goes wrong is the end of it.
func (s *stream) send(ctx context.Context, in io.Reader) {
	select {
	case <-s.found:
	case <-ctx.Done():
		return
	}
	buffer, header := make([]byte, s.chunk()), protocol.Header{}
	for {
		n, err := in.Read(buffer)
		if n > 0 {
			if _, err := s.sender.Write(buffer[:n]); err != nil {
				return
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			failed := protocol.Reply{Exit: -1, Err: protocol.Errorf(protocol.CodeBadRequest, "",
				"the request's body could not be read to its end: %v", err)}
			header, _ = failed.Message()
			break
		}
	}
	s.sender.End().Put(header)
	_ = s.client.Conn.PublishMsg(&nats.Msg{Subject: s.at(), Header: nats.Header(header)}) // else the invoker misses it
}

// chunk returns how long a chunk may be.
func (s *stream) chunk() int {
	const besides = 1 << 10
	return max(1, min(protocol.MaxChunk, int(s.client.Conn.MaxPayload())-besides))
}

// pingTick is how often ping looks whether it is time.
const pingTick = time.Second

// ping says again and again how much may come, and asks the invoker to say that it is there: at once if the connection
// has been made anew, since what was on its way may be lost.
func (s *stream) ping(ctx context.Context) {
	tick := time.NewTicker(pingTick)
	defer tick.Stop()
	renewed, said := s.client.Conn.Stats().Reconnects, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.mu.Lock()
		peer, silent := s.peer, time.Since(s.heard)
		s.mu.Unlock()
		if silent > streams.Silence {
			s.receiver.Fail(protocol.Errorf(protocol.CodeUnavailable, "",
				"nothing was heard for %v of the invoker that ran %s. The function may have run", streams.Silence,
				s.sent.Function))
			return
		}
		if n := s.client.Conn.Stats().Reconnects; peer != "" && (n != renewed || time.Since(said) >= streams.PingEvery) {
			renewed, said = n, time.Now()
			_ = s.client.Conn.PublishMsg(&nats.Msg{Subject: peer, Reply: s.inbox.subject,
				Data: strconv.AppendInt(nil, s.receiver.Granted(), 10)})
		}
	}
}
