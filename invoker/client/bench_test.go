package client_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// BenchmarkCall is a call through the client, and beside it the same request with nats.go alone. What differs is what
// the client does.
func BenchmarkCall(b *testing.B) {
	s := invokertest.Start(b, func(c *invokertest.Config) { c.Memory = true })
	s.Deploy("echo", runtimestest.Wasm(), func(f *protocol.Function) { f.Limits.Concurrency, f.Limits.Queue = 1000, 1000 })
	nc := s.Connect()
	c := &client.Client{Conn: nc}
	for _, size := range []int{16, 64 << 10} {
		body := bytes.Repeat([]byte("x"), size)
		for name, call := range map[string]func() ([]byte, error){
			"client": func() ([]byte, error) {
				r, err := c.Call(b.Context(), &protocol.Request{Function: protocol.Ref{Name: "echo"}, Body: body})
				if err != nil {
					return nil, err
				}
				return r.Body, nil
			},
			"nats": func() ([]byte, error) {
				m, err := nc.Request("fn.echo", body, patience)
				if err != nil {
					return nil, err
				}
				return m.Data, nil
			},
		} {
			for _, parallel := range []int{1, 16} {
				b.Run(fmt.Sprintf("%s/size=%d/callers=%d", name, size, parallel), func(b *testing.B) {
					b.ReportAllocs()
					b.SetParallelism(parallel)
					b.RunParallel(func(p *testing.PB) {
						for p.Next() {
							if got, err := call(); err != nil || len(got) != size {
								b.Errorf("%d bytes, %v", len(got), err)
								return
							}
						}
					})
				})
			}
		}
	}
}
