package registry_test

import (
	"context"
	"fmt"
	"log"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

func ExampleMemory() {
	ctx := context.Background()
	var r registry.Registry = &registry.Memory{}
	greet := protocol.Function{Name: "greet"}
	for _, module := range []string{"one", "two", "two"} {
		e, created, err := r.Put(ctx, greet, []byte(module))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Latest().Ref(), created)
	}
	_, err := r.Find(ctx, "great")
	fmt.Println(protocol.CodeOf(err), err)
	// Output:
	// greet@1 true
	// greet@2 true
	// greet@2 false
	// 404 there is no function great; deploy it first
}

func ExampleEntry_Version() {
	var r registry.Memory
	for _, module := range []string{"one", "two"} {
		_, _, err := r.Put(context.Background(), protocol.Function{Name: "greet"}, []byte(module))
		if err != nil {
			log.Fatal(err)
		}
	}
	e, err := r.Find(context.Background(), "greet")
	if err != nil {
		log.Fatal(err)
	}
	f, err := e.Version("1")
	fmt.Println(f.Digest == protocol.Digest([]byte("one")), err)
	_, err = e.Version("3")
	fmt.Println(protocol.CodeOf(err), err)
	// Output:
	// true <nil>
	// 404 function greet has no version 3; it has 1 to 2
}

func ExampleMemory_Watch() {
	ctx, cancel := context.WithCancel(context.Background())
	var r registry.Memory
	changes, err := r.Watch(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("synced:", (<-changes).Synced)
	if _, _, err := r.Put(ctx, protocol.Function{Name: "greet"}, []byte("module")); err != nil {
		log.Fatal(err)
	}
	c := <-changes
	fmt.Println(c.Name, len(c.Entry.Versions))
	cancel()
	_, open := <-changes
	fmt.Println("open:", open)
	// Output:
	// synced: true
	// greet 1
	// open: false
}
