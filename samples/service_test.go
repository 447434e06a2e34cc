//go:build languages

package samples_test

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/script"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// A service is a client of polyvoke on a NATS server.
type service struct {
	t      testing.TB
	client *client.Client
}

// in returns the service for another test.
func (s service) in(t testing.TB) service {
	s.t = t
	return s
}

// newService starts a NATS server with its usual limits, and an invoker as `polyvoke serve` makes it.
func newService(t testing.TB) service {
	t.Helper()
	return service{t, invokertest.Start(t, func(c *invokertest.Config) { c.Sandbox = sandboxIn(compiledDir()) }).Client}
}

// compiledDir is a folder for compiled modules: the one that COMPILED names, which TestScripts may have filled, or one
// beside what make builds.
func compiledDir() string {
	return cmp.Or(os.Getenv("COMPILED"), filepath.Join(os.Getenv("MODULES"), "compiled"))
}

// sandboxIn is the configuration of a sandbox that keeps what it compiles in a folder.
func sandboxIn(dir string) wasi.Config {
	return wasi.Config{CacheDir: dir, MaxModule: script.MaxBundle, MaxMemory: uint64(protocol.MaxMemory)}
}

// newModules returns a runtime for modules that keeps what it compiles beside what make builds.
func newModules(t testing.TB) *wasi.Runtime {
	t.Helper()
	return newModulesIn(t, compiledDir())
}

// newModulesIn returns a runtime for modules that keeps what it compiles in a folder.
func newModulesIn(t testing.TB, dir string) *wasi.Runtime {
	t.Helper()
	rt, err := wasi.New(context.Background(), sandboxIn(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rt.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return rt
}

// deploy deploys the greeting in a language, with its interpreter if it needs one, and waits until it is served.
func (s service) deploy(l language) {
	s.t.Helper()
	if l.runtime != "" {
		if _, err := s.client.AddRuntime(s.t.Context(), l.runtime, l.bundle); err != nil {
			s.t.Fatalf("add %s: %v", l.runtime, err)
		}
	}
	f := protocol.Function{Name: l.folder, Runtime: l.runtime,
		Limits: protocol.Limits{Timeout: protocol.Duration(5 * time.Minute)}}
	if _, err := s.client.Deploy(s.t.Context(), f, l.module); err != nil {
		s.t.Fatalf("deploy %s: %v", l.folder, err)
	}
}

// remove removes the greeting in a language.
func (s service) remove(l language) {
	s.t.Helper()
	if _, err := s.client.Remove(s.t.Context(), l.folder); err != nil {
		s.t.Fatalf("remove %s: %v", l.folder, err)
	}
}

// call sends a request and returns the reply.
func (s service) call(r *protocol.Request) *protocol.Reply {
	s.t.Helper()
	reply, err := s.client.Call(s.t.Context(), r)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply
}

// check calls a language's greeting with a vector, and holds the reply to it.
func (s service) check(l language, v vector) {
	s.t.Helper()
	r := s.call(&protocol.Request{Function: protocol.Ref{Name: l.folder}, Args: v.Args, Body: v.body()})
	switch {
	case v.Exit != 0:
		if r.Exit != v.Exit || r.Err == nil || r.Err.Code != protocol.FromExit(uint32(v.Exit)).Code {
			s.t.Errorf("%s: exit %d and error %v, want exit %d and its code; body %s", v.About, r.Exit, r.Err, v.Exit,
				brief(string(r.Body)))
		} else if !badInput.Match(r.Body) { // the end of stderr
			s.t.Errorf("%s: stderr %s, want one line that starts with \"bad input: \"", v.About, brief(string(r.Body)))
		}
	case r.Err != nil || string(r.Body) != v.Stdout:
		s.t.Errorf("%s: error %v, body\n%s, want\n%s", v.About, r.Err, brief(string(r.Body)), brief(v.Stdout))
	}
}
