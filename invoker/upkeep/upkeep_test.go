package upkeep_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/invoker/upkeep"
)

// A stream is made at once, made again when it is gone, and what cannot be made is tried again and reported once.
func TestKeep(t *testing.T) {
	nc := registrytest.Connect(t, registrytest.StartNATS(t, t.TempDir(), 0))
	js := registrytest.JetStream(t, nc)
	made, tried := make(chan bool, 100), make(chan bool, 100)
	var log lines
	ctx, cancel := context.WithCancel(t.Context())
	wait := upkeep.Keep(ctx, ctx, js, slog.New(slog.NewTextHandler(&log, nil)),
		upkeep.Asset{Stream: "good", Lost: "nothing is kept", Make: func(ctx context.Context) error {
			_, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "good", Subjects: []string{"good"}})
			made <- true
			return err
		}},
		upkeep.Asset{Stream: "bad", Lost: "that is bad", Make: func(context.Context) error {
			tried <- true
			return errors.New("it cannot be made")
		}})
	if len(made) != 1 || len(tried) != 1 {
		t.Fatalf("at the beginning %d are made, %d tried", len(made), len(tried))
	}
	<-made
	if err := js.DeleteStream(t.Context(), "good"); err != nil {
		t.Fatal(err)
	}
	<-made
	if _, err := js.Stream(t.Context(), "good"); err != nil {
		t.Error(err)
	}
	<-tried
	<-tried
	cancel()
	wait()
	if n := strings.Count(log.String(), "that is bad"); n != 1 {
		t.Errorf("what cannot be made is reported %d times:\n%s", n, log.String())
	}
}

// lines is a log that several goroutines write.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
