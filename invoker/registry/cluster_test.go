package registry_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
)

// freeAddresses returns loopback addresses on which nobody listens.
func freeAddresses(t *testing.T, n int) []*net.TCPAddr {
	t.Helper()
	var free []*net.TCPAddr
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		defer l.Close() // not before all are found, so that they differ
		free = append(free, l.Addr().(*net.TCPAddr))
	}
	return free
}

// cluster starts three servers that replicate.
func cluster(t *testing.T) []*server.Server {
	t.Helper()
	addresses := freeAddresses(t, 3)
	var routes []*url.URL
	for _, a := range addresses {
		routes = append(routes, &url.URL{Scheme: "nats", Host: a.String()})
	}
	var servers []*server.Server
	for i, a := range addresses {
		s, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprint("n", i), Host: "127.0.0.1", Port: server.RANDOM_PORT,
			JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
			Cluster: server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: a.Port}, Routes: routes,
		})
		must(t, err)
		go s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		servers = append(servers, s)
	}
	for _, s := range servers {
		if !s.ReadyForConnections(registrytest.Patience) {
			t.Fatal("a server does not get ready")
		}
	}
	return servers
}

// openReplicated opens the registry as soon as the cluster has elected its leader.
func openReplicated(t *testing.T, s *server.Server) *registry.JetStream {
	t.Helper()
	nc := registrytest.Connect(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 3*registrytest.Patience)
	defer cancel()
	var last error
	for ctx.Err() == nil {
		try, end := context.WithTimeout(ctx, 5*time.Second)
		r, err := registry.Open(try, registrytest.JetStream(t, nc), registry.Config{Replicas: 3})
		end()
		if err == nil {
			return r
		}
		last = errors.Join(err, errors.Unwrap(err))
	}
	t.Fatal("the cluster does not get ready:", last)
	return nil
}

// The suite holds for three replicas too, each registry on a server of its own: what was
// confirmed on one is what the others find.
func TestCluster(t *testing.T) {
	servers := cluster(t)
	n := 0
	registrytest.Test(t, func(t *testing.T) registry.Registry {
		n++
		r := openReplicated(t, servers[n%len(servers)])
		t.Cleanup(func() { empty(t, r) })
		return r
	})
}

// empty removes what a test left.
func empty(t *testing.T, r *registry.JetStream) {
	ctx, cancel := context.WithTimeout(context.Background(), registrytest.Patience)
	defer cancel()
	list, err := r.List(ctx)
	must(t, err)
	for _, e := range list {
		_, err := r.Delete(ctx, e.Name)
		must(t, err)
	}
}
