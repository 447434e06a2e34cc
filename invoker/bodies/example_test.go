package bodies_test

import (
	"context"
	"fmt"
	"log"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
)

// A body takes the way round the message: the claim travels in its headers.
func Example() {
	nats := invokertest.New(func(c *invokertest.Config) { c.Invokers = 0 })
	defer nats.Close()
	js, err := jetstream.New(nats.Conn)
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
