package control_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/audit"
	"github.com/polyvoke/polyvoke/invoker/control"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

// auditedService serves with an audit, which is required, and a verb pause that says 503 the first time.
func auditedService(t *testing.T) (nc *nats.Conn, js jetstream.JetStream, pauses *int) {
	t.Helper()
	nc = invokertest.Connect(t, invokertest.StartNATS(t))
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	pauses = new(int)
	pause := func(context.Context, *protocol.APIRequest) (any, error) {
		if *pauses++; *pauses == 1 {
			return nil, protocol.Errorf(protocol.CodeUnavailable, "", "not now")
		}
		return protocol.QueueInfo{Function: "f"}, nil
	}
	s := &control.Service{Host: &shelf{}, Registry: &registry.Memory{}, NC: nc, JetStream: js, MaxModule: 100,
		Version: "0.0.0", Log: slog.New(slog.DiscardHandler), Audit: audit.New(js, audit.Config{Required: true}),
		Verbs: map[protocol.APIVerb]protocol.APIHandler{protocol.APIPause: {Answer: pause}}}
	m, err := s.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
	})
	return nc, js, pauses
}

// subjectsOfAudit returns the subjects of all entries, without their root, in order.
func subjectsOfAudit(t *testing.T, js jetstream.JetStream) (all []string) {
	t.Helper()
	s, err := js.Stream(t.Context(), protocol.StreamAudit)
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.CachedInfo().State.Msgs {
		m, err := s.GetMsg(t.Context(), i+1)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.TrimPrefix(m.Subject, protocol.RootAudit+"."))
	}
	return all
}

// Each request that changes something is in the audit before and after it. An answer with which a client asks again is no
// outcome, and an id that is used again hides nothing.
func TestAudited(t *testing.T) {
	nc, js, _ := auditedService(t)
	request := func(verb protocol.APIVerb, id, manifest, body string) {
		t.Helper()
		h := nats.Header{protocol.HeaderID: {id}, protocol.HeaderManifest: {manifest}}
		if _, err := nc.RequestMsg(&nats.Msg{Subject: verb.Subject(), Header: h, Data: []byte(body)}, patience); err != nil {
			t.Fatal(err)
		}
	}
	const one, two = `{"name":"f"}`, `{"name":"f","env":{"A":"2"}}`
	request(protocol.APIDeploy, "a", one, "wasm")
	request(protocol.APIDeploy, "b", two, "wasm")
	request(protocol.APIDeploy, "b", two, "wasm") // sent again
	request(protocol.APIDeploy, "c", two, "wasm") // which changes nothing
	request(protocol.APIDeploy, "a", one, "wasm") // the same id and contents, and version 3
	request(protocol.APIDeploy, "a", `{}`, "wasm")
	request(protocol.APIPause, "d", "", `{"name":"f"}`) // 503
	request(protocol.APIPause, "d", "", `{"name":"f"}`)
	request(protocol.APIRemove, "e", "", `{"name":"f"}`)
	request(protocol.APIList, "f", "", "")
	got, want := strings.Join(subjectsOfAudit(t, js), " "), "deploy.f.begin deploy.f.done "+
		"deploy.f.begin deploy.f.done "+
		"deploy.f.begin deploy.f.same "+
		"deploy.f.done "+
		"deploy._.begin deploy._.failed "+
		"pause.f.begin pause.f.done "+
		"remove.f.begin remove.f.done"
	if got != want {
		t.Errorf("the audit has\n%s\nwant\n%s", got, want)
	}
}

// What cannot be audited is not done, if the audit is required.
func TestAuditRequired(t *testing.T) {
	nc, js, pauses := auditedService(t)
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "other",
		Subjects: []string{protocol.RootAudit + ".>"}}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	err := ask(nc, protocol.APIPause, nil, `{"name":"f"}`, new(any))
	if protocol.CodeOf(err) != protocol.CodeUnavailable || !strings.Contains(err.Error(), "nothing is changed until") {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	if *pauses != 0 {
		t.Error("it was done all the same")
	}
	if err := js.DeleteStream(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	_ = ask(nc, protocol.APIPause, nil, `{"name":"f"}`, new(any)) // 503 of the verb itself
	if err := ask(nc, protocol.APIPause, nil, `{"name":"f"}`, new(any)); err != nil || *pauses != 2 {
		t.Errorf("once it can be: %v, %d times", err, *pauses)
	}
}
