package publish

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/denials"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// session is /pub as one run sees it. One goroutine at a time uses it.
type session struct {
	r        *resource
	t        *backend.Transaction
	messages []message       // that were closed, in order
	used     []int           // messages, and files that may become one, by the index of the grant
	held     int64           // bytes of all of them
	said     map[string]bool // what the function's log has been told
	most     int64           // bytes of the longest body; 0: not known yet
}

// message is one that was closed.
type message struct {
	subject string
	body    []byte
}

var _ backend.Sender = (*session)(nil)

// Tree implements backend.Session.
func (s *session) Tree() files.Tree { return tree{s} }

// End implements backend.Session.
func (s *session) End() {}

// longest returns how many bytes the body of a message may have on this connection.
func (s *session) longest() int64 {
	if s.most == 0 {
		s.most = max(s.r.Conn.MaxPayload()-int64(s.header(math.MaxInt32).Size()), 1)
	}
	return s.most
}

// header returns the headers of the nth message, from 1.
func (s *session) header(n int) protocol.Header {
	id := []string{backend.EffectID(s.t.ID(), protocol.GrantPub, n)}
	h := protocol.Header{protocol.HeaderID: id, nats.MsgIdHdr: id, protocol.HeaderHops: {strconv.Itoa(s.t.Hops + 1)}}
	s.t.Header.PassTrace(h)
	return h
}

// take takes room for what the run writes, or gives it back if n is below 0.
func (s *session) take(n int64) error {
	if n > s.t.Output-s.held && n > 0 {
		s.say("/pub: the messages of this call have more than limits.output (%d bytes): send fewer, or raise it", s.t.Output)
		return files.ErrNoSpace
	}
	s.held += n
	return nil
}

// maxSaid is how many different lines the function's log is told.
const maxSaid = 100

// say tells the function's log something, once.
func (s *session) say(format string, a ...any) {
	text := protocol.CleanValue(fmt.Sprintf(format, a...), 2*protocol.MaxErrorText)
	if s.t.Log == nil || s.said[text] || len(s.said) >= maxSaid {
		return
	}
	if s.said == nil {
		s.said = map[string]bool{}
	}
	s.said[text] = true
	s.t.Log(text)
}

// sendTimeout bounds Send.
const sendTimeout = 10 * time.Second

// Send implements backend.Sender. When it returns without an error the server has all messages.
func (s *session) Send(ctx context.Context) error {
	if len(s.messages) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	ctx, settled := s.watch(ctx)
	err := s.publish()
	if err == nil {
		err = s.r.Conn.FlushWithContext(ctx)
	}
	if err = settled(err); err == nil {
		return nil
	}
	subject := s.messages[0].subject
	return protocol.Errorf(protocol.CodeBadOutput, "", "committed, but not all of %d messages were sent, the first on %.80s: %w",
		len(s.messages), subject, err)
}

// publish hands the messages to the connection.
func (s *session) publish() error {
	for i, m := range s.messages {
		err := s.r.Conn.PublishMsg(&nats.Msg{Subject: m.subject, Header: nats.Header(s.header(i + 1)), Data: m.body})
		if err != nil {
			return err
		}
		s.t.Write()
	}
	return nil
}

// watch returns a context that ends when NATS does not permit one of the messages, and a function that returns that as
// an error, or else the one that it is given.
func (s *session) watch(ctx context.Context) (context.Context, func(error) error) {
	if s.r.Denials == nil {
		return ctx, func(err error) error { return err }
	}
	subjects := map[string]bool{}
	for _, m := range s.messages {
		subjects[m.subject] = true
	}
	ctx, refusal := s.r.Denials.During(ctx, func(d denials.Denial) bool { return !d.Subscription && subjects[d.Subject] })
	return ctx, func(err error) error {
		if err == nil {
			s.r.Denials.Settle()
			err = errSent
		}
		if err = refusal(err); err == errSent {
			return nil
		}
		return err
	}
}

// errSent is in place of an error where there was none, but for a denial.
var errSent = errors.New("sent")
