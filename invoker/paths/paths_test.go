package paths

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/protocol"
)

// with returns a function that has routes.
func with(name string, routes ...string) *protocol.Function {
	f := &protocol.Function{Name: name}
	for _, r := range routes {
		f.HTTP = append(f.HTTP, protocol.HTTPRoute{Route: r})
	}
	return f
}

// A function's routes conflict with those of others and not with its own, and those that it gave up with nobody's.
func TestCheck(t *testing.T) {
	var x Index
	x.Set(with("a", "GET /orders/{id}", "/files/{path...}"))
	sockets := &protocol.Function{Name: "ws", WebSocket: []protocol.WebSocketRoute{{Route: "/chat/{room}"}}}
	x.Set(sockets)
	for _, test := range []struct{ route, other string }{
		{"GET /orders/{name}", "a"}, {"/files/", "a"}, {"GET /chat/{id}", "ws"}, {"GET /{x}/1", "ws"},
		{"GET /orders/new", ""}, {"POST /orders/{id}", ""}, {"example.org/files/", ""}, {"/", ""}, {"/chat/{room}", ""},
	} {
		err := x.Check(with("b", test.route))
		switch {
		case test.other == "" && err != nil:
			t.Errorf("%s: %v", test.route, err)
		case test.other != "" && (protocol.CodeOf(err) != protocol.CodeConflict ||
			!strings.Contains(err.Error(), "function "+test.other+" has")):
			t.Errorf("%s: %v, want a conflict with %s", test.route, err, test.other)
		}
	}
	if err := x.Check(with("a", "GET /orders/{name}")); err != nil {
		t.Errorf("its own: %v", err)
	}
	x.Set(with("a", "/other"))
	x.Remove("ws")
	if err := x.Check(with("b", "GET /orders/{name}", "/files/", "/chat/{id}")); err != nil {
		t.Errorf("what they gave up: %v", err)
	}
}

// TestConflicts compares the tree with a look at every pattern.
func TestConflicts(t *testing.T) {
	segments := []string{"a", "b", "{x}", "{y}", "{$}", "", "{r...}"}
	for range 200 {
		var x Index
		var all []*protocol.Function
		for i := range 20 {
			path := ""
			for range 1 + rand.IntN(3) {
				path += "/" + segments[rand.IntN(len(segments))]
			}
			f := with(fmt.Sprint("f", i), []string{"", "GET ", "HEAD "}[rand.IntN(3)]+path)
			entries := Of(f)
			if len(entries) == 0 {
				continue
			}
			want := false
			for _, g := range all {
				want = want || Of(g)[0].Pattern.Conflicts(&entries[0].Pattern)
			}
			if err := x.Check(f); (err != nil) != want {
				t.Fatalf("%s: %v, want a conflict: %t", f.HTTP[0].Route, err, want)
			}
			if rand.IntN(4) == 0 && len(all) > 0 {
				x.Remove(all[0].Name)
				all = all[1:]
			}
			all = append(all, f)
			x.Set(f)
		}
	}
}
