package memory

import (
	"runtime"
	"sync"
	"testing"
)

// TestWatch checks when Restore takes it for known what was written, and that it is right.
func TestWatch(t *testing.T) {
	const used = 4 * granule
	write := func(places ...int) func(*Region) {
		return func(r *Region) {
			for _, i := range places {
				r.Bytes(used)[i]++
			}
		}
	}
	first := write(0, 2*granule)
	for _, c := range []struct {
		name  string
		last  func(*Region) // of three runs
		known bool
	}{
		{"the same pages", first, true},
		{"fewer pages", write(1), true},
		{"a page more", write(0, 2*granule, pageSize), false},
		{"a page beyond the image", write(3 * granule), false},
		{"on another thread", func(r *Region) { r.Leave(); write(pageSize)(r) }, false},
		{"pages that were given back", func(r *Region) { _ = r.Shed(); first(r) }, false},
	} {
		for _, d := range methods(t) {
			if d != scan && d != pread {
				continue
			}
			r := attached(t, testImage(t, 2*granule, d), used)
			step := func(run func(*Region)) (known bool) {
				if err := r.Restore(used); err != nil {
					t.Fatal(err)
				}
				r.Begin()
				run(r)
				r.End()
				return r.pages.watch.quiet
			}
			step(first)
			step(first)
			known := step(c.last)
			for tries := 0; c.known && !known && tries < 100; tries++ {
				known = step(c.last) // the thread may have faults of other reasons
			}
			if known != c.known {
				t.Errorf("%s, %s: known is %t", d, c.name, known)
			}
			if err := r.Restore(used); err != nil {
				t.Fatal(err)
			}
			if err := r.Verify(used); err != nil {
				t.Errorf("%s, %s: %v", d, c.name, err)
			}
		}
	}
}

// TestLedger checks that each thread has an entry of its own, which says no more than what the kernel says.
func TestLedger(t *testing.T) {
	const n = 16
	var l ledger
	var all sync.Map
	var here, done sync.WaitGroup
	here.Add(n)
	for range n {
		done.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			e := l.of(thread())
			if e == nil {
				here.Done()
				return // on this machine threads cannot be told apart
			}
			if _, twice := all.LoadOrStore(e, true); twice {
				t.Error("two threads have one entry")
			}
			here.Done()
			here.Wait() // so many threads live at once
			before := e.faults.Load()
			page := make([]byte, 1<<20)
			page[1<<19]++
			if again := l.of(thread()); again != e || again.faults.Load() != before || faults() < before {
				t.Errorf("the entry says %d faults, then %d; there are %d", before, again.faults.Load(), faults())
			}
		})
	}
	done.Wait()
}

// TestLedgerFull checks that a thread for which there is no room has no entry, and that the others keep theirs.
func TestLedgerFull(t *testing.T) {
	var l ledger
	had := map[uint64]*entry{}
	none := 0
	for id := range uint64(2 * len(l.entries)) {
		if e := l.of(id + 1); e != nil {
			had[id+1] = e
		} else {
			none++
		}
	}
	if l.of(0) != nil || none < len(l.entries) || len(had) < len(l.entries)/2 {
		t.Errorf("%d have an entry, %d none", len(had), none)
	}
	for id, e := range had {
		if l.of(id) != e {
			t.Errorf("%d has lost its entry", id)
		}
	}
}
