// Package invokertest is for tests of functions, and of programs that call them: what net/http/httptest is to net/http.
//
// In goes a module; out come the replies of a real sandbox, by way of a real NATS server on a free port of this
// machine:
//
//	func TestGreet(t *testing.T) {
//		s := invokertest.Start(t)
//		s.Deploy("greet", wasm)
//		if r := s.Call("fn.greet", []byte("Ada")); r.Err != nil || string(r.Body) != "Hello, Ada!\n" {
//			t.Errorf("got %s, %v", r.Body, r.Err)
//		}
//	}
//
// Everything ends with the test, in the right order, and leaves no goroutine and no file. What invokers log and
// functions write to stderr is in the test's output. server.go starts and ends, nats.go starts NATS alone, invoker.go
// serves, ask.go deploys and calls.
package invokertest
