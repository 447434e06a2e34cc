package invoker_test

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
)

// When a store that was full has room again, deployments and large replies work without a restart of anything. (What
// becomes of a server whose disk was full, cmd/internal/natsd tests.)
func TestFullStore(t *testing.T) {
	s := startServer(t, func(o *server.Options) { o.JetStreamMaxStore = 16 << 20 })
	startInvoker(t, s, remembering(t, s))
	nc := connect(t, s)
	js := registrytest.JetStream(t, nc)
	deployProbe(t, nc, "probe", protocol.Limits{Timeout: protocol.Duration(patience)})
	for round := range 2 {
		fill(t, js)
		_, err := tryDeploy(nc, protocol.Function{Name: "full"}, silent(fmt.Sprint("full", round)))
		if protocol.CodeOf(err) != protocol.CodeUnavailable {
			t.Errorf("a deployment into a full store: %v", err)
		}
		wantError(t, call(t, nc, "fn.probe.drip.1048600", nil), protocol.CodeBadOutput, "could not be stored")
		if r := call(t, nc, "fn.probe", []byte("x")); r.Err != nil {
			t.Errorf("a call while the store is full: %v", r.Err)
		}
		if err := js.DeleteStream(t.Context(), "ballast"); err != nil {
			t.Fatal(err)
		}
		onTick(t, "a deployment", func() bool {
			_, err = tryDeploy(nc, protocol.Function{Name: "full"}, silent(fmt.Sprint("full", round)))
			return err == nil
		})
		if r := call(t, nc, "fn.probe.drip.1048600", nil); r.Err != nil || r.Claim == nil {
			t.Errorf("a large reply: %v", r.Err)
		}
	}
}

// fill takes what room there is.
func fill(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	ballast := jetstream.StreamConfig{Name: "ballast", Subjects: []string{"ballast"}}
	if _, err := js.CreateStream(t.Context(), ballast); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{256 << 10, 16 << 10, 1 << 10, 10} {
		for n := 0; ; n++ {
			if _, err := js.Publish(t.Context(), "ballast", make([]byte, size)); err != nil {
				break
			}
			if n == 1<<16 {
				t.Fatal("the store does not get full")
			}
		}
	}
}
