package invoker_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/invoker/bodies"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// TestSmallMessages deploys, calls and looks for functions where NATS takes messages of few bytes.
func TestSmallMessages(t *testing.T) {
	for _, size := range []int{4 << 10, 64 << 10} {
		s := startServer(t, func(o *server.Options) { o.MaxPayload = int32(size) })
		startInvoker(t, s)
		nc := connect(t, s)
		store, err := bodies.Existing(t.Context(), registrytest.JetStream(t, nc))
		if err != nil {
			t.Fatal(err)
		}
		claimed := func(subject string, body []byte, h protocol.Header) *nats.Msg {
			claim, err := store.PutBytes(t.Context(), body)
			if err != nil {
				t.Fatalf("max_payload %d: %v", size, err)
			}
			claim.Put(h)
			return &nats.Msg{Subject: subject, Header: nats.Header(h)}
		}
		const triggers = 10
		f := protocol.Function{Name: "probe"}
		for i := range triggers {
			f.Triggers = append(f.Triggers, protocol.Trigger{Subject: fmt.Sprintf("%s.%d", strings.Repeat("x", 100), i)})
		}
		manifest, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		d, err := control[protocol.DeployReply](nc, claimed(protocol.APIDeploy.Subject(), runtimestest.Wasm(),
			protocol.Header{protocol.HeaderManifest: {string(manifest)}}))
		if err != nil || !d.Created {
			t.Fatalf("max_payload %d: %+v, %v", size, d, err)
		}
		body := bytes.Repeat([]byte("0123456789"), 20_000)
		m, err := nc.RequestMsg(claimed("fn.probe", body, protocol.Header{}), patience)
		if err != nil {
			t.Fatal(err)
		}
		r, err := protocol.ParseReply(protocol.Header(m.Header), m.Data)
		if err != nil || r.Err != nil || r.Claim == nil {
			t.Fatalf("max_payload %d: %+v, %v", size, r, err)
		}
		if got, err := store.Get(t.Context(), r.Claim, 1<<20); err != nil || !bytes.Equal(got, body) {
			t.Errorf("max_payload %d: %d bytes came back, %v", size, len(got), err)
		}
		described(t, nc, triggers, size)
	}
}

// described asks discovery about the probe, whose endpoints may be too many for a message.
func described(t *testing.T, nc *nats.Conn, triggers, size int) {
	t.Helper()
	for _, verb := range []micro.Verb{micro.PingVerb, micro.InfoVerb, micro.StatsVerb} {
		m, err := nc.Request(micro.APIPrefix+"."+verb.String()+".probe", nil, patience)
		if err != nil {
			t.Fatalf("max_payload %d, %s: %v", size, verb, err)
		}
		var got struct {
			Name      string            `json:"name"`
			Metadata  map[string]string `json:"metadata"`
			Endpoints []struct{ Name string }
		}
		if err := json.Unmarshal(m.Data, &got); err != nil || got.Name != "probe" {
			t.Errorf("max_payload %d, %s: %s", size, verb, m.Data)
		}
		left := 0
		_, _ = fmt.Sscan(got.Metadata["endpoints_left_out"], &left)
		short := size == 4<<10 && verb == micro.StatsVerb
		if verb != micro.PingVerb &&
			(len(got.Endpoints)+left != triggers+1 || got.Endpoints[0].Name != "call" || (left > 0) != short) {
			t.Errorf("max_payload %d, %s: %d endpoints, and %d are left out", size, verb, len(got.Endpoints), left)
		}
	}
	if _, err := nc.Request(micro.APIPrefix+".NONSENSE.absent", nil, patience); !noResponders(err) {
		t.Errorf("a function that is not there: %v", err)
	}
}
