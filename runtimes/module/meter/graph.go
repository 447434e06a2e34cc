package meter

import (
	"slices"

	"github.com/polyvoke/polyvoke/runtimes/module/code"
)

// graph finds which function calls which directly, and returns the groups of functions that call one another,
// callees before callers.
func (w *meter) graph() (groups [][]uint32) {
	w.callees = make([][]uint32, len(w.types))
	var in code.Instruction
	for f, b := range w.m.Bodies() {
		var list []uint32
		for w.m.Instructions(&w.reader, b); w.reader.Next(&in); {
			if (in.Op == code.Call || in.Op == code.ReturnCall) && in.X >= w.imported {
				list = append(list, in.X-w.imported)
			}
		}
		w.callees[f] = distinct(list)
	}
	groups, w.group = components(w.callees)
	return groups
}

// cyclic reports whether the functions of a group call one another, or the only one itself.
func (w *meter) cyclic(group []uint32) bool {
	return len(group) > 1 || slices.Contains(w.callees[group[0]], group[0])
}

// distinct sorts a list and leaves out repetitions.
func distinct(list []uint32) []uint32 {
	slices.Sort(list)
	return slices.Clip(slices.Compact(list))
}

// tarjan is the state of Tarjan's algorithm for strongly connected components, with a stack of its own in
// place of recursion.
type tarjan struct {
	graph  [][]uint32
	number []int32 // in the order of discovery, from 1; 0 is not found yet
	low    []int32
	found  int32
	open   []uint32 // nodes whose component is not complete
	visits []visit
	groups [][]uint32
	group  []int // by node, from 1; 0 is not complete
}

// visit is a node whose successors are being looked at.
type visit struct {
	node uint32
	next int // the successor to look at
}

// components returns the strongly connected components of a graph, those that others lead to first,
// and the component of each node, counted from 1.
func components(graph [][]uint32) (groups [][]uint32, group []int) {
	n := len(graph)
	t := &tarjan{graph: graph, number: make([]int32, n), low: make([]int32, n), group: make([]int, n)}
	for v := range graph {
		if t.number[v] == 0 {
			t.enter(uint32(v))
			t.run()
		}
	}
	return t.groups, t.group
}

// enter begins to look at a node.
func (t *tarjan) enter(v uint32) {
	t.found++
	t.number[v], t.low[v] = t.found, t.found
	t.open = append(t.open, v)
	t.visits = append(t.visits, visit{node: v})
}

// run looks at all that can be reached.
func (t *tarjan) run() {
	for len(t.visits) > 0 {
		top := &t.visits[len(t.visits)-1]
		v := top.node
		if top.next == len(t.graph[v]) {
			t.leave(v)
			continue
		}
		next := t.graph[v][top.next]
		top.next++
		switch {
		case t.number[next] == 0:
			t.enter(next)
		case t.group[next] == 0:
			t.low[v] = min(t.low[v], t.number[next])
		}
	}
}

// leave ends the look at a node, which completes a component if it was the first of it.
func (t *tarjan) leave(v uint32) {
	t.visits = t.visits[:len(t.visits)-1]
	if n := len(t.visits); n > 0 {
		from := t.visits[n-1].node
		t.low[from] = min(t.low[from], t.low[v])
	}
	if t.low[v] < t.number[v] {
		return
	}
	i := len(t.open) - 1
	for t.open[i] != v {
		i--
	}
	group := slices.Clone(t.open[i:])
	t.open = t.open[:i]
	t.groups = append(t.groups, group)
	for _, u := range group {
		t.group[u] = len(t.groups)
	}
}
