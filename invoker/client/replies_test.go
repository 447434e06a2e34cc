package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// call calls the function f.
func call(t *testing.T, c *Client, body string) (*protocol.Reply, error) {
	t.Helper()
	return c.Call(t.Context(), &protocol.Request{Function: protocol.Ref{Name: "f"}, Body: []byte(body)})
}

// TestOneSubscription checks that calls share a subscription, and leave nothing of themselves.
func TestOneSubscription(t *testing.T) {
	c := startNATS(t, 0)
	if _, err := c.Conn.Subscribe("fn.f", func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if r, err := call(t, c, fmt.Sprint(i)); err != nil || string(r.Body) != fmt.Sprint(i) {
			t.Fatalf("call %d: %+v, %v", i, r, err)
		}
	}
	if n := c.Conn.NumSubscriptions(); n != 2 {
		t.Errorf("%d subscriptions, want the function's and the client's", n)
	}
	if n := len(c.replies.waiting); n != 0 {
		t.Errorf("%d calls still wait", n)
	}
}

// TestStrayAnswers answers twice, late, and to nobody.
func TestStrayAnswers(t *testing.T) {
	c := startNATS(t, 0)
	if _, err := c.Conn.Subscribe("fn.f", func(m *nats.Msg) {
		prefix := m.Reply[:strings.LastIndex(m.Reply, ".")+1]
		for _, subject := range []string{prefix + "none", prefix + "1zzzzzzzzzzzzzzzzzzzz", m.Reply, m.Reply, m.Reply} {
			_ = c.Conn.Publish(subject, m.Data)
		}
	}); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		if r, err := call(t, c, fmt.Sprint(i)); err != nil || string(r.Body) != fmt.Sprint(i) {
			t.Fatalf("call %d: %+v, %v", i, r, err)
		}
	}
}

// TestAnswerOrEnd checks that an answer which is there wins over any end of the wait.
func TestAnswerOrEnd(t *testing.T) {
	c := startNATS(t, 0)
	if err := c.begin(); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		in, err := c.replies.inbox("", nil)
		if err != nil {
			t.Fatal(err)
		}
		in.answer <- &nats.Msg{Data: []byte("here")}
		if m, err := in.next(ended, time.Nanosecond); err != nil || string(m.Data) != "here" {
			t.Fatalf("%v, %v", m, err)
		}
		if _, err := in.next(ended, time.Minute); !errors.Is(err, context.Canceled) {
			t.Fatalf("without an answer: %v", err)
		}
		in.close()
	}
}

// TestClosedWhileWaiting closes the connection under a call.
func TestClosedWhileWaiting(t *testing.T) {
	c := startNATS(t, 0)
	if _, err := c.Conn.Subscribe("fn.f", func(*nats.Msg) { go c.Conn.Close() }); err != nil {
		t.Fatal(err)
	}
	_, err := call(t, c, "")
	if protocol.CodeOf(err) != protocol.CodeUnavailable || !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("got %v", err)
	}
}

// TestNoRoomForInbox is a user who may make no more subscriptions, until there is room again.
func TestNoRoomForInbox(t *testing.T) {
	const most = 3
	c := startNATS(t, 0, most)
	other, err := nats.Connect(c.Conn.ConnectedUrl())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	if _, err := other.Subscribe("fn.f", func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
		t.Fatal(err)
	}
	if err := other.Flush(); err != nil {
		t.Fatal(err)
	}
	var last *nats.Subscription
	for i := range most {
		if last, err = c.Conn.SubscribeSync(fmt.Sprint("taken.", i)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, err := call(t, c, "x"); protocol.CodeOf(err) != protocol.CodeForbidden {
			t.Errorf("without room: %v", err)
		}
	}
	if err := last.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	if r, err := call(t, c, "x"); err != nil || string(r.Body) != "x" {
		t.Errorf("with room: %+v, %v", r, err)
	}
}

// TestDenied is a user whom NATS lets ask some functions and not others: a call that it denies ends at once, others go
// on, and one who may not hear answers learns so each time.
func TestDenied(t *testing.T) {
	may := func(subjects ...string) *server.SubjectPermission { return &server.SubjectPermission{Allow: subjects} }
	url := startServer(t, &server.Options{Users: []*server.User{{Username: "all", Password: "p"},
		{Username: "some", Password: "p", Permissions: &server.Permissions{Publish: may("fn.f")}},
		{Username: "deaf", Password: "p", Permissions: &server.Permissions{Subscribe: may("other")}}}})
	connect := func(user string) *nats.Conn { return connectTo(t, url, nats.UserInfo(user, "p")) }
	goes, all := make(chan struct{}), connect("all")
	if _, err := all.Subscribe("fn.f", func(m *nats.Msg) { <-goes; _ = m.Respond(m.Data) }); err != nil {
		t.Fatal(err)
	}
	if err := all.Flush(); err != nil {
		t.Fatal(err)
	}
	c := &Client{Conn: connect("some"), Timeout: time.Minute}
	slow := make(chan error, 1)
	go func() {
		_, err := call(t, c, "x")
		slow <- err
	}()
	for range 2 {
		_, err := c.Call(t.Context(), &protocol.Request{Function: protocol.Ref{Name: "g"}, Timeout: time.Minute})
		if protocol.CodeOf(err) != protocol.CodeForbidden || !strings.Contains(err.Error(), "publish on fn.g") {
			t.Errorf("a call that NATS denies: %v", err)
		}
	}
	close(goes)
	if err := <-slow; err != nil {
		t.Errorf("a call beside them: %v", err)
	}
	c = &Client{Conn: connect("deaf"), Timeout: time.Minute}
	for range 2 {
		if _, err := call(t, c, "x"); protocol.CodeOf(err) != protocol.CodeForbidden ||
			!strings.Contains(err.Error(), "subscribe to _INBOX.") {
			t.Errorf("a call whose answer cannot be heard: %v", err)
		}
	}
}
