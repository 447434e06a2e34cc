package subjects

import (
	"slices"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// TestRead checks what becomes of messages on each kind of subject that a function is called by.
func TestRead(t *testing.T) {
	for _, c := range []struct {
		pattern, subject string
		header           nats.Header
		version          string
		args             []string
		triggered        bool
		code             int // of the error; 0: none
	}{
		{pattern: "fn.f", subject: "fn.f"},
		{pattern: "fn.f@2", subject: "fn.f@2", version: "2"},
		{pattern: "fn.f.>", subject: "fn.f.a.b", args: []string{"a", "b"}},
		{pattern: "fn.f@2.>", subject: "fn.f@2.a", version: "2", args: []string{"a"}},
		{pattern: "fn.f", subject: "fn.f", header: nats.Header{"Fn-Timeout": {"never"}}, code: protocol.CodeBadRequest},
		{pattern: "orders.*", subject: "orders.eu", args: []string{"eu"}, triggered: true},
		{pattern: "orders", subject: "orders", triggered: true},
		{pattern: "f", subject: "f", triggered: true},
		{pattern: "fnn.f", subject: "fnn.f", triggered: true},
		{pattern: "orders", subject: "orders", header: nats.Header{"Fn-Timeout": {"never"}},
			triggered: true, code: protocol.CodeBadRequest},
	} {
		var r protocol.Request
		m := received(c.header, "body")
		m.Subject, m.Sub = c.subject, &nats.Subscription{Subject: c.pattern}
		err := Read(&r, "f", m)
		triggered := !r.Trigger.IsZero()
		if code := protocol.CodeOf(err); err != nil && code != c.code || err == nil && c.code != 0 {
			t.Errorf("%s: error %v, want code %d", c.subject, err, c.code)
		}
		want := protocol.Ref{Name: "f", Version: c.version}
		if triggered != c.triggered || r.Function != want || !slices.Equal(r.Args, c.args) {
			t.Errorf("%s: %v with %q, by a trigger: %t", c.subject, r.Function, r.Args, triggered)
		}
		if r.Subject != c.subject || string(r.Body) != "body" {
			t.Errorf("%s: subject %q, body %q", c.subject, r.Subject, r.Body)
		}
	}
}

// received is a message as the client library makes it: the headers, as they came, stand in front of the body.
func received(h nats.Header, body string) *nats.Msg {
	all := ""
	if h != nil {
		all = "NATS/1.0\r\n"
		for name, values := range h {
			for _, v := range values {
				all += name + ": " + v + "\r\n"
			}
		}
		all += "\r\n"
	}
	size := len(all)
	return &nats.Msg{Header: h, Data: []byte(all + body)[size:]}
}
