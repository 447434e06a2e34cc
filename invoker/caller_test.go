package invoker_test

import (
	"testing"

	"github.com/polyvoke/polyvoke/invoker/invokertest"
)

// TestCaller holds the invoker of this process to the contract of all callers.
func TestCaller(t *testing.T) {
	s := invokertest.Start(t, func(c *invokertest.Config) { c.Invokers = 0 })
	invokertest.TestCaller(t, s, s.StartInvoker())
}
