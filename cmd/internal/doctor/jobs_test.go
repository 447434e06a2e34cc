package doctor_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/cmd/internal/doctor"
	"github.com/polyvoke/polyvoke/protocol"
)

// jobStreams makes what durable calls are kept in: the queues of a, with a job, and of b, which is full, and a dead
// letter.
func jobStreams(t *testing.T, url string) {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []jetstream.StreamConfig{
		{Name: "KV_fn_functions", Subjects: []string{"$KV.fn_functions.>"}},
		{Name: protocol.QueueStream("a"), Subjects: protocol.QueueSubjects("a"), MaxMsgs: 100},
		{Name: protocol.QueueStream("b"), Subjects: protocol.QueueSubjects("b"), MaxMsgs: 1},
		{Name: protocol.StreamDead, Subjects: []string{protocol.RootDead + ".*.*"}},
	} {
		if _, err := js.CreateStream(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for _, subject := range []string{"job.a", "job.b", protocol.DeadSubject("a", "1")} {
		if _, err := js.Publish(t.Context(), subject, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// answer answers requests on a subject with JSON.
func answer(t *testing.T, url, subject string, v any) {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Subscribe(subject, func(m *nats.Msg) { _ = m.Respond(b) }); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
}

func TestJobs(t *testing.T) {
	url := startNATS(t, &server.Options{JetStream: true}).ClientURL()
	if _, by := run(t, config(t, url)); by["queues"].Name != "" || by["dead letters"].Name != "" {
		t.Errorf("without jobs it says %+v", by)
	}
	jobStreams(t, url)
	answerPings(t, url, "1")
	answer(t, url, protocol.APIList.At("i0"), protocol.ListReply{Functions: []protocol.Function{{Name: "a",
		Triggers: []protocol.Trigger{{Schedule: "@yearly"}, {Schedule: "@hourly"}}}}})
	_, by := run(t, config(t, url))
	for name, want := range map[string]string{
		"queues":       "little room for jobs in FN_JOB_b",
		"dead letters": "1 dead letter, the oldest of 20",
		"lost queues":  "no function any more for FN_JOB_b",
	} {
		got := by[name]
		if got.Status != doctor.Warning || !strings.Contains(got.Found, want) || got.Remedy == "" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	if got := by["schedules"]; got.Status != doctor.OK || !strings.HasPrefix(got.Found, "2 schedules; a runs next, at 2") {
		t.Errorf("schedules: got %+v", got)
	}
	if got, ok := by["job replicas"]; ok {
		t.Errorf("all streams have one replica, and it says %+v", got)
	}
}

func TestDurability(t *testing.T) {
	for value, want := range map[string]struct {
		status doctor.Status
		found  string
	}{
		"":                           {doctor.Note, "sync_interval"},
		protocol.DurabilityCrash:     {doctor.Note, "crash: "},
		protocol.DurabilityPowerLoss: {doctor.OK, "power-loss: "},
	} {
		url := startNATS(t, &server.Options{}).ClientURL()
		answerPings(t, url, "1")
		answer(t, url, "$SRV.INFO."+protocol.Service,
			map[string]any{"metadata": map[string]string{protocol.MetadataDurability: value}})
		_, by := run(t, config(t, url))
		if got := by["durability"]; got.Status != want.status || !strings.Contains(got.Found, want.found) {
			t.Errorf("%q: got %+v", value, got)
		}
	}
}
