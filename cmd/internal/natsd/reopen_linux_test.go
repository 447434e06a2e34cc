package natsd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A store whose disk was full takes what is written as soon as there is room again, for the same clients.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprint("size=", 24<<20)); err != nil {
		t.Skipf("to mount a small disk needs rights: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	s, err := Start(Config{Listen: "127.0.0.1:0", Store: filepath.Join(dir, "store")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	nc, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "b"})
	if err != nil {
		t.Fatal(err)
	}
	put := func(size int) error {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		_, err := kv.Put(ctx, fmt.Sprint("k", size), make([]byte, size))
		return err
	}
	if err := put(1); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		ballast := fill(t, dir)
		for i := 0; put(100_000+i) == nil; i++ {
			if i == 1000 {
				t.Fatal("the disk does not get full")
			}
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		limit := time.Now().Add(30 * time.Second)
		for put(2) != nil {
			if time.Now().After(limit) {
				t.Fatal("the store takes nothing though there is room")
			}
		}
		if e, err := kv.Get(t.Context(), "k1"); err != nil || len(e.Value()) != 1 {
			t.Fatalf("what was there before: %v", err)
		}
	}
}

// fill writes a file for which there is just room.
func fill(t *testing.T, dir string) (name string) {
	t.Helper()
	name = filepath.Join(dir, "ballast")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 64<<10); ; {
		if _, err := f.Write(block); err != nil {
			return name
		}
	}
}
