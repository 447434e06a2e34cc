package invokertest_test

import (
	"context"
	"fmt"

	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// Where there is no test, New panics if something fails. Two invokers share the calls here, and functions are kept in
// memory. The module copies stdin to stdout, unless its first argument says otherwise.
func ExampleNew() {
	s := invokertest.New(func(c *invokertest.Config) { c.Invokers, c.Memory = 2, true })
	defer s.Close()

	s.Deploy("echo", runtimestest.Wasm())
	r := s.Call("fn.echo", []byte("Hello"))
	fmt.Println(r.Exit, string(r.Body))

	s.Deploy("refuse", runtimestest.Wasm(), func(f *protocol.Function) { f.Args = []string{"65"} })
	r = s.Call("fn.refuse.exit", nil, func(r *protocol.Request) { r.ID = "seven" })
	fmt.Println(r.ID, r.Exit, r.Err.Code)

	// The program under test has the address of NATS, or the client.
	echo := &protocol.Request{Function: protocol.Ref{Name: "echo"}, Body: []byte("World")}
	reply, err := s.Client.Call(context.Background(), echo)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(reply.Body))
	// Output:
	// 0 Hello
	// seven 65 400
	// World
}
