package invoker_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// knowing gives an invoker a registry that knows more words of needs than the protocol has.
func knowing(t testing.TB, s *server.Server, words ...string) func(*invoker.Invoker) {
	return func(v *invoker.Invoker) {
		r, err := registry.Open(t.Context(), registrytest.JetStream(t, connect(t, s)), registry.Config{Knows: words,
			Log: v.Log})
		if err != nil {
			t.Fatal(err)
		}
		v.Registry = r
	}
}

// records opens the bucket of functions.
func records(t testing.TB, nc *nats.Conn) jetstream.KeyValue {
	t.Helper()
	kv, err := registrytest.JetStream(t, nc).KeyValue(t.Context(), registry.BucketFunctions)
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

// rewrite puts a record in the place of a function's, as a newer polyvoke would: with one more version of the same
// module that answers with its argument, and with needs.
func rewrite(t testing.TB, nc *nats.Conn, name string, needs ...string) {
	t.Helper()
	kv := records(t, nc)
	was, err := kv.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	var e registry.Entry
	if err := json.Unmarshal(was.Value(), &e); err != nil {
		t.Fatal(err)
	}
	f := *e.Latest()
	f.Version++
	f.Created = f.Created.Add(1e9)
	f.Needs = needs
	for i := range e.Versions {
		e.Versions[i].Needs = nil
	}
	e.Needs, e.Versions = needs, append(e.Versions, f)
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(needs, "teleport") && len(needs) > 0 { // what has no hook in this test is unknown in form too
		b = bytes.Replace(b, []byte(`"versions":`), []byte(`"orbits":[1],"versions":`), 1)
	}
	if _, err := kv.Put(t.Context(), name, b); err != nil {
		t.Fatal(err)
	}
}

// calledVersion calls a function and returns NAME@VERSION that answered, or an error.
func calledVersion(nc *nats.Conn, name string) (string, error) {
	r, err := tryCall(nc, "fn."+name, nil, protocol.HeaderReport, "1")
	if err == nil && r.Err != nil {
		err = r.Err
	}
	if err != nil || r.Report == nil {
		return "", err
	}
	return r.Report.Function.String(), nil
}

// list returns what ls shows.
func list(t testing.TB, nc *nats.Conn) protocol.ListReply {
	t.Helper()
	out, err := control[protocol.ListReply](nc, &nats.Msg{Subject: protocol.APIList.Subject()})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A function whose record needs what the invoker does not know is not served, in no version; the others are. It is
// told of once, and served again when its record needs nothing more.
func TestUnknownNeeds(t *testing.T) {
	s := startServer(t)
	nc := connect(t, s)
	v := startInvoker(t, s)
	deploy(t, nc, protocol.Function{Name: "moving", Triggers: []protocol.Trigger{{Subject: "moves.*"}}},
		silent("moving"))
	deploy(t, nc, protocol.Function{Name: "staying"}, silent("staying"))
	rewrite(t, nc, "moving", "warp", "anvil")
	for _, subject := range []string{"fn.moving", "fn.moving@1", "fn.moving@2", "moves.x", "$SRV.PING.moving"} {
		onTick(t, subject+" without responders", func() bool {
			_, err := tryCall(nc, subject,
				nil)
			return noResponders(err)
		})
	}
	if got, err := calledVersion(nc, "staying"); got != "staying@1" {
		t.Errorf("the other function answers as %q, %v", got, err)
	}
	wantUnserved(t, nc, v, "moving")
	if _, err := tryDeploy(nc, protocol.Function{Name: "moving"},
		silent("moving")); protocol.CodeOf(err) != protocol.CodeUnknownNeed || !strings.Contains(err.Error(),
		"needs anvil, warp, which this invoker does not know: update the invoker") {
		t.Errorf("a deployment over it: %v", err)
	}

	v.end(t) // and so it is when the invoker starts
	v = startInvoker(t, s)
	if _, err := tryCall(nc, "fn.moving", nil); !noResponders(err) {
		t.Errorf("after a restart: %v", err)
	}
	wantUnserved(t, nc, v, "moving")
	rewriteRaw(t, nc, "moving", `{"name":"moving",`) // damage changes nothing of that
	onTick(t, "the report of the damage", func() bool {
		return strings.Contains(v.log.String(),
			"damaged in the store")
	})
	if _, err := tryCall(nc, "fn.moving", nil); !noResponders(err) {
		t.Errorf("with a damaged record: %v", err)
	}

	if _, err := control[protocol.RemoveReply](nc, about(protocol.APIRemove, "moving")); err != nil {
		t.Fatal(err)
	}
	deploy(t, nc, protocol.Function{Name: "moving"}, silent("moving again"))
	if got, err := calledVersion(nc, "moving"); got != "moving@1" {
		t.Errorf("deployed again it answers as %q, %v", got, err)
	}
	rewrite(t, nc, "moving", "warp")
	onTick(t, "no responders", func() bool { _, err := tryCall(nc, "fn.moving", nil); return noResponders(err) })
	rewriteRaw(t, nc, "moving", newEntry(t, v, "staying", "moving"))
	onTick(t, "service by the record of old", func() bool {
		got, _ := calledVersion(nc,
			"moving")
		return got == "moving@1"
	})
	if damaged := list(t, nc).Damaged; len(damaged) != 0 {
		t.Errorf("ls still shows %+v", damaged)
	}
}

// rewriteRaw writes a record.
func rewriteRaw(t testing.TB, nc *nats.Conn, name, record string) {
	t.Helper()
	if _, err := records(t, nc).PutString(t.Context(), name, record); err != nil {
		t.Fatal(err)
	}
}

// newEntry returns the record of a function under another name.
func newEntry(t testing.TB, v *service, name, as string) string {
	t.Helper()
	e, err := v.Registry.Find(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	f := *e.Latest()
	f.Name = as
	b, err := json.Marshal(registry.Entry{Name: as, Versions: []protocol.Function{f}})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// wantUnserved fails unless info, ls and the log say, once, that the invoker does not serve a function which needs
// warp and anvil.
func wantUnserved(t *testing.T, nc *nats.Conn, v *service, name string) {
	t.Helper()
	info, err := control[protocol.InfoReply](nc, about(protocol.APIInfo, name))
	if err != nil || !slices.Equal(info.Unknown, []string{"anvil", "warp"}) || info.Damage != "" ||
		info.Function.Version != 2 {
		t.Errorf("info: %+v, %v", info, err)
	}
	all := list(t, nc)
	if len(all.Damaged) != 1 || all.Damaged[0].Name != name || !slices.Equal(all.Damaged[0].Needs, []string{"anvil",
		"warp"}) ||
		!strings.Contains(all.Damaged[0].Reason, "update the invoker") {
		t.Errorf("ls: %+v", all.Damaged)
	}
	if n := strings.Count(v.log.String(), fmt.Sprintf("function=%s needs=anvil,warp", name)); n != 1 {
		t.Errorf("it is in the log %d times:\n%s", n, v.log)
	}
}

// Of two invokers, the one that knows what a function needs answers all of its calls, and the version before is
// served by nobody; the deployment names the other.
func TestOneInvokerKnows(t *testing.T) {
	s := startServer(t)
	nc := connect(t, s)
	old := startInvoker(t, s)
	deploy(t, nc, protocol.Function{Name: "moving"}, runtimestest.Wasm())
	knows := startInvoker(t, s, knowing(t, s, "teleport"))
	rewrite(t, nc, "moving", "teleport")
	onTick(t, "the older invoker's word", func() bool { return strings.Contains(old.log.String(), "needs=teleport") })
	onTick(t, "the newer version", func() bool { got, _ := calledVersion(nc, "moving"); return got == "moving@2" })
	onTick(t, "the end of the older invoker's function", func() bool { return old.Functions() == 0 })
	for range 100 {
		if got, err := calledVersion(nc, "moving"); got != "moving@2" {
			t.Fatalf("answered by %q, %v", got, err)
		}
	}
	if strings.Contains(knows.log.String(), "not served") {
		t.Errorf("the log of the one that knows it:\n%s", knows.log)
	}

	found, err := knows.Registry.Find(t.Context(), "moving")
	if err != nil {
		t.Fatal(err)
	}
	id := confirm(t, nc, found.Latest(), map[string]bool{"": true, "teleport": true})
	m := &nats.Msg{Subject: protocol.APIDeploy.At(id), Data: runtimestest.Wasm(), Header: nats.Header{
		protocol.HeaderManifest: {`{"name":"moving","language":"C"}`}, protocol.HeaderID: {"third"}}}
	reply, err := control[protocol.DeployReply](nc, m) // version 2, which needs it, is still called as moving@2
	if err != nil || reply.Function.Version != 3 || len(reply.Warnings) != 1 ||
		!strings.HasSuffix(reply.Warnings[0], "does not know teleport, which the function needs, and leaves its calls "+
			"to other invokers: update it") {
		t.Errorf("deployed: %+v, %v", reply, err)
	}

	knows.end(t)
	if _, err := calledVersion(nc, "moving"); !noResponders(err) {
		t.Errorf("without the one that knows it: %v", err)
	}
}

// confirm asks all invokers whether they serve a version, and expects their answers: the needs that they do not know.
// It returns the id of one that serves it.
func confirm(t *testing.T, nc *nats.Conn, f *protocol.Function, want map[string]bool) (id string) {
	t.Helper()
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.PublishRequest(protocol.APIPing.Subject(), inbox, nil); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for range want {
		m, err := sub.NextMsg(patience)
		if err != nil {
			t.Fatal(err)
		}
		var pong protocol.Pong
		_ = json.Unmarshal(m.Data, &pong)
		b, _ := json.Marshal(protocol.ConfirmRequest{Name: f.Name, Version: f.Version, Created: f.Created})
		answer, err := nc.RequestMsg(&nats.Msg{Subject: protocol.APIConfirm.At(pong.ID), Data: b,
			Header: nats.Header{protocol.HeaderTimeout: {"20s"}}}, patience)
		if err != nil {
			t.Fatal(err)
		}
		var c protocol.Confirmation
		if err := json.Unmarshal(answer.Data, &c); err != nil || (c.Error == "") != (len(c.Needs) == 0) {
			t.Errorf("confirmation %s, %v", answer.Data, err)
		}
		if got[strings.Join(c.Needs, " ")] = true; c.Error == "" {
			id = pong.ID
		}
	}
	for needs := range want {
		if !got[needs] {
			t.Errorf("the confirmations have the needs %v, want %v", got, want)
		}
	}
	return id
}
