package bodies_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
)

// A body takes the way round the message: the claim travels in its headers.
func Example() {
	dir, err := os.MkdirTemp("", "bodies")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: dir, NoLog: true, NoSigs: true})
	if err != nil {
		log.Fatal(err)
	}
	go s.Start()
	defer s.Shutdown()
	if !s.ReadyForConnections(registrytest.Patience) {
		log.Fatal("the server does not get ready")
	}
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()

	js, err := jetstream.New(nc)
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	store, err := bodies.Open(ctx, js, bodies.Config{})
	if err != nil {
		log.Fatal(err)
	}
	claim, err := store.PutBytes(ctx, []byte("imagine a megabyte"))
	if err != nil {
		log.Fatal(err)
	}
	h := protocol.Header{}
	claim.Put(h)

	received, err := protocol.ParseClaim(h)
	if err != nil {
		log.Fatal(err)
	}
	body, err := store.Get(ctx, received, 1<<20)
	fmt.Printf("%s, %v\n", body, err)
	_, err = store.Get(ctx, received, 10)
	fmt.Println(protocol.CodeOf(err))
	// Output:
	// imagine a megabyte, <nil>
	// 413
}
