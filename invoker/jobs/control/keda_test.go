package control_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// lag returns what KEDA's scaler nats-jetstream calls the lag of a queue: what is pending and what is not acked yet of the
// consumer, as the server's monitoring endpoint says (keda.sh/docs, "NATS JetStream").
func lag(t *testing.T, monitoring, function string) int {
	t.Helper()
	answer, err := http.Get("http://" + monitoring + "/jsz?acc=$G&consumers=true&config=true")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var jsz struct {
		Accounts []struct {
			Streams []struct {
				Name      string
				Consumers []struct {
					Name       string
					Pending    int `json:"num_pending"`
					AckPending int `json:"num_ack_pending"`
				} `json:"consumer_detail"`
			} `json:"stream_detail"`
		} `json:"account_details"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&jsz); err != nil {
		t.Fatal(err)
	}
	for _, a := range jsz.Accounts {
		for _, s := range a.Streams {
			for _, c := range s.Consumers {
				if s.Name == protocol.QueueStream(function) && c.Name == store.Consumer {
					return c.Pending + c.AckPending
				}
			}
		}
	}
	t.Fatalf("no consumer %s of %s: %+v", store.Consumer, function, jsz)
	return 0
}

// KEDA reads how much there is to do from the server, without polyvoke: jobs that are queued and jobs that run, and
// nothing of what waits for its time or has its outcome.
func TestKEDA(t *testing.T) {
	s := invokertest.StartNATS(t, func(o *server.Options) {
		o.JetStream, o.HTTPHost, o.HTTPPort = true, "127.0.0.1", -1
	})
	js, err := jetstream.New(invokertest.Connect(t, s))
	if err != nil {
		t.Fatal(err)
	}
	w := worldOn(t, js)
	w.open("hello")
	expect := func(want int) {
		t.Helper()
		if got := lag(t, s.MonitorAddr().String(), "hello"); got != want {
			t.Errorf("the lag is %d, want %d", got, want)
		}
		q := w.open("hello")
		if got := int(q.Queued + q.Running); got != want {
			t.Errorf("polyvoke says %d, want %d", got, want)
		}
	}
	expect(0)
	for i := range 10 {
		w.publish("job.hello", fmt.Sprint(i))
	}
	expect(10)
	var taken []jetstream.Msg
	for range 4 {
		taken = append(taken, w.take("hello"))
	}
	expect(10) // what runs needs its invoker still
	w.wait("hello", "w1")
	expect(10)
	for _, m := range taken {
		if err := m.DoubleAck(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	expect(6)
	w.must(protocol.APIPause, protocol.PauseRequest{Name: "hello"}, new(protocol.QueueInfo))
	expect(6)
	w.must(protocol.APIJobPurge, protocol.PurgeRequest{Function: "hello"}, new(protocol.PortionReply))
	expect(0)
}
