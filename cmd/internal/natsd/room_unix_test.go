//go:build unix

package natsd

import (
	"os/signal"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sys/unix"
)

// limitFiles lets this process write no file beyond a size, as a full disk does, until lift is called.
func limitFiles(t *testing.T, size uint64) (lift func()) {
	t.Helper()
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(unix.SIGXFSZ) // then the write fails, and the process goes on
	lift = func() {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(lift)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: size, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	return lift
}

// TestRoomAgain lets the disk be full and have room again: then all that was confirmed is there, on the same address,
// and more can be stored.
func TestRoomAgain(t *testing.T) {
	const patience = 30 * time.Second
	nc, err := nats.Connect(start(t, Config{}).URL(), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := nc.JetStream()
	if err == nil {
		_, err = js.AddStream(&nats.StreamConfig{Name: "S", Subjects: []string{"s"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	lift := limitFiles(t, 512<<10)
	body := make([]byte, 100<<10)
	confirmed := uint64(0)
	for err == nil && confirmed < 100 {
		if _, err = js.Publish("s", body, nats.AckWait(2*time.Second)); err == nil {
			confirmed++
		}
	}
	if confirmed == 0 || err == nil {
		t.Fatalf("%d messages were stored on a full disk: %v", confirmed, err)
	}
	lift()
	for deadline := time.Now().Add(patience); ; {
		if _, err = js.Publish("s", body, nats.AckWait(time.Second)); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("nothing can be stored on a disk that has room again: %v", err)
		}
	}
	if s, err := js.StreamInfo("S"); err != nil || s.State.Msgs < confirmed+1 {
		t.Errorf("%d messages were confirmed, and one after them; there are %+v (%v)", confirmed, s, err)
	}
}
