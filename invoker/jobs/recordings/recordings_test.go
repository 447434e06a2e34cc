package recordings_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/polyvoke/polyvoke/invoker/jobs/recordings"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start returns a store on a server of its own.
func start(t *testing.T, c recordings.Config) (*recordings.Store, jetstream.JetStream) {
	js := registrytest.JetStream(t, registrytest.Connect(t, registrytest.StartNATS(t, t.TempDir(), 0)))
	return recordings.New(js, c), js
}

// recording returns a recording of a job.
func recording(name, id string, body string) *protocol.Recording {
	r := &protocol.Recording{Function: protocol.Function{Name: name}, ID: id, Code: 500}
	r.SetStdin([]byte(body))
	return r
}

// TestStore keeps recordings, and finds them by job and by function. Nothing is made before.
func TestStore(t *testing.T) {
	s, js := start(t, recordings.Config{})
	if _, err := s.Get(t.Context(), "a", "1"); protocol.CodeOf(err) != protocol.CodeNotFound {
		t.Errorf("without a stream: %v", err)
	}
	if ids, err := s.List(t.Context(), "a", 10); err != nil || len(ids) > 0 {
		t.Errorf("without a stream: %q, %v", ids, err)
	}
	if _, err := js.Stream(t.Context(), protocol.StreamRecords); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("reading has made a stream: %v", err)
	}
	for _, r := range []*protocol.Recording{recording("a", "1", "first"), recording("b", "1", "other"),
		recording("a", "2", "second"), recording("a", "_3-x", "third"), recording("a", "1", "again")} {
		if err := s.Put(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if ids, err := s.List(t.Context(), "a", 10); err != nil || fmt.Sprint(ids) != "[2 _3-x 1]" {
		t.Errorf("got %q, %v", ids, err)
	}
	if ids, err := s.List(t.Context(), "a", 2); err != nil || fmt.Sprint(ids) != "[_3-x 1]" {
		t.Errorf("the last two are %q, %v", ids, err)
	}
	b, err := s.Get(t.Context(), "a", "1")
	if err != nil {
		t.Fatal(err)
	}
	if r, err := protocol.ParseRecording(b); err != nil || string(r.Stdin.Kept) != "again" {
		t.Errorf("got %s, %v", b, err)
	}
	if _, err := s.Get(t.Context(), "a", "nobody"); protocol.CodeOf(err) != protocol.CodeNotFound {
		t.Errorf("a job without a recording: %v", err)
	}
	for _, id := range []string{"", "a.b", "*", ">", strings.Repeat("x", 100)} {
		if err := s.Put(t.Context(), recording("a", id, "")); protocol.CodeOf(err) != protocol.CodeBadRequest {
			t.Errorf("the id %q: %v", id, err)
		}
	}
}

// TestStreamDeleted keeps a recording after somebody has deleted the stream.
func TestStreamDeleted(t *testing.T) {
	s, js := start(t, recordings.Config{})
	for _, id := range []string{"1", "2"} {
		if err := s.Put(t.Context(), recording("a", id, "")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(t.Context(), "a", id); err != nil {
			t.Error(err)
		}
		if err := js.DeleteStream(t.Context(), protocol.StreamRecords); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTrim keeps more recordings of one function than there is room for: those of another stay.
func TestTrim(t *testing.T) {
	s, _ := start(t, recordings.Config{})
	if err := s.Put(t.Context(), recording("other", "1", "")); err != nil {
		t.Fatal(err)
	}
	const more = recordings.PerFunction + 100
	for n := range more {
		if err := s.Put(t.Context(), recording("a", fmt.Sprint(n), "")); err != nil {
			t.Fatal(err)
		}
	}
	ids, err := s.List(t.Context(), "a", more)
	if err != nil || len(ids) != recordings.PerFunction || ids[0] != "100" || ids[len(ids)-1] != fmt.Sprint(more-1) {
		t.Errorf("%d are left, error %v", len(ids), err)
	}
	if ids, err := s.List(t.Context(), "other", 1); err != nil || len(ids) != 1 {
		t.Errorf("of the other function there are %d, error %v", len(ids), err)
	}
}

// buffer takes a log from several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestHammerKeep keeps recordings from several goroutines: each is there.
func TestHammerKeep(t *testing.T) {
	var log buffer
	s, _ := start(t, recordings.Config{Invoker: "here", Log: slog.New(slog.NewTextHandler(&log, nil))})
	all := protocol.Sampling{Share: 1}
	var keeping sync.WaitGroup
	for g := range 8 {
		keeping.Go(func() {
			for n := range 50 {
				s.Keep(t.Context(), all, 2, recording("a", fmt.Sprintf("%d-%d", g, n), "body"))
			}
		})
	}
	keeping.Wait()
	s.Keep(t.Context(), protocol.Sampling{}, 1, recording("off", "1", ""))
	s.Keep(t.Context(), protocol.Sampling{Failed: true}, 1, &protocol.Recording{Function: protocol.Function{Name: "off"}, ID: "2"})
	s.Keep(t.Context(), all, 1, nil)
	s.Keep(t.Context(), all, 3, recording("a", "last", "body"))
	ids, err := s.List(t.Context(), "a", 1000)
	if err != nil || len(ids) != 401 {
		t.Errorf("%d are kept, error %v, and the log says %s", len(ids), err, &log)
	}
	b, err := s.Get(t.Context(), "a", "last")
	if err != nil {
		t.Fatal(err)
	}
	if r, err := protocol.ParseRecording(b); err != nil || r.Attempt != 3 || r.Invoker != "here" {
		t.Errorf("got %s, error %v", b, err)
	}
	if ids, err := s.List(t.Context(), "off", 10); err != nil || len(ids) > 0 {
		t.Errorf("kept without being asked to: %q, error %v", ids, err)
	}
}

// TestNoServer checks that nothing hangs without JetStream.
func TestNoServer(t *testing.T) {
	var log buffer
	s, js := start(t, recordings.Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	js.Conn().Close()
	s.Keep(t.Context(), protocol.Sampling{Share: 1}, 1, recording("a", "1", ""))
	if !strings.Contains(log.String(), "a recording of a job is lost") {
		t.Errorf("the log says %q", &log)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := s.Get(ctx, "a", "1"); protocol.CodeOf(err) != protocol.CodeUnavailable {
		t.Errorf("reading: %v", err)
	}
	if _, err := s.List(ctx, "a", 1); protocol.CodeOf(err) != protocol.CodeUnavailable {
		t.Errorf("listing: %v", err)
	}
}
