package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/invoker/control"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// shelf is a host that takes what it is given and runs nothing. What it says of a function depends on its name.
type shelf struct{ held atomic.Int64 }

func (h *shelf) Try(_ context.Context, f *protocol.Function, _ []byte, _ bool) (release func(), err error) {
	switch f.Name {
	case "unfit":
		return nil, &runtimes.ModuleError{Reason: "it does not fit"}
	case "crowded":
		return nil, &runtimes.BusyError{Reason: "it is crowded"}
	case "odd":
		return nil, errors.New("the shelf creaks")
	}
	h.held.Add(1)
	return func() { h.held.Add(-1) }, nil
}

func (h *shelf) Await(_ context.Context, f *protocol.Function) error {
	if f.Name == "late" {
		return protocol.Errorf(protocol.CodeUnavailable, "", "%s comes later", f.Ref())
	}
	return nil
}

func (*shelf) Load(context.Context, *protocol.Function) (func(), error) { return func() {}, nil }
func (*shelf) AwaitAlias(context.Context, protocol.AliasState) error    { return nil }
func (*shelf) Canaries() []protocol.AliasState                          { return nil }

func (h *shelf) AwaitGone(_ context.Context, f *protocol.Function) error {
	if f.Name == "stuck" {
		return protocol.Errorf(protocol.CodeUnavailable, "", "%s is held", f.Name)
	}
	return nil
}

func (h *shelf) Idle(_ context.Context, f *protocol.Function) bool { return f.Name == "idle" }

func (h *shelf) Stats(name string) protocol.Stats { return protocol.Stats{Requests: int64(len(name))} }

func (h *shelf) Damage() []protocol.Damage {
	return []protocol.Damage{{Name: "torn", Reason: "it is torn"}}
}

func (h *shelf) Unserved() []protocol.Damage {
	return []protocol.Damage{{Name: "held", Reason: "there is no such bucket"}}
}

func (h *shelf) Taking(string) []*protocol.Function { return nil }

func (h *shelf) Overlapping(*protocol.Function) []*protocol.Function { return nil }

// serve controls a shelf through a server without JetStream, and returns a client.
func serve(t *testing.T, h control.Host) *nats.Conn {
	t.Helper()
	nc := invokertest.Connect(t, invokertest.StartNATS(t, func(o *server.Options) { o.JetStream = false }))
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	c := &control.Service{Host: h, Registry: &registry.Memory{}, NC: nc, JetStream: js, Line: protocol.DefaultLine,
		MaxModule: 100, Version: "0.0.0",
		Log: slog.New(slog.DiscardHandler)}
	m, err := c.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
	})
	return nc
}

// ask asks a verb.
func ask(nc *nats.Conn, verb protocol.APIVerb, header nats.Header, body string, out any) error {
	answer, err := nc.RequestMsg(&nats.Msg{Subject: verb.Subject(), Header: header, Data: []byte(body)}, patience)
	if err != nil {
		return err
	}
	r, err := protocol.ParseReply(protocol.Header(answer.Header), answer.Data)
	switch {
	case err != nil:
		return err
	case r.Err != nil:
		return r.Err
	}
	return json.Unmarshal(answer.Data, out)
}

// manifest returns the header of a deployment, with more of them.
func manifest(m string, more ...string) nats.Header {
	h := nats.Header{protocol.HeaderManifest: {m}}
	for i := 0; i < len(more); i += 2 {
		h[more[i]] = []string{more[i+1]}
	}
	return h
}

// What cannot be done is answered with a code and a reason.
func TestRefusals(t *testing.T) {
	h := &shelf{}
	nc := serve(t, h)
	var stuck protocol.DeployReply
	if err := ask(nc, protocol.APIDeploy, manifest(`{"name":"stuck"}`), "wasm", &stuck); err != nil {
		t.Fatal(err)
	}
	digest := protocol.Digest(nil)
	for _, c := range []struct {
		what   string
		verb   protocol.APIVerb
		header nats.Header
		body   string
		code   int
		text   string
	}{
		{"no manifest", protocol.APIDeploy, nil, "wasm", 400, "Fn-Manifest"},
		{"no name", protocol.APIDeploy, manifest(`{}`), "wasm", 422, "name"},
		{"too large", protocol.APIDeploy, manifest(`{"name":"x"}`), strings.Repeat("x", 101), 422,
			"deploy x: the module has 101 bytes, and this service takes 100 (100B) at most: " +
				"make it smaller (strip its symbols), or start the service with --max-module 1MiB"},
		{"too large an object", protocol.APIDeploy,
			manifest(`{"name":"x"}`, protocol.HeaderObject, "o", protocol.HeaderSize, "101", protocol.HeaderDigest, digest),
			"", 422, "the module has 101 bytes"},
		{"unfit", protocol.APIDeploy, manifest(`{"name":"unfit"}`), "wasm", 422, "deploy unfit: it does not fit"},
		{"busy", protocol.APIDeploy, manifest(`{"name":"crowded"}`), "wasm", 503, "deploy crowded: it is crowded"},
		{"unknown reason", protocol.APIDeploy, manifest(`{"name":"odd"}`), "wasm", 500, "internal error"},
		{"not served", protocol.APIDeploy, manifest(`{"name":"late"}`), "wasm", 503, "late@1 comes later"},
		{"object without a store", protocol.APIDeploy,
			manifest(`{"name":"x"}`, protocol.HeaderObject, "o", protocol.HeaderSize, "4", protocol.HeaderDigest, digest),
			"", 503, "JetStream"},
		{"script without interpreters", protocol.APIDeploy,
			manifest(`{"name":"x","runtime":"python"}`), "print()", 503, "no scripts"},
		{"interpreter", protocol.APIRuntimeAdd, nil, "bundle", 503, "no scripts"},
		{"version of an interpreter", protocol.APIRuntimePin, nil, `{"name":"python@1"}`, 503, "no scripts"},
		{"nothing to tell", protocol.APIInfo, nil, `{"name":"x"}`, 404, "x"},
		{"nothing to remove", protocol.APIRemove, nil, `{"name":"x"}`, 404, "x"},
		{"no name to remove", protocol.APIRemove, nil, `{}`, 400, ""},
		{"held", protocol.APIRemove, nil, `{"name":"stuck"}`, 503, "stuck is held"},
	} {
		var out any
		err := ask(nc, c.verb, c.header, c.body, &out)
		if err == nil || protocol.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want code %d with %q", c.what, err, c.code, c.text)
		}
	}
	if n := h.held.Load(); n != 0 {
		t.Errorf("%d modules are still held", n)
	}
}

// gate is a host that keeps modules whose function is called "long" until it is opened.
type gate struct {
	shelf
	arrived, open chan struct{}
}

func (g *gate) Try(ctx context.Context, f *protocol.Function, module []byte, edit bool) (release func(), err error) {
	if f.Name == "long" {
		g.arrived <- struct{}{}
		select {
		case <-g.open:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return g.shelf.Try(ctx, f, module, edit)
}

// Deployments do not wait for one another.
func TestDeployBesideOthers(t *testing.T) {
	const long = 20
	g := &gate{arrived: make(chan struct{}, long), open: make(chan struct{})}
	nc := serve(t, g)
	answers := make(chan error, long)
	for range long {
		go func() {
			answers <- ask(nc, protocol.APIDeploy, manifest(`{"name":"long"}`), "wasm", new(protocol.DeployReply))
		}()
	}
	for i := range long {
		select {
		case <-g.arrived:
		case <-time.After(patience):
			t.Fatalf("%d deployments have begun", i)
		}
	}
	if err := ask(nc, protocol.APIDeploy, manifest(`{"name":"short"}`), "wasm", new(protocol.DeployReply)); err != nil {
		t.Error(err)
	}
	err := ask(nc, protocol.APIDeploy, manifest(`{"name":"unfit"}`), "wasm", new(protocol.DeployReply))
	if protocol.CodeOf(err) != 422 {
		t.Errorf("one that is refused meanwhile: %v", err)
	}
	close(g.open)
	for range long {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
}

// A function comes, is listed and told of, and goes.
func TestVerbs(t *testing.T) {
	nc := serve(t, &shelf{})
	for version := 1; version <= 2; version++ {
		var d protocol.DeployReply
		body := strings.Repeat("wasm", version)
		err := ask(nc, protocol.APIDeploy, manifest(`{"name":"greet"}`), body, &d)
		if err != nil || !d.Created || d.Function.Version != version || d.Function.Digest != protocol.Digest([]byte(body)) {
			t.Fatalf("deploy: %+v, %v", d, err)
		}
	}
	var caller protocol.DeployReply
	err := ask(nc, protocol.APIDeploy,
		manifest(`{"name":"caller","grant":[{"fn":"greet"},{"fn":"greet@2"},{"fn":"greet@7"},{"fn":"price"}]}`), "wasm", &caller)
	if want := "price, which is not deployed"; err != nil || len(caller.Warnings) != 2 ||
		!strings.Contains(caller.Warnings[0], "greet@7, which is not deployed") || !strings.Contains(caller.Warnings[1], want) {
		t.Errorf("deploy: %q, %v", caller.Warnings, err)
	}
	if err := ask(nc, protocol.APIRemove, nil, `{"name":"caller"}`, &protocol.RemoveReply{}); err != nil {
		t.Error(err)
	}
	var list, languages protocol.ListReply
	if err := ask(nc, protocol.APIList, nil, "", &list); err != nil ||
		len(list.Functions) != 1 || list.Functions[0].Version != 2 || len(list.Damaged) != 1 ||
		len(list.Unserved) != 1 || list.Unserved[0].Name != "held" {
		t.Errorf("list: %+v, %v", list, err)
	}
	if err := ask(nc, protocol.APIRuntimes, nil, "", &languages); err != nil ||
		languages.Functions == nil || len(languages.Functions) != 0 {
		t.Errorf("runtimes: %+v, %v", languages, err)
	}
	var info protocol.InfoReply
	err = ask(nc, protocol.APIInfo, nil, `{"name":"greet"}`, &info)
	if err != nil || len(info.Versions) != 2 || info.Function.Version != 2 || info.Stats.Requests != 5 {
		t.Errorf("info: %+v, %v", info, err)
	}
	var gone protocol.RemoveReply
	if err := ask(nc, protocol.APIRemove, nil, `{"name":"greet"}`, &gone); err != nil ||
		gone.Removed != "greet" || gone.Versions != 2 {
		t.Errorf("remove: %+v, %v", gone, err)
	}
	if err := ask(nc, protocol.APIList, nil, "", &list); err != nil || len(list.Functions) != 0 {
		t.Errorf("afterwards: %+v, %v", list, err)
	}
}

// The service is one of ADR-32, and answers questions about it where an answer harms nobody.
func TestDiscovery(t *testing.T) {
	nc := serve(t, &shelf{})
	if err := ask(nc, protocol.APIList, nil, "", new(protocol.ListReply)); err != nil {
		t.Fatal(err)
	}
	if err := ask(nc, protocol.APIInfo, nil, `{"name":"nobody"}`, nil); protocol.CodeOf(err) != protocol.CodeNotFound {
		t.Fatal(err)
	}
	var ping micro.Ping
	question(t, nc, "$SRV.PING", &ping)
	if ping.Name != "polyvoke" || ping.Type != micro.PingResponseType || ping.ID == "" {
		t.Errorf("PING: %+v", ping)
	}
	var info micro.Info
	question(t, nc, "$SRV.INFO.polyvoke."+ping.ID, &info)
	if info.ID != ping.ID || info.Type != micro.InfoResponseType || len(info.Endpoints) != 12 {
		t.Errorf("INFO: %+v", info)
	}
	for _, e := range info.Endpoints {
		if e.Subject != "polyvoke.api."+e.Name || e.QueueGroup != protocol.QueueGroup {
			t.Errorf("INFO: %+v", e)
		}
	}
	var figures micro.Stats
	question(t, nc, "$SRV.STATS.polyvoke", &figures)
	for _, e := range figures.Endpoints {
		requests, failures := 0, 0
		switch e.Name {
		case "list":
			requests = 1
		case "info":
			requests, failures = 1, 1
		}
		if e.NumRequests != requests || e.NumErrors != failures || (failures == 1) != strings.HasPrefix(e.LastError, "404:") {
			t.Errorf("STATS: %+v", e)
		}
	}
	heard, err := nc.SubscribeSync("log.x")
	if err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{
		"$SRV.PING", "$SRV.STATS.polyvoke", "$SRV.INFO.polyvoke." + ping.ID, "polyvoke.api.list",
	} {
		if err := nc.PublishRequest(subject, "log.x", nil); err != nil {
			t.Fatal(err)
		}
		question(t, nc, subject, new(struct{})) // it is behind that
	}
	if m, err := heard.NextMsg(time.Millisecond); err == nil {
		t.Errorf("answered on log.x: %s", m.Data)
	}
}

// question asks without a body, and reads the answer.
func question(t *testing.T, nc *nats.Conn, subject string, out any) {
	t.Helper()
	m, err := nc.Request(subject, nil, patience)
	if err == nil {
		err = json.Unmarshal(m.Data, out)
	}
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
}

// Routes implements control.Host.
func (*shelf) Routes(*protocol.Function) error { return nil }
