//go:build toolchain

package runtimestest_test

import (
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// TestExec runs the suite against the oracle: what it demands is what the operating system does.
func TestExec(t *testing.T) {
	runtimestest.Test(t, runtimestest.Harness{
		New:   func(t testing.TB) runtimes.Runtime { return runtimestest.NewExec(t.TempDir()) },
		Probe: runtimestest.Native,
	})
}
