package protocol_test

import (
	"fmt"

	"github.com/polyvoke/polyvoke/protocol"
)

// A message on a call's subject says which function is meant, and with which arguments.
func ExampleParseRequest() {
	r, err := protocol.ParseRequest("fn.thumbnail@3.64.png", protocol.Header{"fn-id": {"order-7"}}, []byte("..."))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Function, r.Args, r.ID)
	// Output: thumbnail@3 [64 png] order-7
}

// A reply that failed has headers that every client of NATS services understands.
func ExampleReply_Message() {
	r := protocol.Reply{ID: "order-7", Exit: 65, Body: []byte("no name\n"),
		Err: protocol.Errorf(protocol.FromExit(65).Code, "", "greet@1 ended with exit code 65 (bad data)")}
	h, body := r.Message()
	fmt.Println(h.Get(protocol.HeaderErrorCode), h.Get(protocol.HeaderError))
	fmt.Print(string(body))
	// Output:
	// 400 greet@1 ended with exit code 65 (bad data)
	// no name
}

// The exit code is the whole contract of delivery.
func ExampleFromExit() {
	for _, exit := range []uint32{0, 1, 65, 75} {
		o := protocol.FromExit(exit)
		fmt.Println(exit, o.Code, o.Delivery)
	}
	// Output:
	// 0 0 ack
	// 1 500 retry
	// 65 400 dead letter
	// 75 503 retry
}

// A misspelt key would be a limit that does not hold, so it is an error.
func ExampleParseFunction() {
	_, err := protocol.ParseFunction([]byte(`{"name": "greet", "limits": {"timeout": "soon"}}`))
	fmt.Println(protocol.CodeOf(err), err)
	// Output: 422 manifest: duration "soon": write it with its unit, such as "500ms" or "3s"
}

// What a wildcard stands for becomes an argument.
func ExampleMatch() {
	fmt.Println(protocol.Match("orders.*.created", "orders.eu.created"))
	// Output: [eu] true
}

// Sizes are written the way that people write them.
func ExampleParseSize() {
	n, _ := protocol.ParseSize("64MiB")
	fmt.Println(int64(n), n)
	// Output: 67108864 64MiB
}

// A call that is sent has its subject and only the headers that it needs.
func ExampleRequest_Message() {
	r := protocol.Request{Function: protocol.Ref{Name: "greet"}, Body: []byte("Ada"), Report: true}
	subject, h, body, err := r.Message()
	fmt.Println(subject, h, string(body), err)
	// Output: fn.greet map[Fn-Report:[1]] Ada <nil>
}
