package kv_test

import (
	"context"
	"fmt"
	"os"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/backend/kv"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// A run writes a file, which is a key of the bucket when it has committed.
func ExampleKind() {
	if err := example(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output: tea: 4
}

// example grants a bucket and changes it.
func example(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "kv")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true,
		StoreDir: dir})
	if err != nil {
		return err
	}
	s.Start()
	defer s.Shutdown()
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	f := &protocol.Function{Name: "shop"}
	grants := []protocol.Grant{{KV: "stock", Access: protocol.AccessWrite, Create: true}}
	all, err := (&kv.Kind{JetStream: js}).Open(ctx, f, grants)
	if err != nil {
		return err
	}
	defer all[0].Close()
	call := backend.Call{Function: f, ID: func() string { return "call-1" }, Output: 1 << 20}
	run := all[0].Begin(&backend.Transaction{Call: call})
	defer run.End()
	file, err := run.Tree().Open(ctx, "tea", files.Write|files.Create|files.Truncate)
	if err != nil {
		return err
	}
	if _, err := file.WriteAt(ctx, []byte("4"), 0); err != nil {
		return err
	}
	if err := run.(backend.Committer).Commit(ctx, nil); err != nil {
		return err
	}
	bucket, err := js.KeyValue(ctx, "stock")
	if err != nil {
		return err
	}
	tea, err := bucket.Get(ctx, "tea")
	if err != nil {
		return err
	}
	fmt.Printf("%s: %s\n", tea.Key(), tea.Value())
	return nil
}
