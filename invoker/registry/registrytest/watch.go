package registrytest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/registry"
)

func watch(t testing.TB, ctx context.Context, r registry.Registry) <-chan registry.Change {
	t.Helper()
	changes, err := r.Watch(ctx)
	if err != nil {
		t.Fatalf("Watch: %v", err)
	}
	return changes
}

func testWatch(t *testing.T, r registry.Registry) {
	a1, b1 := Put(t, r, fn("a"), "1"), Put(t, r, fn("b"), "1")
	Put(t, r, fn("gone"), "1")
	remove(t, r, "gone")
	changes := watch(t, t.Context(), r)
	initial := map[string]registry.Entry{}
	for c := Next(t, changes); !c.Synced; c = Next(t, changes) {
		initial[c.Name] = c.Entry
	}
	equal(t, "initial state", initial, map[string]registry.Entry{"a": a1, "b": b1})

	b2 := Put(t, r, fn("b"), "2")
	equal(t, "new version", Next(t, changes), registry.Change{Name: "b", Entry: b2})
	Put(t, r, fn("b"), "2") // the same: no change
	c1 := Put(t, r, fn("c"), "1")
	equal(t, "new function", Next(t, changes), registry.Change{Name: "c", Entry: c1})
	remove(t, r, "a")
	equal(t, "removal", Next(t, changes), registry.Change{Name: "a"})
	a1 = Put(t, r, fn("a"), "1")
	equal(t, "new begin", Next(t, changes), registry.Change{Name: "a", Entry: a1})
}

func testWatchEmpty(t *testing.T, r registry.Registry) {
	changes := watch(t, t.Context(), r)
	equal(t, "first", Next(t, changes), registry.Change{Synced: true})
	a := Put(t, r, fn("a"), "1")
	equal(t, "second", Next(t, changes), registry.Change{Name: "a", Entry: a})
}

func testWatchSlow(t *testing.T, r registry.Registry) {
	changes := watch(t, t.Context(), r)
	var last registry.Entry
	for i := range 3 * registry.KeepVersions {
		last = Put(t, r, fn("busy"), fmt.Sprint(i))
	}
	end := Put(t, r, fn("end"), "1")
	seen, version := 0, 0
	for c := Next(t, changes); c.Name != end.Name; c = Next(t, changes) {
		if c.Synced {
			continue
		}
		if v := c.Entry.Latest().Version; v <= version {
			t.Fatalf("version %d after %d", v, version)
		} else {
			seen, version = seen+1, v
		}
	}
	if version != last.Latest().Version {
		t.Errorf("the newest of %d states is version %d, want %d", seen, version, last.Latest().Version)
	}
}

func testWatchEnds(t *testing.T, r registry.Registry) {
	Put(t, r, fn("a"), "1")
	Put(t, r, fn("b"), "1")
	idle, cancelIdle := context.WithCancel(t.Context())
	unread, cancelUnread := context.WithCancel(t.Context())
	quiet := watch(t, idle, r)
	for !Next(t, quiet).Synced {
	}
	full := watch(t, unread, r)
	cancelIdle()
	cancelUnread()
	limit := time.After(Patience)
	for _, changes := range []<-chan registry.Change{quiet, full} {
		for open := true; open; {
			select {
			case _, open = <-changes:
			case <-limit:
				t.Fatal("the channel is not closed")
			}
		}
	}
	Put(t, r, fn("c"), "1") // does not wait for watchers that are gone
}
