package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// Any invoker may answer a request of the control service, but one that is frozen, or whose machine is, cannot. To the
// server it looks like one that takes its time. So a client first pings, and asks an invoker that answers. While it
// waits, it checks now and then that the invoker is alive and still at work. If it is not, or the connection broke, the
// client sends the same request again with the same id. An invoker that knows the id does not do the work twice, and
// repeats its answer.

const (
	// pingTime is how long an invoker that is alive may take to say so.
	pingTime = 500 * time.Millisecond
	// lookTime is the time between two looks at the invoker that was asked, and how long it may be silent when it is
	// looked at.
	lookTime = time.Second
	// groupTime is how long an invoker may take that the server chose and that is otherwise unknown. It doubles with
	// each try.
	groupTime = 2 * time.Second
	// absence is how long no invoker must answer before it counts as absent: meanwhile a connection can be made
	// anew, and an invoker can start.
	absence = 2 * time.Second
	// askPause is the time between two tries of something that fails at once.
	askPause = 50 * time.Millisecond
)

// errSilent means that the invoker that was asked does not answer any more.
var errSilent = errors.New("the invoker that was asked does not answer")

// asking is a request of the control service until it is answered.
type asking struct {
	c     *Client
	verb  protocol.APIVerb
	msg   *nats.Msg
	id    string
	asked map[string]bool // the invokers that were asked by id
	group time.Duration   // how long to wait for one that the server chose
}

// consult asks an invoker, and others if it does not answer, until one does or ctx ends. An answer that says that the
// invoker cannot do it just now counts only if no other gives a better one for a while. again reports whether another
// had been asked before the one that answered.
func (c *Client) consult(
	ctx context.Context, verb protocol.APIVerb, msg *nats.Msg,
) (m *nats.Msg, again bool, err error) {
	a := &asking{c: c, verb: verb, msg: msg, id: rand.Text(), asked: map[string]bool{}, group: groupTime}
	if msg.Header == nil {
		msg.Header = nats.Header{}
	}
	msg.Header.Set(protocol.HeaderID, a.id)
	for begun := time.Now(); ; {
		var invoker string
		if invoker, err = a.choose(ctx); err == nil {
			m, err = a.once(ctx, invoker)
		}
		if ctx.Err() != nil {
			a.giveUp("")
			return nil, false, ctx.Err()
		}
		waited := time.Since(begun)
		switch {
		case err == nil && (waited > absence || !unable(m)):
			a.giveUp(invoker)
			return m, again, nil
		case err == nil:
			again = true
			pause(ctx, askPause)
		case errors.Is(err, errSilent):
			again, begun = true, time.Now() // somebody had been there
		case c.broke(err):
			again = true
			pause(ctx, askPause)
		case errors.Is(err, nats.ErrNoResponders) && waited <= a.patience():
			pause(ctx, askPause)
		default:
			a.giveUp("")
			return nil, false, err
		}
	}
}

// unable reports whether an answer says that this invoker cannot do it now, so that another can, or the same one soon.
// The outcome of a job is no such answer, whatever the job's own error is.
func unable(m *nats.Msg) bool {
	if m.Header.Get(protocol.HeaderState) != "" {
		return false
	}
	code := m.Header.Get(protocol.HeaderErrorCode)
	return code == "503" || code == "429"
}

// pause waits for a moment.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// patience is how long no invoker must answer before it counts as absent. One that has been asked is expected back.
func (a *asking) patience() time.Duration {
	if len(a.asked) > 0 {
		return max(absence, a.c.timeout())
	}
	return absence
}

// choose returns an invoker that is alive: the first to say so. It returns "" if none has ever answered: there are
// none, or they are too old to know pings, or this user may not send any. Once one has been asked by its id, it and
// others are pinged until one answers. They know the id of the request; one that the server chose might do the work a
// second time.
func (a *asking) choose(ctx context.Context) (invoker string, err error) {
	if err := a.c.connected(ctx); err != nil {
		return "", err
	}
	p, err := a.c.ping(ctx, &nats.Msg{Subject: protocol.APIPing.Subject()}, pingTime)
	switch {
	case err == nil:
		return p.ID, nil
	case !errors.Is(err, nats.ErrNoResponders) && !errors.Is(err, nats.ErrTimeout):
		return "", err
	case len(a.asked) > 0:
		return "", nats.ErrNoResponders
	}
	return "", nil
}

// ping asks for an invoker that is alive: any, or the one that the message's subject names.
func (c *Client) ping(ctx context.Context, msg *nats.Msg, wait time.Duration) (protocol.Pong, error) {
	var p protocol.Pong
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	m, err := c.Conn.RequestMsgWithContext(waiting, msg)
	switch {
	case ctx.Err() != nil:
		return p, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return p, nats.ErrTimeout
	case err != nil:
		return p, err
	}
	if json.Unmarshal(m.Data, &p) != nil || p.ID == "" {
		return p, nats.ErrTimeout // whoever that was
	}
	return p, nil
}

// once asks an invoker, or the one that the server chooses if it is "", until it answers or has been silent for too
// long.
func (a *asking) once(ctx context.Context, invoker string) (*nats.Msg, error) {
	msg := &nats.Msg{Subject: a.verb.Subject(), Header: a.msg.Header, Data: a.msg.Data}
	if invoker != "" {
		msg.Subject = a.verb.At(invoker)
		a.asked[invoker] = true
	}
	if deadline, ok := ctx.Deadline(); ok {
		msg.Header.Set(protocol.HeaderTimeout, max(time.Until(deadline), time.Millisecond).String())
	}
	in, err := a.c.replies.inbox("", nil)
	if err != nil {
		return nil, err
	}
	defer in.close()
	msg.Reply = in.subject
	if err := a.c.Conn.PublishMsg(msg); err != nil {
		return nil, err
	}
	wait := lookTime
	if invoker == "" {
		wait = a.group
	}
	for {
		m, err := in.next(ctx, wait)
		switch {
		case !errors.Is(err, nats.ErrTimeout):
			return m, err
		case invoker == "":
			a.group *= 2
			return nil, errSilent
		}
		if err := a.look(ctx, invoker, msg); err != nil {
			return nil, err
		}
	}
}

// look looks whether an invoker is still there and at a request, and sends it again if it is not at it: the request
// or its answer was lost with a connection.
func (a *asking) look(ctx context.Context, invoker string, msg *nats.Msg) error {
	ping := &nats.Msg{Subject: protocol.APIPing.At(invoker), Header: nats.Header{protocol.HeaderID: {a.id}}}
	p, err := a.c.ping(ctx, ping, lookTime)
	switch {
	case errors.Is(err, nats.ErrTimeout), errors.Is(err, nats.ErrNoResponders):
		return errSilent
	case err != nil || p.Busy:
		return err
	}
	return a.c.Conn.PublishMsg(msg)
}

// giveUp tells all invokers that were asked, except one, that nobody waits for their answer any more. A frozen invoker
// that goes on later must not do what another has done long ago.
func (a *asking) giveUp(except string) {
	for invoker := range a.asked {
		if invoker != except {
			cancel := &nats.Msg{Subject: protocol.APICancel.At(invoker), Header: nats.Header{protocol.HeaderID: {a.id}}}
			_ = a.c.Conn.PublishMsg(cancel)
		}
	}
}
