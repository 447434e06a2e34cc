package contestant

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/guest"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// probe is a guest that needs no tool chain: the C program of the conformance suite, as an echo.
func probe(t *testing.T) *guest.Guest {
	file := filepath.Join(t.TempDir(), "probe.wasm")
	if err := os.WriteFile(file, runtimestest.Wasm(), 0o644); err != nil {
		t.Fatal(err)
	}
	return &guest.Guest{Name: "C probe", Wasm: file, Args: []string{"echo"}, Env: []string{"A=b"}, Body: []byte("hello"),
		Want: []byte("hello")}
}

// Every contestant echoes, for several callers at a time and bodies of any size, or says why it cannot.
func TestContestants(t *testing.T) {
	g := probe(t)
	for _, c := range All() {
		if c.Worker != nil {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			r, err := c.Open(t.Context(), Setup{Guest: g, Cache: t.TempDir(), Callers: 4})
			if err != nil {
				if !strings.Contains(err.Error(), "asked for") && !strings.Contains(err.Error(), "not possible") &&
					err != errNoNative {
					t.Error(err)
				}
				return
			}
			defer func() {
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}()
			var all sync.WaitGroup
			for caller := range 4 {
				all.Go(func() {
					for i := range 20 {
						body := bytes.Repeat([]byte{byte('a' + caller)}, []int{5, 0, 1000, 64 << 10}[i%4])
						if reply, err := r.Run(t.Context(), caller, body); err != nil || !bytes.Equal(reply, body) {
							t.Errorf("%d bytes: got %d bytes and the error %v", len(body), len(reply), err)
						}
					}
				})
			}
			all.Wait()
		})
	}
}

// A wrong reply does not pass for a quick one.
func TestCheck(t *testing.T) {
	g := &guest.Guest{Body: []byte("ask"), Want: []byte("answer")}
	if err := check(g, g.Body, []byte("answer")); err != nil {
		t.Error(err)
	}
	if err := check(g, g.Body, []byte("ask")); err == nil {
		t.Error("a wrong reply passed")
	}
	for _, other := range []string{"another size", "ASK"} {
		if err := check(g, []byte(other), []byte(other)); err != nil {
			t.Error(err)
		}
	}
}

// The native function gives what the guest must give.
func TestNativeJSON(t *testing.T) {
	out, err := greet([]byte(`{"name":"Ada","numbers":[1,2,3,4]}`))
	if err != nil || string(out) != `{"greeting":"Hello, Ada!","sum":10}` {
		t.Errorf("got %s and the error %v", out, err)
	}
	if _, err := greet([]byte("{")); err == nil {
		t.Error("what is not JSON passed")
	}
}

func TestFind(t *testing.T) {
	names := map[string]bool{}
	for _, c := range All() {
		if names[c.Name] {
			t.Errorf("%s is there twice", c.Name)
		}
		names[c.Name] = true
		if found, err := Find(c.Name); err != nil || found.Name != c.Name {
			t.Errorf("%s: got %v", c.Name, err)
		}
	}
	if _, err := Find("nobody"); err == nil || !names[Base] || !names[Native] {
		t.Errorf("got the error %v", err)
	}
}
