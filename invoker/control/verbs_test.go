package control_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/control"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

// Verbs of what stands beside the invoker are answered by both ways; those that wait keep nobody from being answered, and
// one that nobody knows is said to be unknown.
func TestVerbsBeside(t *testing.T) {
	nc := invokertest.Connect(t, invokertest.StartNATS(t))
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	waits, release := make(chan struct{}, 2000), make(chan struct{})
	changed := 0
	var mu sync.Mutex
	s := &control.Service{Host: &shelf{}, Registry: &registry.Memory{}, NC: nc, JetStream: js, MaxModule: 100,
		Version: "0.0.0", Log: slog.New(slog.DiscardHandler), Verbs: map[protocol.APIVerb]protocol.APIHandler{
			"echo": {Answer: func(_ context.Context, r *protocol.APIRequest) (any, error) {
				if r.Room < 1000 {
					t.Errorf("there is room for %d bytes", r.Room)
				}
				return &protocol.APIReply{Header: protocol.Header{"Mine": {r.Header.Get("Yours")}}, Body: r.Body}, nil
			}},
			"count": {Changes: true, Answer: func(context.Context, *protocol.APIRequest) (any, error) {
				mu.Lock()
				defer mu.Unlock()
				changed++
				return changed, nil
			}},
			"wait": {Waits: true, Answer: func(ctx context.Context, _ *protocol.APIRequest) (any, error) {
				waits <- struct{}{}
				select {
				case <-release:
				case <-ctx.Done():
				}
				return "", ctx.Err()
			}},
		}}
	m, err := s.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
	}()
	id := m.Info().ID
	request := func(subject string, h nats.Header, body string) *nats.Msg {
		t.Helper()
		answer, err := nc.RequestMsg(&nats.Msg{Subject: subject, Header: h, Data: []byte(body)}, patience)
		if err != nil {
			t.Fatal(subject, err)
		}
		return answer
	}
	const many = 1200 // more than may wait
	answers := make(chan *nats.Msg, many)
	if _, err := nc.ChanSubscribe("waited", answers); err != nil {
		t.Fatal(err)
	}
	for range many {
		if err := nc.PublishRequest(protocol.APIVerb("wait").At(id), "waited", nil); err != nil {
			t.Fatal(err)
		}
	}
	for range many - 1024 {
		if a := <-answers; a.Header.Get(protocol.HeaderErrorCode) != "429" {
			t.Fatalf("got %v %s", a.Header, a.Data)
		}
	}
	for _, subject := range []string{"polyvoke.api.echo", "polyvoke.api.echo." + id} {
		if a := request(subject, nats.Header{"Yours": {"blue"}}, "x"); a.Header.Get("Mine") != "blue" || string(a.Data) != "x" {
			t.Errorf("%s: %v %s", subject, a.Header, a.Data)
		}
	}
	for range 3 {
		if a := request("polyvoke.api.count."+id, nats.Header{protocol.HeaderID: {"once"}}, ""); string(a.Data) != "1" {
			t.Errorf("asked again with the same id: %s", a.Data)
		}
	}
	if a := request("polyvoke.api.nonsense."+id, nil, ""); a.Header.Get(protocol.HeaderErrorCode) != "501" {
		t.Errorf("unknown: %v %s", a.Header, a.Data)
	}
	close(release)
	for range 1024 {
		select {
		case <-answers:
		case <-time.After(patience):
			t.Fatal("one that waited was not answered")
		}
	}
}
