package subjects

import (
	"strings"
	"sync"

	"github.com/polyvoke/polyvoke/protocol"
)

// Routes knows the triggers of all functions, so that those that overlap are found without a look at every function.
// It is a tree: one level a token, wildcards being tokens as well. Its zero value is empty. Its methods may be called
// from several goroutines.
type Routes struct {
	mu       sync.Mutex
	root     node
	manifest map[string]*protocol.Function // of the functions that have triggers, by name
}

// node is where the triggers stand that begin with the same tokens.
type node struct {
	next  map[string]*node
	ends  map[string]bool // the functions that have a trigger which ends here
	below int             // how many triggers end here or further down
}

// Set puts a function's triggers in the place of those that it had.
func (r *Routes) Set(f *protocol.Function) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remove(f.Name)
	if len(f.Triggers) == 0 {
		return
	}
	if r.manifest == nil {
		r.manifest = map[string]*protocol.Function{}
	}
	r.manifest[f.Name] = f
	for _, t := range distinct(f) {
		r.root.add(tokens(t), f.Name)
	}
}

// Remove forgets a function.
func (r *Routes) Remove(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remove(name)
}

func (r *Routes) remove(name string) {
	f := r.manifest[name]
	if f == nil {
		return
	}
	for _, t := range distinct(f) {
		r.root.remove(tokens(t), name)
	}
	delete(r.manifest, name)
}

// Overlapping returns the other functions that have a trigger which can have a message that a trigger of f has, in no
// order.
func (r *Routes) Overlapping(f *protocol.Function) []*protocol.Function {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := map[string]bool{}
	for _, t := range distinct(f) {
		r.root.overlap(tokens(t), found)
	}
	delete(found, f.Name)
	var all []*protocol.Function
	for name := range found {
		all = append(all, r.manifest[name])
	}
	return all
}

// Taking returns the functions that have a trigger which can have a message of a pattern, in no order.
func (r *Routes) Taking(pattern string) []*protocol.Function {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := map[string]bool{}
	r.root.overlap(tokens(pattern), found)
	var all []*protocol.Function
	for name := range found {
		all = append(all, r.manifest[name])
	}
	return all
}

// distinct returns the subjects of a function's triggers, each once.
func distinct(f *protocol.Function) []string {
	seen := map[string]bool{}
	var all []string
	for _, t := range f.SubjectTriggers() {
		if !seen[t.Subject] {
			seen[t.Subject] = true
			all = append(all, t.Subject)
		}
	}
	return all
}

func tokens(subject string) []string { return strings.Split(subject, ".") }

func (n *node) add(tokens []string, name string) {
	n.below++
	if len(tokens) == 0 {
		if n.ends == nil {
			n.ends = map[string]bool{}
		}
		n.ends[name] = true
		return
	}
	if n.next == nil {
		n.next = map[string]*node{}
	}
	if n.next[tokens[0]] == nil {
		n.next[tokens[0]] = &node{}
	}
	n.next[tokens[0]].add(tokens[1:], name)
}

func (n *node) remove(tokens []string, name string) {
	n.below--
	if len(tokens) == 0 {
		delete(n.ends, name)
		return
	}
	if m := n.next[tokens[0]]; m != nil {
		if m.remove(tokens[1:], name); m.below == 0 {
			delete(n.next, tokens[0])
		}
	}
}

// overlap finds the functions whose triggers, from here on, can have a message that a subject with these tokens has.
func (n *node) overlap(tokens []string, found map[string]bool) {
	if len(tokens) == 0 {
		for name := range n.ends {
			found[name] = true
		}
		return
	}
	if rest := n.next[">"]; rest != nil { // it stands for one token or more
		rest.all(found)
	}
	switch token := tokens[0]; token {
	case ">":
		for _, m := range n.next {
			m.all(found)
		}
	case "*":
		for _, m := range n.next {
			m.overlap(tokens[1:], found)
		}
	default:
		for _, t := range []string{token, "*"} {
			if m := n.next[t]; m != nil {
				m.overlap(tokens[1:], found)
			}
		}
	}
}

// all finds every function that has a trigger from here on.
func (n *node) all(found map[string]bool) {
	for name := range n.ends {
		found[name] = true
	}
	for _, m := range n.next {
		m.all(found)
	}
}
