package wasi

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/polyvoke/polyvoke/runtimes"
)

// TestRest has time pass until a program's code gives up its memory, and calls the program afterwards.
func TestRest(t *testing.T) {
	all := Possible(runtimes.StartFresh, runtimes.StartReset, runtimes.StartPrefork, runtimes.StartCheckpoint)
	for _, kind := range all {
		g := newTestProgram(t, newTestRuntime(t, Config{CacheDir: t.TempDir()}), kind)
		for round := range 3 {
			echoes(t, g)
			waitReady(t, g)
			code := needCode(t, g)
			g.tire()
			if n := residentCode(t, code); n == 0 {
				t.Errorf("%s, round %d: the code of a program that is in use takes no memory", kind, round)
			}
			Sweep(g, time.Now().Add(time.Hour))
			for range tiresAfter + 1 {
				g.tire()
			}
			if n := residentCode(t, code); n > 0 || !g.rest.spilled {
				t.Errorf("%s, round %d: the code of a program that is not in use takes %d KiB", kind, round, n)
			}
		}
	}
}

// needCode returns the native code of a program that has been called, and skips the test if this build does not see it.
func needCode(t *testing.T, g *program) []byte {
	t.Helper()
	code := *g.rest.code.Load()
	if len(code) == 0 {
		t.Skip("this build does not see the engine's native code, so it stays in memory")
	}
	return code
}

// residentCode returns how many KiB of memory code takes that its process has for itself or has mapped.
func residentCode(t *testing.T, code []byte) (kib int) {
	t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	at, inside := uint64(uintptr(unsafe.Pointer(&code[0]))), false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var from, to uint64
		if n, _ := fmt.Sscanf(lines.Text(), "%x-%x ", &from, &to); n == 2 {
			inside = from <= at && at < to
		}
		if rest, ok := strings.CutPrefix(lines.Text(), "Rss:"); ok && inside {
			_, _ = fmt.Sscan(rest, &kib)
			return kib
		}
	}
	t.Fatal("the code is not mapped")
	return 0
}

// TestHammerRest puts code into files again and again while it runs.
func TestHammerRest(t *testing.T) {
	r := newTestRuntime(t, Config{CacheDir: t.TempDir()})
	g := newTestProgram(t, r, runtimes.StartReset)
	echoes(t, g)
	code := needCode(t, g)
	var callers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		callers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					echoes(t, g)
				}
			}
		})
	}
	for range 300 {
		var again rest
		if r.relieve(&again, code); !again.spilled {
			t.Error("the code was not put into a file")
			break
		}
	}
	close(stop)
	callers.Wait()
}

// TestRestNowhere checks that code which cannot be put into a file stays what it is.
func TestRestNowhere(t *testing.T) {
	dir := t.TempDir()
	r := newTestRuntime(t, Config{CacheDir: dir})
	g := newTestProgram(t, r, runtimes.StartReset)
	r.folder = dir + "/gone"
	for range 2 {
		echoes(t, g)
		needCode(t, g)
		Sweep(g, time.Now().Add(time.Hour))
		for range tiresAfter + 1 {
			g.tire()
		}
	}
	if g.rest.spilled || !g.rest.failed {
		t.Error("the code is in a file of a folder that is not there")
	}
	if echoes(t, g); residentCode(t, *g.rest.code.Load()) == 0 {
		t.Error("the code takes no memory")
	}
}
