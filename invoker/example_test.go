package invoker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// An invoker serves what its registry has, until its context ends.
func ExampleInvoker() {
	ctx, stop := context.WithCancel(context.Background())
	nc, end := exampleNATS()
	defer end()
	sandbox, err := wasi.New(ctx, wasi.Config{})
	if err != nil {
		panic(err)
	}
	defer sandbox.Close(context.Background())

	functions := new(registry.Memory)
	echo := protocol.Function{Name: "echo"}
	if _, _, err := functions.Put(ctx, echo, probe()); err != nil {
		panic(err)
	}
	ready := make(chan struct{})
	v := &invoker.Invoker{Registry: functions, Runtime: sandbox, Ready: func() { close(ready) }}
	served := make(chan error)
	go func() { served <- v.Serve(ctx, nc) }()
	<-ready

	reply, err := nc.Request("fn.echo", []byte("Hello"), 5*time.Second)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(reply.Data))

	stop() // it drains
	fmt.Println(<-served)
	// Output:
	// Hello
	// <nil>
}

// Any NATS client can deploy: a manifest in a header, the module as the body.
func ExampleInvoker_deploy() {
	ctx, stop := context.WithCancel(context.Background())
	nc, end := exampleNATS()
	defer end()
	v := &invoker.Invoker{Registry: new(registry.Memory), Runtime: sandbox}
	ready := make(chan struct{})
	v.Ready = func() { close(ready) }
	served := make(chan error)
	go func() { served <- v.Serve(ctx, nc) }()
	defer func() { stop(); <-served }()
	<-ready

	m := nats.NewMsg(protocol.APIDeploy.Subject())
	m.Header.Set(protocol.HeaderManifest, `{"name": "echo"}`)
	m.Data = probe()
	answer, err := nc.RequestMsg(m, 30*time.Second)
	if err != nil {
		panic(err)
	}
	var out protocol.DeployReply
	if err := json.Unmarshal(answer.Data, &out); err != nil {
		panic(err)
	}
	fmt.Println(out.Function.Ref(), out.Created)
	// Output: echo@1 true
}

// exampleNATS starts a server and connects to it.
func exampleNATS() (nc *nats.Conn, end func()) {
	s := invokertest.New(func(c *invokertest.Config) { c.Invokers = 0 })
	return s.Conn, s.Close
}
