package control_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/control"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

// A manifest that is right by itself is refused if it does not go with what is there, and the answer says what to do.
func TestSafety(t *testing.T) {
	nc := invokertest.Connect(t, invokertest.StartNATS(t, func(o *server.Options) { o.JetStream = true }))
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for name, subjects := range map[string][]string{"ORDERS": {"orders.>"}, "GREEDY": {"job.taken", "job.taken.>"}} {
		if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: subjects}); err != nil {
			t.Fatal(err)
		}
	}
	c := &control.Service{Host: &shelf{}, Registry: &registry.Memory{}, NC: nc, JetStream: js, MaxModule: 100,
		Version: "0.0.0", Log: slog.New(slog.DiscardHandler)}
	m, err := c.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
	})
	for _, test := range []struct{ what, manifest, refusal, warning string }{
		{"a loop", `{"name":"a","trigger":[{"subject":"x.*","to":"x.{1}"}]}`, "set allow_loop = true", ""},
		{"a loop that is wanted", `{"name":"a","allow_loop":true,"trigger":[{"subject":"x.*","to":"x.{1}"}]}`, "",
			"a loop, which ends after 16 hops"},
		{"a loop by a stream", `{"name":"b","trigger":[{"stream":"ORDERS","to":"orders.done"}]}`, "by stream ORDERS", ""},
		{"a loop by dead letters", `{"name":"b","job":{"on_failure":"orders.x"},"trigger":[{"stream":"ORDERS"}]}`,
			"job.on_failure passes dead letters to orders.x", ""},
		{"no stream", `{"name":"c","trigger":[{"subject":"y"},{"stream":"NONE"}]}`,
			"trigger 2: there is no stream NONE: make it first (nats stream add NONE), or set create = true", ""},
		{"no bucket", `{"name":"c","trigger":[{"kv":"none.a.*"}]}`, "there is no KV bucket none", ""},
		{"no object store", `{"name":"c","trigger":[{"object":"none"}]}`, "there is no object store none", ""},
		{"a stream to be made", `{"name":"c","trigger":[{"stream":"NEW","filter":"new.>","create":true}]}`, "", ""},
		{"a filter beside the stream", `{"name":"d","trigger":[{"stream":"ORDERS","filter":"refunds.>"}]}`, "",
			"stream ORDERS takes no message of refunds.>, so this trigger of d gets none: it takes orders.>"},
		{"a stream that has the jobs", `{"name":"taken","job":{}}`, "stream GREEDY takes the jobs of taken (job.taken)", ""},
		{"all is well", `{"name":"e","job":{"on_failure":"failed.e"},"trigger":[{"stream":"ORDERS","to":"done"}]}`, "", ""},
	} {
		var reply protocol.DeployReply
		err := ask(nc, protocol.APIDeploy, manifest(test.manifest), "wasm", &reply)
		if test.refusal != "" && (protocol.CodeOf(err) != protocol.CodeRefused ||
			!strings.Contains(err.Error(), test.refusal)) || test.refusal == "" && err != nil {
			t.Errorf("%s: %v", test.what, err)
		}
		warnings := strings.Join(reply.Warnings, "\n")
		if (warnings != "") != (test.warning != "") || !strings.Contains(warnings, test.warning) {
			t.Errorf("%s: warnings %q", test.what, reply.Warnings)
		}
	}
}
