package registry_test

import (
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
)

// gate is a dialer that can be shut.
type gate struct{ shut atomic.Bool }

func (g *gate) Dial(network, address string) (net.Conn, error) {
	if g.shut.Load() {
		return nil, errors.New("the gate is shut")
	}
	return net.DialTimeout(network, address, registrytest.Patience)
}

// restart ends a server and starts another one at its address.
func restart(t *testing.T, s *server.Server, dir string) *server.Server {
	t.Helper()
	port := s.Addr().(*net.TCPAddr).Port
	s.Shutdown()
	s.WaitForShutdown()
	return registrytest.StartNATS(t, dir, port)
}

// away watches a registry through a gate, which is shut when away returns.
func away(t *testing.T, s *server.Server) (<-chan registry.Change, *gate) {
	t.Helper()
	g := &gate{}
	nc, err := nats.Connect(s.ClientURL(), nats.SetCustomDialer(g), nats.MaxReconnects(-1),
		nats.ReconnectWait(10*time.Millisecond), nats.ReconnectJitter(0, 0))
	must(t, err)
	t.Cleanup(nc.Close)
	far := connect(t, nc)
	changes, err := far.r.Watch(t.Context())
	must(t, err)
	for !registrytest.Next(t, changes).Synced {
	}
	g.shut.Store(true)
	return changes, g
}

// A watch that lost the server gets what it missed, and nothing that it knows.
func TestWatchAcrossRestart(t *testing.T) {
	dir := t.TempDir()
	s := registrytest.StartNATS(t, dir, 0)
	near := connect(t, registrytest.Connect(t, s))
	put(t, near.r, "same", "1")
	put(t, near.r, "changed", "1")
	put(t, near.r, "gone", "1")
	put(t, near.r, "renewed", "1")
	changes, g := away(t, s)
	s = restart(t, s, dir)
	near = connect(t, registrytest.Connect(t, s))
	changed := put(t, near.r, "changed", "2")
	_, err := near.r.Delete(t.Context(), "gone")
	must(t, err)
	_, err = near.r.Delete(t.Context(), "renewed")
	must(t, err)
	renewed := put(t, near.r, "renewed", "1")
	created := put(t, near.r, "new", "1")
	g.shut.Store(false)
	for _, want := range []registry.Change{
		{Name: "changed", Entry: changed}, {Name: "gone"}, {Name: "renewed", Entry: renewed}, {Name: "new", Entry: created},
	} {
		equal(t, want.Name, registrytest.Next(t, changes), want)
	}
	end := put(t, near.r, "end", "1")
	equal(t, "end", registrytest.Next(t, changes), registry.Change{Name: "end", Entry: end})
}

// A watch whose server comes back without its store creates the buckets, puts back what is not there, and goes on.
// What others have put there meanwhile counts.
func TestWatchAcrossLoss(t *testing.T) {
	s := registrytest.StartNATS(t, t.TempDir(), 0)
	near := connect(t, registrytest.Connect(t, s))
	put(t, near.r, "lost", "1")
	lost := put(t, near.r, "lost", "2")
	put(t, near.r, "again", "1")
	changes, g := away(t, s)
	s = restart(t, s, t.TempDir())
	near = connect(t, registrytest.Connect(t, s))
	again := put(t, near.r, "again", "3")
	g.shut.Store(false)
	equal(t, "again", registrytest.Next(t, changes), registry.Change{Name: "again", Entry: again})
	returned(t, near.r, lost)

	g.shut.Store(true)
	s = restart(t, s, t.TempDir())
	g.shut.Store(false) // nobody but the watch creates the buckets now
	near = existing(t, s)
	returned(t, near.r, lost)
	returned(t, near.r, again)
	last := put(t, near.r, "last", "1")
	equal(t, "last", registrytest.Next(t, changes), registry.Change{Name: "last", Entry: last})
}
