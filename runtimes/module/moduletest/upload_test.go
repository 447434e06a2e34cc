//go:build unix

package moduletest

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
)

// BenchmarkUpload compares what an upload takes with all optimization and with none: processor time and allocated bytes
// of rewriting, and of that with the engine's compiler, over the sample modules and a program in Go. A ratio is that of
// the least of alternating runs, for all modules together.
func BenchmarkUpload(b *testing.B) {
	modules := samples(b)
	type cost struct{ rewrite, all, bytes float64 }
	least := func(level int, binary []byte, c *cost) {
		now := upload(b, level, binary)
		c.rewrite, c.all = min(c.rewrite, now[0]), min(c.all, now[1])
		c.bytes = min(c.bytes, now[2])
	}
	for b.Loop() {
		var sums [2]cost
		for _, binary := range modules {
			costs := [2]cost{{1e9, 1e9, 1e18}, {1e9, 1e9, 1e18}}
			for range 3 {
				least(rewrite.Safe, binary, &costs[0])
				least(rewrite.All, binary, &costs[1])
			}
			for i, c := range costs {
				sums[i].rewrite, sums[i].all, sums[i].bytes = sums[i].rewrite+c.rewrite, sums[i].all+c.all, sums[i].bytes+c.bytes
			}
		}
		b.ReportMetric(sums[1].rewrite/sums[0].rewrite, "rewrite-x")
		b.ReportMetric(sums[1].all/sums[0].all, "upload-x")
		b.ReportMetric(sums[1].bytes/sums[0].bytes, "bytes-x")
		b.ReportMetric(sums[1].all, "upload-s")
	}
}

// upload rewrites and compiles a module, and returns the processor time in seconds after the first and after both, and
// the bytes that both have allocated.
func upload(tb testing.TB, level int, binary []byte) [3]float64 {
	tb.Helper()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin, o := processorTime(), rewrite.Options{Stack: 8 << 20}
	o.Optimize(level)
	out, _, err := rewrite.Rewrite(binary, o)
	if err != nil {
		tb.Fatal(err)
	}
	rewritten := processorTime()
	config := wazero.NewRuntimeConfig().WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall)
	r := wazero.NewRuntimeWithConfig(context.Background(), config)
	defer r.Close(context.Background())
	if _, err := r.CompileModule(context.Background(), out); err != nil {
		tb.Fatal(err)
	}
	end := processorTime()
	runtime.ReadMemStats(&after)
	return [3]float64{(rewritten - begin).Seconds(), (end - begin).Seconds(), float64(after.TotalAlloc - before.TotalAlloc)}
}

// processorTime returns what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// samples returns the modules of the samples, and one that Go makes.
func samples(tb testing.TB) (all [][]byte) {
	tb.Helper()
	wasm := filepath.Join(tb.TempDir(), "resume.wasm")
	build := exec.Command("go", "build", "-o", wasm, "main.go")
	build.Dir, build.Env = "testdata/resume", append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("%v\n%s", err, out)
	}
	files := []string{wasm}
	err := filepath.WalkDir("../../../samples", func(name string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ".wasm") {
			files = append(files, name)
		}
		return err
	})
	if err != nil || len(files) < 10 {
		tb.Fatalf("%d modules: %v", len(files), err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}
