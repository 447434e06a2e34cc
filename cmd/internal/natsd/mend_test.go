package natsd

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A store in which any bit of a message's sequence number has changed opens at once, and all other messages are there.
func TestDamagedNumbers(t *testing.T) {
	const keys = 4
	original := t.TempDir()
	withKV(t, original, nil, func(kv jetstream.KeyValue) {
		for i := range keys {
			if _, err := kv.PutString(t.Context(), fmt.Sprint("k", i), "value"); err != nil {
				t.Fatal(err)
			}
		}
	})
	for bit := range 64 {
		dir, n := t.TempDir(), bit%keys
		if err := os.CopyFS(dir, os.DirFS(original)); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "jetstream/*/streams/KV_b/msgs/*.blk"))
		if err != nil || len(files) != 1 {
			t.Fatal(files, err)
		}
		b, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.Index(b, []byte(fmt.Sprint("$KV.b.k", n))) - recordHead + 4 + bit/8
		b[at] ^= 1 << (bit % 8)
		if err := os.WriteFile(files[0], b, 0o600); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		begin := time.Now()
		withKV(t, dir, &log, func(kv jetstream.KeyValue) {
			cut := bit >= 21 && bit < 62
			if cut && !strings.Contains(log.String(), fmt.Sprint("k", n)) {
				t.Errorf("bit %d: the log does not name what is removed:\n%s", bit, log.String())
			}
			for i := range keys {
				if i == n || i > n && !cut { // of what follows, the server has its doubts
					continue
				}
				if e, err := kv.Get(t.Context(), fmt.Sprint("k", i)); err != nil || string(e.Value()) != "value" {
					t.Errorf("bit %d of message %d: message %d: %v", bit, n, i, err)
				}
			}
		})
		if took := time.Since(begin); took > 15*time.Second {
			t.Errorf("bit %d: the store opened in %v", bit, took)
		}
	}
}

// withKV opens a store and a bucket in it.
func withKV(t *testing.T, dir string, log *bytes.Buffer, do func(jetstream.KeyValue)) {
	t.Helper()
	c := Config{Listen: "127.0.0.1:0", Store: dir}
	if log != nil {
		c.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelError}))
	}
	s, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	nc, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.CreateOrUpdateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "b"})
	if err != nil {
		t.Fatal(err)
	}
	do(kv)
}
