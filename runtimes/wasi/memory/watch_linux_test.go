package memory

import "testing"

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
