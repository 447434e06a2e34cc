package registrytest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

// together runs n goroutines and returns when all of them have returned.
func together(n int, run func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { run(i) })
	}
	all.Wait()
}

// hammerVersions puts one function from many sides: no number is given twice or left out.
func hammerVersions(t *testing.T, r registry.Registry) {
	const putters, each = 8, 2
	var mu sync.Mutex
	versions := map[int]string{}
	together(putters, func(p int) {
		for i := range each {
			module := fmt.Sprintf("module %d of %d", i, p)
			e, created, err := r.Put(t.Context(), fn("busy"), []byte(module))
			if err != nil || !created {
				t.Errorf("Put: created %v, %v", created, err)
				return
			}
			mu.Lock()
			v := e.Latest().Version
			if versions[v] != "" {
				t.Errorf("version %d is %s and %s", v, versions[v], module)
			}
			versions[v] = module
			mu.Unlock()
		}
	})
	e, err := r.Find(t.Context(), "busy")
	if err != nil || len(e.Versions) != putters*each {
		t.Fatalf("%d versions, %v", len(e.Versions), err)
	}
	for i, f := range e.Versions {
		if f.Version != i+1 || f.Digest != protocol.Digest([]byte(versions[i+1])) {
			t.Errorf("version %d at place %d is not what its Put said", f.Version, i)
		}
		haveModule(t, r, versions[f.Version])
	}
}

// hammerSameBytes puts and deletes functions that share their module: as long as one of them
// exists the module does, and when none does it does not.
func hammerSameBytes(t *testing.T, r registry.Registry) {
	const module = "the same for all"
	digest := protocol.Digest([]byte(module))
	together(8, func(i int) {
		f := fn(fmt.Sprint("f", i))
		for range 12 {
			if _, created, err := r.Put(t.Context(), f, []byte(module)); err != nil || !created {
				t.Errorf("Put: created %v, %v", created, err)
			}
			if got, err := r.Module(t.Context(), digest); err != nil || string(got) != module {
				t.Errorf("%s is there, its module is not: %q, %v", f.Name, got, err)
			}
			if _, err := r.Delete(t.Context(), f.Name); err != nil {
				t.Errorf("Delete: %v", err)
			}
		}
	})
	noModule(t, r, module)
}

// hammerAll does everything at once; in the end all watchers have seen what there is.
func hammerAll(t *testing.T, r registry.Registry) {
	names := []string{"a", "b", "c"}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var watchers sync.WaitGroup
	views := make([]map[string]registry.Entry, 3)
	for i := range views {
		changes := watch(t, ctx, r)
		watchers.Go(func() { views[i] = follow(t, changes) })
	}
	together(6, func(p int) {
		for i := range 15 {
			name := names[(p+i)%len(names)]
			_, _, err := r.Put(t.Context(), fn(name), fmt.Append(nil, "module ", (p*i)%4))
			if err != nil {
				t.Errorf("Put: %v", err)
			}
			if i%4 == 3 {
				_, err = r.Delete(t.Context(), name)
			} else {
				_, err = r.Find(t.Context(), name)
			}
			if err != nil && protocol.CodeOf(err) != protocol.CodeNotFound {
				t.Error(err)
			}
			if _, err := r.List(t.Context()); err != nil {
				t.Errorf("List: %v", err)
			}
		}
	})
	Put(t, r, fn("end"), "end")
	watchers.Wait()
	want := map[string]registry.Entry{}
	list, err := r.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		want[e.Name] = e
		for _, f := range e.Versions {
			if _, err := r.Module(t.Context(), f.Digest); err != nil {
				t.Errorf("%s@%d: %v", e.Name, f.Version, err)
			}
		}
	}
	for _, view := range views {
		equal(t, "a watcher's view", view, want)
	}
}

// follow applies changes until the function end appears.
func follow(t testing.TB, changes <-chan registry.Change) map[string]registry.Entry {
	view := map[string]registry.Entry{}
	for c := range changes {
		switch {
		case c.Synced:
		case len(c.Entry.Versions) == 0:
			delete(view, c.Name)
		default:
			view[c.Name] = c.Entry
		}
		if c.Name == "end" {
			return view
		}
	}
	t.Error("the watch ended early")
	return view
}
