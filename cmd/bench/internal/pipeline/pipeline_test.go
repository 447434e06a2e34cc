package pipeline

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/measure"
)

func TestPipeline(t *testing.T) {
	url, err := Listen(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	err = Subscribe(t.Context(), url, "up",
		func(_ context.Context, body []byte) ([]byte, error) { return bytes.ToUpper(body), nil })
	if err != nil {
		t.Fatal(err)
	}
	c, err := Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	for name, rate := range map[string]float64{"callers": 0, "rate": 50_000} {
		l := Load{Subject: "up", Body: []byte("a"), Want: []byte("A"), Rate: rate,
			Slice: measure.Slice{Calls: 3000, Callers: 4}}
		s, err := c.Run(t.Context(), l)
		if err != nil || s.Calls != 3000 || len(s.Latencies) < 1000 || len(s.Latencies) > 1010 || s.Wall <= 0 {
			t.Errorf("%s: got %d calls, %d latencies and the error %v", name, s.Calls, len(s.Latencies), err)
		}
		for _, d := range s.Latencies {
			if d <= 0 {
				t.Errorf("%s: a latency is %v", name, d)
			}
		}
		l.Want = []byte("a")
		if _, err := c.Run(t.Context(), l); err == nil {
			t.Errorf("%s: wrong replies passed", name)
		}
	}
	if _, err := c.Run(t.Context(), Load{Subject: "nobody", Slice: measure.Slice{Calls: 1}}); err == nil {
		t.Error("a call of nobody had a reply")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	slow := Load{Subject: "up", Rate: 1e-6, Slice: measure.Slice{Calls: 10}}
	if _, err := c.Run(ctx, slow); !errors.Is(err, context.Canceled) {
		t.Errorf("a load whose context has ended: the error is %v", err)
	}
}

func TestNoServer(t *testing.T) {
	if _, err := Connect("nats://127.0.0.1:1"); err == nil {
		t.Error("there is no server, but a client")
	}
	if err := Subscribe(t.Context(), "nats://127.0.0.1:1", "x", nil); err == nil {
		t.Error("there is no server, but a subscriber")
	}
}
