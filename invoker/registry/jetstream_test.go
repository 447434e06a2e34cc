package registry_test

import (
	"testing"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
)

func open(t testing.TB, cfg registry.Config) *registry.JetStream {
	t.Helper()
	nc := registrytest.Connect(t, registrytest.StartNATS(t, t.TempDir(), 0))
	r, err := registry.Open(t.Context(), nc, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestJetStream(t *testing.T) {
	registrytest.Test(t, func(t *testing.T) registry.Registry { return open(t, registry.Config{}) })
}
