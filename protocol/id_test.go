package protocol

import (
	"regexp"
	"sync"
	"testing"
	"time"
)

// TestNewID checks the form of ids, that none comes twice, and that they sort by time.
func TestNewID(t *testing.T) {
	form := regexp.MustCompile("^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
	var mu sync.Mutex
	seen := map[string]bool{}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				id := NewID()
				mu.Lock()
				if !form.MatchString(id) || seen[id] {
					t.Errorf("%q is no id, or comes twice", id)
				}
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()
	first, begin := NewID(), time.Now()
	for time.Since(begin) < time.Microsecond {
		continue
	}
	if second := NewID(); second <= first {
		t.Errorf("%q was made after %q", second, first)
	}
}
