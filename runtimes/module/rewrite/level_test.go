package rewrite_test

import (
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
)

// At the level of safety nothing is left that only makes code faster, and the zero Options have all of it.
func TestOptimize(t *testing.T) {
	for level, want := range map[int]rewrite.Options{
		rewrite.Safe:  {KeepDispatch: true, KeepAddresses: true},
		rewrite.Cheap: {},
		rewrite.All:   {},
	} {
		got := rewrite.Options{KeepDispatch: !want.KeepDispatch, KeepAddresses: !want.KeepAddresses}
		if got.Optimize(level); got.KeepDispatch != want.KeepDispatch || got.KeepAddresses != want.KeepAddresses {
			t.Errorf("level %d: got %+v", level, got)
		}
	}
}
