package bodies_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
)

func open(t *testing.T, cfg bodies.Config) (*bodies.Store, *nats.Conn) {
	t.Helper()
	nc := registrytest.Connect(t, registrytest.StartNATS(t, t.TempDir(), 0))
	s, err := bodies.Open(t.Context(), registrytest.JetStream(t, nc), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s, nc
}

// stream is what the bucket is made of.
func stream(t *testing.T, nc *nats.Conn) jetstream.Stream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), "OBJ_"+protocol.BucketBodies)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func messages(t *testing.T, s jetstream.Stream) uint64 {
	t.Helper()
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.State.Msgs
}

func wantError(t *testing.T, what string, err error, code int, words string) {
	t.Helper()
	var e *protocol.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Error(), words) {
		t.Errorf("%s: got %v (code %d), want code %d and %q", what, err, protocol.CodeOf(err), code, words)
	}
}

func TestPutGet(t *testing.T) {
	s, _ := open(t, bodies.Config{})
	for _, size := range []int{0, 1, 128<<10 - 1, 128 << 10, 128<<10 + 1, 5<<20 + 3} {
		body := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
		for what, r := range map[string]io.Reader{
			"whole":     bytes.NewReader(body),
			"in halves": iotest.HalfReader(bytes.NewReader(body)),
			"with EOF":  iotest.DataErrReader(bytes.NewReader(body)),
		} {
			claim, err := s.Put(t.Context(), r, -1)
			if err != nil {
				t.Fatalf("%d bytes %s: %v", size, what, err)
			}
			if claim.Size != int64(size) || claim.Digest != protocol.Digest(body) {
				t.Errorf("%d bytes %s: claim %+v", size, what, claim)
			}
			got, err := s.Get(t.Context(), claim, int64(size))
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("%d bytes %s: got %d bytes, %v", size, what, len(got), err)
			}
		}
	}
}

func TestPutRefuses(t *testing.T) {
	s, nc := open(t, bodies.Config{})
	for _, test := range []struct {
		what  string
		r     io.Reader
		size  int64
		code  int
		words string
	}{
		{"short", strings.NewReader("abc"), 4, protocol.CodeBadRequest, "4 bytes"},
		{"long", strings.NewReader("abc"), 2, protocol.CodeBadRequest, "2 bytes"},
		{"endless", endless{}, 200 << 10, protocol.CodeBadRequest, "bytes"},
		{"broken",
			io.MultiReader(strings.NewReader(strings.Repeat("a", 300<<10)), iotest.ErrReader(errors.New("pipe burst"))),
			-1, protocol.CodeBadRequest, "pipe burst"},
	} {
		_, err := s.Put(t.Context(), test.r, test.size)
		wantError(t, test.what, err, test.code, test.words)
	}
	if n := messages(t, stream(t, nc)); n != 0 {
		t.Errorf("%d messages stay of what was refused", n)
	}
}

// endless is a reader without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestPutCancelled(t *testing.T) {
	s, _ := open(t, bodies.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Put(ctx, endless{}, -1)
	wantError(t, "cancelled", err, protocol.CodeUnavailable, "cancelled")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not context.Canceled", err)
	}
}

func TestGetRefuses(t *testing.T) {
	s, nc := open(t, bodies.Config{})
	body := bytes.Repeat([]byte("x"), 300<<10)
	put := func() protocol.Claim {
		claim, err := s.PutBytes(t.Context(), body)
		if err != nil {
			t.Fatal(err)
		}
		return *claim
	}
	good := put()
	_, err := s.Get(t.Context(), &good, good.Size-1)
	wantError(t, "over max", err, protocol.CodeTooLarge, "bytes")
	small := good
	small.Size = 10
	_, err = s.Get(t.Context(), &small, 20)
	wantError(t, "a claim that says less", err, protocol.CodeTooLarge, "20 bytes")
	_, err = s.Get(t.Context(), &small, good.Size)
	wantError(t, "a claim of another size", err, protocol.CodeBadRequest, "does not match its claim")
	other := good
	other.Digest = protocol.Digest(nil)
	_, err = s.Get(t.Context(), &other, good.Size)
	wantError(t, "a claim of another digest", err, protocol.CodeBadRequest, "does not match its claim")
	for _, name := range []string{"nothing", strings.Repeat("x", 5000), "", "*", ">", "a b\r\nc"} {
		_, err = s.Get(t.Context(), &protocol.Claim{Object: name}, 10)
		wantError(t, fmt.Sprintf("object %.10q", name), err, protocol.CodeNotFound, "expire 1h")
	}
	gone := put()
	if err := s.Delete(t.Context(), &gone); err != nil {
		t.Fatal(err)
	}
	_, err = s.Get(t.Context(), &gone, good.Size)
	wantError(t, "deleted", err, protocol.CodeNotFound, "expire")
	if err := s.Delete(t.Context(), &gone); err != nil {
		t.Errorf("delete again: %v", err)
	}
	if got, err := s.Get(t.Context(), &good, good.Size); err != nil || !bytes.Equal(got, body) {
		t.Errorf("after all that: %d bytes, %v", len(got), err)
	}
	allChunks := jetstream.WithPurgeSubject("$O." + protocol.BucketBodies + ".C.>")
	if err := stream(t, nc).Purge(t.Context(), allChunks); err != nil {
		t.Fatal(err)
	}
	_, err = s.Get(t.Context(), &good, good.Size)
	wantError(t, "chunks are missing", err, protocol.CodeNotFound, "missing")
}

func TestExpiry(t *testing.T) {
	s, nc := open(t, bodies.Config{TTL: time.Second})
	if s.TTL() != time.Second {
		t.Errorf("TTL %v", s.TTL())
	}
	claim, err := s.PutBytes(t.Context(), make([]byte, 300<<10))
	if err != nil {
		t.Fatal(err)
	}
	str := stream(t, nc)
	if n := messages(t, str); n != 4 {
		t.Fatalf("%d messages, want 3 chunks and a description", n)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(registrytest.Patience)
	for messages(t, str) > 0 {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("the body does not expire")
		}
	}
	_, err = s.Get(t.Context(), claim, claim.Size)
	wantError(t, "expired", err, protocol.CodeNotFound, "expire 1s")
}

func TestFull(t *testing.T) {
	s, _ := open(t, bodies.Config{MaxBytes: 1 << 20})
	_, err := s.PutBytes(t.Context(), make([]byte, 2<<20))
	wantError(t, "full", err, protocol.CodeUnavailable, "maximum bytes")
	if _, err := s.PutBytes(t.Context(), make([]byte, 500<<10)); err != nil {
		t.Errorf("what failed takes the place of what fits: %v", err)
	}
}

func TestOpen(t *testing.T) {
	nc := registrytest.Connect(t, registrytest.StartNATS(t, t.TempDir(), 0))
	_, err := bodies.Existing(t.Context(), registrytest.JetStream(t, nc))
	wantError(t, "no bucket", err, protocol.CodeUnavailable, "polyvoke serve")
	if _, err := bodies.Open(t.Context(), registrytest.JetStream(t, nc), bodies.Config{TTL: time.Minute}); err != nil {
		t.Fatal(err)
	}
	again, err := bodies.Open(t.Context(), registrytest.JetStream(t, nc), bodies.Config{TTL: time.Hour})
	if err != nil || again.TTL() != time.Minute {
		t.Errorf("opened again: TTL %v, %v", again.TTL(), err)
	}
	client, err := bodies.Existing(t.Context(), registrytest.JetStream(t, nc))
	if err != nil {
		t.Fatal(err)
	}
	claim, err := client.PutBytes(t.Context(), []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Get(t.Context(), claim, 5); string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
	none := registrytest.Connect(t, registrytest.StartNATS(t, "", 0))
	for what, open := range map[string]func() (*bodies.Store, error){
		"Open": func() (*bodies.Store, error) {
			return bodies.Open(t.Context(), registrytest.JetStream(t, none), bodies.Config{})
		},
		"Existing": func() (*bodies.Store, error) { return bodies.Existing(t.Context(), registrytest.JetStream(t, none)) },
	} {
		_, err := open()
		wantError(t, what+" without JetStream", err, protocol.CodeUnavailable, "nats-server -js")
	}
}

func TestHammerBodies(t *testing.T) {
	s, nc := open(t, bodies.Config{})
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 10 {
				body := bytes.Repeat([]byte{byte(g), byte(i)}, 70<<10)
				claim, err := s.PutBytes(t.Context(), body)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := s.Get(t.Context(), claim, claim.Size); err != nil || !bytes.Equal(got, body) {
					t.Errorf("got %d bytes, %v", len(got), err)
				}
				if err := s.Delete(t.Context(), claim); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if n := messages(t, stream(t, nc)); n != 80 { // one note of each deletion
		t.Errorf("%d messages stay of 80 bodies", n)
	}
}
