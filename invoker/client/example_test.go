package client_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// The functions of these examples are one program in C, which copies stdin to stdout unless its first argument says
// otherwise. polyvoke serve would be a process of its own.
func serve() (url string, end func()) {
	s := invokertest.New()
	s.Deploy("echo", runtimestest.Wasm())
	return s.URL, s.Close
}

// A program connects to NATS, deploys a module and calls it.
func Example() {
	url, end := serve()
	defer end()

	nc, err := nats.Connect(url)
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	c := &client.Client{Conn: nc}
	ctx := context.Background()
	deployed, err := c.Deploy(ctx, protocol.Function{Name: "greet"}, runtimestest.Wasm())
	if err != nil {
		log.Fatal(err)
	}
	reply, err := c.Call(ctx, &protocol.Request{Function: protocol.Ref{Name: "greet"}, Body: []byte("Hello, Ada!")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(deployed.Function.Ref(), string(reply.Body))
	// Output: greet@1 Hello, Ada!
}

// What a function answers is in the reply, failures included. An error means that there is no reply, and its code says
// why.
func ExampleClient_Call() {
	url, end := serve()
	defer end()
	nc, err := nats.Connect(url)
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	c := &client.Client{Conn: nc}
	call := func(name string, args ...string) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		reply, err := c.Call(ctx, &protocol.Request{Function: protocol.Ref{Name: name}, Args: args, Body: []byte("Hello")})
		switch {
		case protocol.CodeOf(err) == protocol.CodeNotFound:
			fmt.Println("not deployed")
		case err != nil:
			fmt.Println(err)
		case reply.Err != nil:
			fmt.Println("failed with", reply.Err.Code, "since its process has ended with", reply.Exit)
		default:
			fmt.Println(string(reply.Body))
		}
	}
	call("echo")
	call("echo", "exit", "65")
	call("hullo")
	// Output:
	// Hello
	// failed with 400 since its process has ended with 65
	// not deployed
}

// Bodies of any size go the same way. Those that are too large for a message of this NATS go as objects on JetStream,
// which the client removes.
func ExampleClient_Call_large() {
	url, end := serve()
	defer end()
	nc, err := nats.Connect(url)
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	c := &client.Client{Conn: nc}
	book := bytes.Repeat([]byte("All work and no play makes Jack a dull boy.\n"), 100_000)
	reply, err := c.Call(context.Background(), &protocol.Request{Function: protocol.Ref{Name: "echo"}, Body: book})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(int64(len(book)) > nc.MaxPayload(), bytes.Equal(reply.Body, book))
	// Output: true true
}

// Functions are listed with what their manifests say.
func ExampleClient_List() {
	url, end := serve()
	defer end()
	nc, err := nats.Connect(url)
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	c := &client.Client{Conn: nc}
	functions, err := c.List(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range functions {
		fmt.Println(f.Ref(), f.Limits.WithDefaults().Timeout)
	}
	removed, err := c.Remove(context.Background(), "echo")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("removed", removed.Removed)
	// Output:
	// echo@1 3s
	// removed echo
}

// Logs has the lines that functions write to stderr, and those of polyvoke about failed calls.
func ExampleClient_Logs() {
	url, end := serve()
	defer end()
	nc, err := nats.Connect(url)
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	c := &client.Client{Conn: nc}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	bad := &protocol.Request{Function: protocol.Ref{Name: "echo"}, Args: []string{"exit", "65"}, ID: "bad"}
	if _, err := c.Call(ctx, bad); err != nil {
		log.Fatal(err)
	}
	for line, err := range c.Logs(ctx, client.LogQuery{Name: "echo", Lines: 10, Follow: true}) {
		if err != nil {
			log.Fatal(err)
		}
		if line.ID == "bad" {
			fmt.Println(line.Function, line.Text)
			break
		}
	}
	// Output: echo@1 echo@1 ended with exit code 65 (bad data)
}

// The deadline of the context is the call's: the function is told how much time it has, and ended when it is over.
func ExampleClient_Call_deadline() {
	url, end := serve()
	defer end()
	nc, err := nats.Connect(url)
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	c := &client.Client{Conn: nc}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	code := 0
	reply, err := c.Call(ctx, &protocol.Request{Function: protocol.Ref{Name: "echo"}, Args: []string{"loop"}})
	if err != nil {
		code = protocol.CodeOf(err)
	} else if reply.Err != nil { // the invoker was quicker to say so
		code = reply.Err.Code
	}
	fmt.Println(code == protocol.CodeTimeout)
	// Output: true
}
