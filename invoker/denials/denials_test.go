package denials_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/denials"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
)

// connect connects to a server that permits a and a.> only.
func connect(t *testing.T) *nats.Conn {
	t.Helper()
	only := &server.SubjectPermission{Allow: []string{"a", "a.>"}}
	s := invokertest.StartNATS(t, func(o *server.Options) {
		o.MaxSubs = 3
		permissions := &server.Permissions{Publish: only, Subscribe: only}
		o.Users = []*server.User{{Username: "u", Password: "p", Permissions: permissions}}
	})
	return invokertest.Connect(t, s, nats.UserInfo("u", "p"), nats.CustomInboxPrefix("a"))
}

// What a real server says of each kind is read, told before Settle returns, and ends the wait of those whom it
// concerns.
func TestWatch(t *testing.T) {
	subscribe := func(subject, queue string) func(*nats.Conn) error {
		return func(nc *nats.Conn) error { _, err := nc.QueueSubscribeSync(subject, queue); return err }
	}
	for name, c := range map[string]struct {
		do   func(*nats.Conn) error
		want denials.Denial
		text string
	}{
		"publish": {func(nc *nats.Conn) error { return nc.Publish("b.c", nil) },
			denials.Denial{Subject: "b.c"}, "publish on b.c"},
		"odd subject": {func(nc *nats.Conn) error { return nc.Publish(`b."\é`, nil) },
			denials.Denial{Subject: `b."\é`}, `publish on b."\é`},
		"reply": {func(nc *nats.Conn) error { return nc.PublishRequest("a", "$JS.ACK.x", nil) },
			denials.Denial{Subject: "$JS.ACK.x"}, "$JS.ACK.x"},
		"subscribe": {subscribe("b.*", ""), denials.Denial{Subject: "b.*", Subscription: true},
			"subscribe to b.*"},
		"queue subscribe": {subscribe("b.>", "w"), denials.Denial{Subject: "b.>", Queue: "w", Subscription: true},
			"subscribe to b.> in queue group w"},
		"too many": {func(nc *nats.Conn) (err error) {
			for i := range 4 {
				err = errors.Join(err, subscribe(fmt.Sprint("a.", i), "")(nc))
			}
			return err
		}, denials.Denial{Subscription: true}, "no more subscriptions"},
	} {
		t.Run(name, func(t *testing.T) {
			nc := connect(t)
			var told []denials.Denial
			w := denials.On(nc, func(d denials.Denial) { told = append(told, d) })
			waiting, end := w.During(t.Context(), func(d denials.Denial) bool { return d.Subject == c.want.Subject })
			other, endOther := w.During(t.Context(), func(d denials.Denial) bool { return d.Subject == "elsewhere" })
			if err := errors.Join(c.do(nc), nc.Flush()); err != nil {
				t.Fatal(err)
			}
			w.Settle()
			if len(told) != 1 || told[0].Subject != c.want.Subject || told[0].Queue != c.want.Queue ||
				told[0].Subscription != c.want.Subscription {
				t.Fatalf("told of %+v, want %+v", told, c.want)
			}
			if waiting.Err() == nil || other.Err() != nil {
				t.Errorf("the wait ended: %v; that of another: %v", waiting.Err(), other.Err())
			}
			if err := end(context.Canceled); protocol.CodeOf(err) != protocol.CodeForbidden ||
				!strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want %q", err, c.text)
			}
			if err := endOther(nats.ErrTimeout); err != nats.ErrTimeout {
				t.Errorf("another got %v", err)
			}
			later, end := w.During(t.Context(), func(d denials.Denial) bool { return d.Subject == c.want.Subject })
			if standing := c.want.Subscription && c.want.Subject != ""; (later.Err() != nil) != standing {
				t.Errorf("who comes later: %v", later.Err())
			}
			_ = end(nil)
		})
	}
}

// Whatever a server says, what is read of it is part of it.
func FuzzParse(f *testing.F) {
	f.Add(`Permissions Violation for Publish to "a"`)
	f.Add(`Permissions Violation for Subscription to "a\"b" using queue "q" (sid "1")`)
	f.Add(`Permissions Violation for Subscription to "`)
	f.Fuzz(func(t *testing.T, text string) {
		d, ok := denials.Parse(fmt.Errorf("%w: %s", nats.ErrPermissionViolation, text))
		if !ok {
			t.Fatal("it is a denial")
		}
		if m := d.Refusal(); m.Code != protocol.CodeForbidden || len(m.Msg) > 1000 {
			t.Fatalf("%d: %d bytes", m.Code, len(m.Msg))
		}
		if len(d.Subject)+len(d.Queue) > 4*len(text) {
			t.Fatalf("%q is more than was said", d.Subject)
		}
	})
}
