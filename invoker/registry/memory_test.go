package registry_test

import (
	"testing"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
)

func TestMemory(t *testing.T) {
	registrytest.Test(t, func(*testing.T) registry.Registry { return &registry.Memory{} })
}
