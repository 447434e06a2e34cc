// Package paths knows the patterns of HTTP that all functions have, so that those which conflict are found without a
// look at every function. In go patterns and whose they are; out comes who has one that conflicts.
package paths

import (
	"maps"
	"slices"
	"sync"

	"github.com/polyvoke/polyvoke/protocol"
)

// Index is a tree of patterns: one level for the host and for each segment, wildcards being segments as well. Its zero
// value is empty. Its methods may be called from several goroutines.
type Index struct {
	mu    sync.Mutex
	root  node
	owned map[string][]Entry // by owner
}

// Entry is a pattern that somebody has.
type Entry struct {
	Owner   string // the function
	Text    string // the pattern, as its manifest has it
	Pattern protocol.HTTPPattern
}

// node is where the patterns stand that begin with the same tokens.
type node struct {
	next  map[string]*node
	ends  []Entry
	below int // how many end here or further down
}

// Of returns the patterns of a function: those of its routes and of its WebSockets. What cannot be read is left out.
func Of(f *protocol.Function) []Entry {
	var all []Entry
	add := func(text, pattern string) {
		if p, err := protocol.ParseHTTPPattern(pattern); err == nil {
			all = append(all, Entry{Owner: f.Name, Text: text, Pattern: p})
		}
	}
	for _, r := range f.HTTP {
		add(r.Route, r.Route)
	}
	for _, r := range f.WebSocket {
		add(r.Route, "GET "+r.Route)
	}
	return all
}

// Set puts a function's patterns in the place of those that it had.
func (x *Index) Set(f *protocol.Function) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.remove(f.Name)
	for _, e := range Of(f) {
		x.add(e)
	}
}

// Add adds one pattern.
func (x *Index) Add(e Entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.add(e)
}

// Remove forgets a function.
func (x *Index) Remove(name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.remove(name)
}

// Conflict returns a pattern of somebody else's that conflicts with one, if there is any.
func (x *Index) Conflict(e Entry) (other Entry, found bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.root.overlap(e.Pattern.Tokens(), func(o Entry) bool {
		if o.Owner != e.Owner && o.Pattern.Conflicts(&e.Pattern) {
			other, found = o, true
		}
		return found
	})
	return other, found
}

// Check returns why a function cannot have its routes beside those of others. The error's code is 409.
func (x *Index) Check(f *protocol.Function) error {
	for _, e := range Of(f) {
		if other, found := x.Conflict(e); found {
			return protocol.Errorf(protocol.CodeConflict, "deploy "+f.Name,
				"route %q takes requests of %q, which function %s has, and neither is the more specific one: "+
					"change the route, or delete %s", e.Text, other.Text, other.Owner, other.Owner)
		}
	}
	return nil
}

func (x *Index) add(e Entry) {
	if x.owned == nil {
		x.owned = map[string][]Entry{}
	}
	x.owned[e.Owner] = append(x.owned[e.Owner], e)
	x.root.add(e.Pattern.Tokens(), e)
}

func (x *Index) remove(owner string) {
	for _, e := range x.owned[owner] {
		x.root.remove(e.Pattern.Tokens(), owner)
	}
	delete(x.owned, owner)
}

func (n *node) add(tokens []string, e Entry) {
	n.below++
	if len(tokens) == 0 {
		n.ends = append(n.ends, e)
		return
	}
	if n.next == nil {
		n.next = map[string]*node{}
	}
	if n.next[tokens[0]] == nil {
		n.next[tokens[0]] = &node{}
	}
	n.next[tokens[0]].add(tokens[1:], e)
}

// remove takes off one pattern of an owner that ends at these tokens.
func (n *node) remove(tokens []string, owner string) {
	n.below--
	if len(tokens) == 0 {
		for i, e := range n.ends {
			if e.Owner == owner {
				n.ends = append(n.ends[:i:i], n.ends[i+1:]...)
				return
			}
		}
		return
	}
	if m := n.next[tokens[0]]; m != nil {
		if m.remove(tokens[1:], owner); m.below == 0 {
			delete(n.next, tokens[0])
		}
	}
}

// overlap shows patterns that can match what one with these tokens does, from here on, until it is told to stop.
func (n *node) overlap(tokens []string, show func(Entry) (stop bool)) (stopped bool) {
	if len(tokens) == 0 {
		for _, e := range n.ends {
			if show(e) {
				return true
			}
		}
		return false
	}
	if rest := n.next[">"]; rest != nil && rest.all(show) {
		return true
	}
	switch token := tokens[0]; token {
	case ">":
		return n.below > 0 && n.each(func(m *node) bool { return m.all(show) })
	case "*":
		return n.each(func(m *node) bool { return m.overlap(tokens[1:], show) })
	default:
		for _, t := range [...]string{token, "*"} {
			if m := n.next[t]; m != nil && m.overlap(tokens[1:], show) {
				return true
			}
		}
	}
	return false
}

// each does something with each node that is next, until it is told to stop. They come in the order of their tokens, so
// that of several patterns that conflict everybody names the same one.
func (n *node) each(do func(*node) (stop bool)) (stopped bool) {
	for _, token := range slices.Sorted(maps.Keys(n.next)) {
		if do(n.next[token]) {
			return true
		}
	}
	return false
}

// all shows every pattern from here on.
func (n *node) all(show func(Entry) bool) (stopped bool) {
	for _, e := range n.ends {
		if show(e) {
			return true
		}
	}
	return n.each(func(m *node) bool { return m.all(show) })
}
