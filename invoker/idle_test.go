package invoker_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// A program that neither reads nor writes is deployed with a warning; one that does either has none.
func TestIdleProgram(t *testing.T) {
	s := startServer(t)
	nc := connect(t, s)
	startInvoker(t, s)
	warned := func(r protocol.DeployReply) bool {
		return slices.ContainsFunc(r.Warnings, func(w string) bool {
			return strings.Contains(w, "neither reads its stdin nor writes to its stdout") && strings.Contains(w,
				"docs/coming-from-lambda.md")
		})
	}
	for _, test := range []struct {
		f      protocol.Function
		module []byte
		want   bool
	}{
		{protocol.Function{Name: "silent"}, silent("x"), true},
		{protocol.Function{Name: "silent-env", Meta: protocol.MetaEnv}, silent("x"), true},
		{protocol.Function{Name: "silent-fresh", Start: protocol.StartFresh}, silent("x"), true},
		{protocol.Function{Name: "echo"}, runtimestest.Wasm(), false},
		{protocol.Function{Name: "echo-env", Meta: protocol.MetaEnv}, runtimestest.Wasm(), false},
		{protocol.Function{Name: "exits", Args: []string{"exit", "3"}}, runtimestest.Wasm(), true},
		{protocol.Function{Name: "loops", Args: []string{"loop"}}, runtimestest.Wasm(), false},
	} {
		if got := warned(deploy(t, nc, test.f, test.module)); got != test.want {
			t.Errorf("%s: warned %v, want %v", test.f.Name, got, test.want)
		}
	}
	if warned(deploy(t, nc, protocol.Function{Name: "silent"}, silent("x"))) {
		t.Error("what changes nothing is warned of again")
	}
}

// A program that has grants can do all that it does in their files, which it does not find here: it gets no warning.
func TestIdleProgramWithGrants(t *testing.T) {
	s := granting(t, startServer(t))
	r := deploy(t, s.nc, protocol.Function{Name: "granted", Args: []string{"exit", "3"}, Start: protocol.StartFresh,
		Grants: []protocol.Grant{{Tmp: 1 << 20}}}, runtimestest.Wasm())
	if len(r.Warnings) > 0 {
		t.Errorf("warnings: %q", r.Warnings)
	}
}
