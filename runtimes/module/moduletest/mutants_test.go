package moduletest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/atomics"
	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// mutant returns a copy of a binary with a few bytes changed, left out or put in.
func mutant(b []byte, r *rand.Rand) []byte {
	m := bytes.Clone(b)
	for range 1 + r.IntN(3) {
		if len(m) <= 8 {
			return m
		}
		i := 8 + r.IntN(len(m)-8)
		switch r.IntN(4) {
		case 0:
			m[i] = byte(r.Uint32())
		case 1:
			m[i] ^= 1 << r.IntN(8)
		case 2:
			m[i]++
		default:
			if j := 8 + r.IntN(len(m)-8); r.IntN(2) == 0 {
				m[i] = m[j]
			} else {
				m = append(m[:i], m[min(i+1, len(m)):]...)
			}
		}
	}
	return m
}

// mutants is how many there are of each binary.
const mutants = 3

// TestMutants checks with every binary of the engine's module, and with some mutants of each, that nothing that is
// accepted crashes the engine, and that the engine accepts what was made of a module if and only if it accepts the
// module: rewriting neither breaks what is right nor makes right what is not. The module is the one without custom
// sections, some of which the engine refuses though they are empty; or the module as it is, if it was built for
// threads.
func TestMutants(t *testing.T) {
	ctx := context.Background()
	engine := func(features api.CoreFeatures) func(b []byte) error {
		r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features))
		t.Cleanup(func() { r.Close(ctx) })
		return func(b []byte) error {
			compiled, err := r.CompileModule(ctx, b)
			if err != nil {
				return err
			}
			return compiled.Close(ctx)
		}
	}
	valid, validThreads := engine(features), engine(features|experimental.CoreFeaturesThreads)
	random := rand.New(rand.NewPCG(1, 2))
	tried, right, threads := 0, 0, 0
	try := func(path string, b []byte) {
		out, _, err := rewrite.Rewrite(b, rewrite.Options{Stack: 1 << 20})
		if err != nil {
			return
		}
		bare, _, err := rewrite.Rewrite(b, rewrite.Options{Unmetered: true, KeepExceptions: true})
		if err != nil {
			t.Fatal(err)
		}
		tried++
		before, after := valid(bare), valid(out)
		if m, err := module.Parse(b); err == nil && atomics.Needed(m) {
			before = validThreads(b)
			threads++
		}
		if before == nil {
			right++
		}
		if (before == nil) != (after == nil) {
			t.Errorf("%s: %x: before %v, after %v", path, b[:min(len(b), 500)], before, after)
		}
	}
	seen := 0
	corpus(t, func(path string, b []byte) {
		if seen++; seen%share != 0 {
			return
		}
		try(path, b)
		n := mutants
		if strings.Contains(path, "/threads/") { // there are few of these
			n *= 20
		}
		for range n {
			try(path+" (mutant)", mutant(b, random))
		}
	})
	for seed := range uint64(1000 / share) {
		b := (&thrower{Rand: rand.New(rand.NewPCG(seed, 2))}).module()
		for range 2 * mutants {
			try(fmt.Sprintf("thrower %d (mutant)", seed), mutant(b, random))
		}
	}
	t.Logf("%d modules rewritten, of which %d are right, and %d for threads", tried, right, threads)
	if share == 1 && threads < 100 {
		t.Errorf("only %d modules for threads", threads)
	}
	if right < 3000/share || tried-right < 3000/share {
		t.Errorf("%d modules rewritten, of which %d are right", tried, right)
	}
}
