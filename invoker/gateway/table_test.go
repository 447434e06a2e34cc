package gateway_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/polyvoke/polyvoke/invoker/gateway"
	"github.com/polyvoke/polyvoke/protocol"
)

// echoer is a Caller that answers with the body.
type echoer struct{}

func (echoer) Call(_ context.Context, r *protocol.Request) (*protocol.Reply, error) {
	return &protocol.Reply{Body: []byte(r.Function.Name)}, nil
}

// routed returns a function with one route.
func routed(i int) *protocol.Function {
	return &protocol.Function{Name: fmt.Sprint("f", i), HTTP: []protocol.HTTPRoute{{Route: fmt.Sprintf("GET /f%d/{id}", i)}}}
}

// Requests find a table while functions come and go: the route of one that stays always answers.
func TestHammerTable(t *testing.T) {
	g := gateway.New(gateway.Config{Caller: echoer{}})
	g.Apply(routed(0))
	var all sync.WaitGroup
	for k := range 4 {
		all.Go(func() {
			for i := range 200 {
				switch n := 1 + (i*7+k)%20; {
				case k == 0:
					g.Apply(routed(n))
				case k == 1:
					g.Remove(fmt.Sprint("f", n))
				default:
					w := httptest.NewRecorder()
					g.ServeHTTP(w, httptest.NewRequest("GET", "/f0/1", nil))
					if w.Body.String() != "f0" {
						t.Errorf("the answer is %d %q", w.Code, w.Body)
						return
					}
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkTable is the first request after a change, which makes the table of all routes.
func BenchmarkTable(b *testing.B) {
	for _, routes := range []int{100, 10_000} {
		b.Run(fmt.Sprint("routes=", routes), func(b *testing.B) {
			g := gateway.New(gateway.Config{Caller: echoer{}})
			for i := range routes {
				g.Apply(routed(i))
			}
			for i := 0; b.Loop(); i++ {
				g.Apply(routed(i % routes))
				g.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/f1/1", nil))
			}
		})
	}
}
