package protocol

import (
	"strings"
	"testing"
)

// TestSpelled checks that headers that are called spelled are found by their exact names, and that others are found all
// the same.
func TestSpelled(t *testing.T) {
	for name, spelled := range map[string]bool{
		HeaderTimeout: true, HeaderDryRun: true, HeaderObject: true, HeaderID: true, HeaderParam + "id": true,
		"x-mine": true, "Fn": true, "fn": true, "": true, "accept": true,
		"fn-timeout": false, "FN-TIMEOUT": false, "Fn-timeout": false, "Fn-TImeout": false, "fn-param-id": false,
	} {
		h := Header{"Accept": {"*/*"}, name: {"1s"}}
		if got := h.spelled(); got != spelled {
			t.Errorf("%q: %t", name, got)
		}
		if strings.EqualFold(name, HeaderTimeout) {
			var r Request
			if err := r.ReadHeader(h); err != nil || r.Timeout == 0 {
				t.Errorf("%q: the timeout is %v (%v)", name, r.Timeout, err)
			}
		}
	}
}

// FuzzSpelled checks that a header that means something is found by its exact name where that is looked for alone.
func FuzzSpelled(f *testing.F) {
	f.Add("fn-dry-run", HeaderDryRun)
	f.Add("Fn-Param-Report", HeaderReport)
	f.Fuzz(func(t *testing.T, name, ours string) {
		h := Header{name: {"1"}}
		known := false
		for _, k := range []string{HeaderReport, HeaderStdout, HeaderDryRun, HeaderEvent, HeaderTimeout, HeaderHops,
			HeaderObject, HeaderStream, HeaderCredit} {
			known = known || k == ours
		}
		if known && h.spelled() && h.first(ours) != h.Get(ours) {
			t.Errorf("%q: %q is not found", name, ours)
		}
	})
}
