package invoker_test

import (
	"encoding/json"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/protocol"
)

// hostile is one input of FuzzConnection: what a manifest and a message may choose.
type hostile struct {
	name, runtime, subject, queue, to string // of a manifest
	sent, reply, header               string // of a message
	body                              []byte
}

// stretch makes one of the strings as long as lines of the protocol are, which a fuzzer would hardly find by itself.
func (h *hostile) stretch(which uint8, n uint16) {
	pad := strings.Repeat("x", int(n)%4200)
	switch all := []*string{&h.name, &h.runtime, &h.subject, &h.queue, &h.to, &h.sent, &h.reply,
		&h.header}; int(which) % (len(all) + 1) {
	case len(all):
		h.subject, h.sent = "t.*", "t."+pad
	default:
		*all[int(which)%(len(all)+1)] += pad
	}
}

// victim is an invoker under attack.
type victim struct {
	*service
	nc   *nats.Conn // of a client that means well
	id   uint64     // of the invoker's connection
	addr string
	wire *wire
}

// FuzzConnection deploys any manifest, and sends any message in every way that an invoker answers. Afterwards the
// invoker has the connection that it had, and another function answers.
func FuzzConnection(f *testing.F) {
	f.Add("f", "", "orders.*", "w", "to.{1}", "orders.eu", "_INBOX.x", "Fn-Id: 7", []byte("hi"), uint8(6), uint16(4060))
	f.Add("f", "", "t.*", "", "{1}", "t.$JS", "polyvoke.api.remove", "Fn-Timeout: x", []byte(`{"name":"good"}`),
		uint8(8), uint16(4080))
	f.Add("f", "lua@1", "a.>", "fn-good", "b.{1}.{1}", "a.b.c", "$KV.fn_functions.good",
		"Fn-Body-Object: x\r\nFn-Body-Size: 1", []byte{}, uint8(2), uint16(4090))
	f.Add("g", "", "fn.good", "q", "$SRV.PING", "fn.good@1.x", "log.good", "Fn-Report: 1", []byte("x"), uint8(3),
		uint16(5000))
	f.Add("good", "", ">", "_", "_INBOX.y", "x", "fn.good", "a:b", []byte(nil), uint8(4), uint16(1024))
	s := startServer(f)
	own, err := nats.Connect(s.ClientURL(), nats.NoReconnect(),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(own.Close)
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(nc.Close)
	v := &victim{nc: nc, addr: s.Addr().String()}
	v.service = serveOn(f, own, func(v *invoker.Invoker) { v.Log = slog.New(slog.DiscardHandler) })
	deployProbe(f, nc, "good", protocol.Limits{})
	v.id = v.clientID(f)
	f.Fuzz(func(t *testing.T, name, runtime, subject, queue, to, sent, reply, header string, body []byte, which uint8,
		n uint16) {
		h := &hostile{name, runtime, subject, queue, to, sent, reply, header, body}
		h.stretch(which, n)
		v.deploy(t, h)
		v.send(t, h)
		v.unharmed(t, nc, "good", v.id)
		if h.name != "f" { // that is compiled already, and stays
			ask, _ := json.Marshal(protocol.NameRequest{Name: h.name})
			_, _ = control[protocol.RemoveReply](nc, &nats.Msg{Subject: protocol.APIRemove.Subject(),
				Data: ask}) // if it is there
		}
	})
}

// deploy deploys the manifest.
func (v *victim) deploy(t *testing.T, h *hostile) {
	if h.name == "good" {
		h.name = "f"
	}
	_, err := tryDeploy(v.nc, protocol.Function{Name: h.name, Runtime: h.runtime, Language: h.runtime,
		Args:     []string{"lines", "1"},
		Triggers: []protocol.Trigger{{Subject: h.subject, Queue: h.queue, To: h.to}}}, probe())
	switch code := protocol.CodeOf(err); {
	case err == nil:
	case code == protocol.CodeRefused, h.runtime != "" && code == protocol.CodeUnavailable:
	default:
		t.Fatalf("deploy: %v", err)
	}
}

// send sends the message in every way, from somebody who may do all but do what he is not to do himself.
func (v *victim) send(t *testing.T, h *hostile) {
	const breaks = " \t\r\n\x00" // it would be another line, of a protocol that is not ours to try
	if h.sent == "" || h.reply == "" || strings.ContainsAny(h.sent+h.reply, breaks) || strings.Contains(h.header,
		"\r\n\r\n") {
		return
	}
	concrete := strings.NewReplacer("*", "lines", ">", "lines.1").Replace(h.subject)
	for _, subject := range []string{h.sent, concrete, "fn.good", "fn.good.lines.3", "fn.good@1.exit.1",
		"fn." + h.name, "$SRV.PING", "$SRV.INFO.good", "$SRV.STATS.polyvoke", "polyvoke.api.list", "polyvoke.api.info"} {
		if strings.ContainsAny(subject, breaks) || protocol.Reserved(subject) && (subject == h.sent ||
			subject == concrete) {
			continue
		}
		if v.wire == nil {
			c, err := net.Dial("tcp", v.addr)
			if err != nil {
				t.Fatal(err)
			}
			v.wire = newWire(c)
		}
		if err := v.wire.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if !v.wire.say(subject, h.reply, h.header, string(h.body)) {
			v.wire.Close()
			v.wire = nil
		}
	}
}
