package dispatch

import "slices"

// graph is a function's flow of control: which code leads where. Its nodes are the segments by number, and behind them
// those that are added: entry, trap, and one for each loop that can be entered in the middle.
type graph struct {
	p     *parser
	left  *int    // steps that may still be taken, in all functions
	to    [][]int // by node: where it leads
	jumps int     // how many ways there are, about
	entry int     // chooses by the number that the function is called with
	trap  int     // where entries lead that nobody makes
	live  []uint64
	enter []bool // by segment: it can be entered from outside

	order  []int // nodes in reverse postorder
	place  []int // by node: where it is in order, or none for one that nothing leads to
	above  []int // by node: its immediate dominator
	from   [][]int
	loopOf []int // by node: the head of the innermost loop around it, or none; of a head, its own
	outer  []int // by head: the head of the next loop around its own, or none

	chooses []int   // by head, before there were nodes that choose: that node, or none
	heads   []int   // by node, behind trap: the head that it chooses for
	routes  []int   // by segment: the head of the innermost loop that chooses around it, or none
	parents []int   // by head: the head of the next loop around it that chooses, or none
	loops   int     // how many there are
	below   [][]int // by node: those that it dominates and that stand behind it, in order
	behind  [][]int // by head: those that stand behind its loop, in order
}

// none is no node.
const none = -1

// graph makes the graph of a function. It reports false if that has a loop with several heads, or takes too many steps.
func (p *parser) graph(left *int) (*graph, bool) {
	n := len(p.segments)
	g := &graph{p: p, left: left, entry: n, trap: n + 1, to: make([][]int, n+2)}
	for i := range p.segments {
		s := &p.segments[i]
		for _, j := range s.jumps {
			if j.to != outside {
				g.to[i] = append(g.to[i], j.to)
			}
		}
		if s.falls && i+1 < n {
			g.to[i] = append(g.to[i], i+1)
		}
		g.jumps += len(g.to[i])
	}
	if !g.findLive() || !g.findEntries() || !g.analyze() || !g.addChoices() || !g.analyze() || !g.arrange() {
		return nil, false
	}
	return g, true
}

// spend takes steps, and reports whether there were enough of them. A function that takes too many stays as it is.
func (g *graph) spend(steps int) bool {
	*g.left -= steps
	return *g.left >= 0
}

// analyze finds order, dominators and loops. It reports false if a loop has several heads.
func (g *graph) analyze() bool {
	for u, to := range g.to {
		slices.Sort(to)
		g.to[u] = slices.Compact(to)
	}
	return g.number() && g.findDominators() && g.findLoops()
}

// findLive finds which locals are read before they are set, from each segment on.
func (g *graph) findLive() bool {
	all := g.p.segments
	g.live = make([]uint64, len(all))
	for again := true; again; {
		if again = false; !g.spend(len(all) + g.jumps) {
			return false
		}
		for i := len(all) - 1; i >= 0; i-- {
			s := &all[i]
			live := s.uses
			for _, j := range s.jumps {
				if j.to != outside {
					live |= g.live[j.to] &^ j.sets
				}
			}
			if s.falls && i+1 < len(all) {
				live |= g.live[i+1] &^ s.sets
			}
			if live != g.live[i] {
				g.live[i], again = live, true
			}
		}
	}
	return true
}

// findEntries finds which segments can be entered from outside: those that need nothing in locals, and those at a call.
func (g *graph) findEntries() bool {
	all := g.p.segments
	g.enter = make([]bool, len(all))
	for _, i := range g.p.table {
		s := &all[i]
		g.enter[i] = i == 0 || g.live[i]&^g.p.set == 0 || s.call || s.follows
	}
	g.to[g.entry] = []int{0}
	if !g.number() {
		return false
	}
	for i, may := range g.enter { // those that are entered from outside only
		if may && g.place[i] == none {
			if g.to[g.entry] = append(g.to[g.entry], i); !g.number() {
				return false
			}
		}
	}
	return true
}

// findDominators finds them by the method of Cooper, Harvey and Kennedy.
func (g *graph) findDominators() bool {
	n := len(g.to)
	g.above, g.from = make([]int, n), make([][]int, n)
	for _, u := range g.order {
		for _, v := range g.to[u] {
			g.from[v] = append(g.from[v], u)
		}
	}
	for i := range g.above {
		g.above[i] = none
	}
	g.above[g.entry] = g.entry
	for again := true; again; {
		if again = false; !g.spend(len(g.order)) {
			return false
		}
		for _, v := range g.order[1:] {
			if d := g.dominator(v); g.above[v] != d {
				g.above[v], again = d, true
			}
		}
	}
	return true
}

// dominator returns the nearest node that dominates all from which there is a way to v, as far as is known.
func (g *graph) dominator(v int) int {
	d := none
	for _, u := range g.from[v] {
		switch {
		case g.above[u] == none:
		case d == none:
			d = u
		default:
			d = g.common(d, u)
		}
	}
	return d
}

// number puts the nodes in reverse postorder.
func (g *graph) number() bool {
	n := len(g.to)
	if !g.spend(n + g.jumps) {
		return false
	}
	g.place = make([]int, n)
	for i := range g.place {
		g.place[i] = none
	}
	g.order = g.order[:0]
	type step struct{ node, next int }
	seen := make([]bool, n)
	seen[g.entry] = true
	for stack := []step{{g.entry, len(g.to[g.entry])}}; len(stack) > 0; {
		top := &stack[len(stack)-1]
		if top.next == 0 {
			g.order = append(g.order, top.node)
			stack = stack[:len(stack)-1]
			continue
		}
		top.next--
		if v := g.to[top.node][top.next]; !seen[v] {
			seen[v] = true
			stack = append(stack, step{v, len(g.to[v])})
		}
	}
	slices.Reverse(g.order)
	for i, v := range g.order {
		g.place[v] = i
	}
	return true
}

// common returns the nearest node that dominates both.
func (g *graph) common(u, v int) int {
	for u != v && *g.left >= 0 {
		for g.place[u] > g.place[v] {
			u = g.above[u]
			*g.left--
		}
		for g.place[v] > g.place[u] {
			v = g.above[v]
			*g.left--
		}
	}
	return u
}

// dominates reports whether each way to v leads through u.
func (g *graph) dominates(u, v int) bool {
	for g.place[v] > g.place[u] {
		v = g.above[v]
		*g.left--
	}
	return u == v
}

// findLoops finds natural loops, the inner ones first. It reports false if one has several heads.
func (g *graph) findLoops() bool {
	g.loopOf, g.outer, g.loops = filled(len(g.to)), filled(len(g.to)), 0
	for _, h := range slices.Backward(g.order) {
		var ends []int
		for _, u := range g.from[h] {
			if g.place[u] < g.place[h] {
				continue
			}
			if !g.dominates(h, u) {
				return false
			}
			ends = append(ends, u)
		}
		if len(ends) > 0 {
			g.loops++
			g.fill(h, ends)
		}
		if !g.spend(1) {
			return false
		}
	}
	return true
}

// fill finds what is in the loop of a head, from its ends backwards.
func (g *graph) fill(h int, work []int) {
	g.loopOf[h] = h
	for len(work) > 0 && g.spend(1) {
		u := g.outermost(work[len(work)-1])
		work = work[:len(work)-1]
		switch {
		case u == h || g.loopOf[u] == h:
			continue
		case g.loopOf[u] == u:
			g.outer[u] = h
		default:
			g.loopOf[u] = h
		}
		work = append(work, g.from[u]...)
	}
}

// outermost returns the head of the outermost loop known so far around a node, or the node if there is none.
func (g *graph) outermost(u int) int {
	if g.loopOf[u] == none {
		return u
	}
	for u = g.loopOf[u]; g.outer[u] != none; u = g.outer[u] {
		*g.left--
	}
	return u
}

// filled returns n times none.
func filled(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = none
	}
	return all
}

// addChoices adds the nodes that choose by the number: one for each loop that can be entered elsewhere than at its head.
// Who is to enter such a loop in the middle comes to its node first.
func (g *graph) addChoices() bool {
	g.findChoosing()
	if !g.spend((len(g.heads) + 1) * len(g.p.table)) {
		return false
	}
	for u := range g.to {
		for k, v := range g.to[u] {
			g.to[u][k] = g.enterLoop(v)
		}
	}
	for _, h := range g.heads {
		g.to = append(g.to, []int{h})
	}
	for i := range g.enter {
		if g.entered(i) {
			g.leadIn(i)
		}
	}
	if slices.ContainsFunc(g.p.table, func(i int) bool { return !g.enter[i] }) {
		g.lead(g.entry, g.trap)
	}
	return g.spend(0)
}

// entered reports whether a segment can be entered from outside, and is there.
func (g *graph) entered(i int) bool { return g.enter[i] && g.place[i] != none }

// findChoosing finds the loops that choose, and which of them is the innermost around each segment and loop.
func (g *graph) findChoosing() {
	segments := len(g.p.segments)
	g.chooses, g.parents, g.routes = filled(segments+2), filled(segments+2), filled(segments)
	for i := range g.enter {
		if !g.entered(i) {
			continue
		}
		for h := g.loopOf[i]; h != none && g.spend(1); h = g.outer[h] {
			if h != i && g.chooses[h] == none {
				g.chooses[h] = len(g.to) + len(g.heads)
				g.heads = append(g.heads, h)
			}
		}
	}
	for _, h := range g.heads {
		g.parents[h] = g.choosing(g.outer[h])
	}
	for i := range g.routes {
		if g.place[i] != none {
			g.routes[i] = g.choosing(g.loopOf[i])
		}
	}
}

// choosing returns the head of the innermost loop that chooses, of that of a head and those around it, or none.
func (g *graph) choosing(h int) int {
	for h != none && g.chooses[h] == none {
		h = g.outer[h]
		*g.left--
	}
	return h
}

// leadIn adds the ways by which a segment is entered from outside: from loop to loop, from the outermost that chooses.
func (g *graph) leadIn(i int) {
	to := i
	for at := g.routes[i]; at != none && g.spend(1); at = g.parents[at] {
		g.lead(g.chooses[at], to)
		to = g.chooses[at]
	}
	g.lead(g.entry, g.enterLoop(to))
}

// enterLoop returns where a way to a node begins: if it is the head of a loop that chooses, at the node that does.
func (g *graph) enterLoop(v int) int {
	if v < len(g.chooses) && g.chooses[v] != none {
		return g.chooses[v]
	}
	return v
}

// lead adds a way from one node to another.
func (g *graph) lead(u, v int) {
	g.to[u] = append(g.to[u], v)
	g.jumps++
}

// route returns where a node that chooses for the loop of a head, or for the function if that is none, sends who is to
// enter a segment.
func (g *graph) route(h, i int) int {
	switch {
	case !g.entered(i):
		if h == none {
			return g.trap
		}
		return h
	case g.routes[i] == h:
		if h == none {
			return g.enterLoop(i)
		}
		return i
	}
	for at := g.routes[i]; at != none; at = g.parents[at] {
		if g.parents[at] == h {
			return g.chooses[at]
		}
	}
	return h // it is not in the loop
}

// arrange finds where each node stands: behind the one that dominates it, or behind a loop that the way to it leaves.
func (g *graph) arrange() bool {
	g.below, g.behind = make([][]int, len(g.to)), make([][]int, len(g.to))
	for _, y := range g.order[1:] {
		x := g.above[y]
		leaves := none
		for h := g.loopOf[x]; h != none && !g.contains(h, y); h = g.outer[h] {
			leaves = h
		}
		if leaves != none {
			g.behind[leaves] = append(g.behind[leaves], y)
		} else {
			g.below[x] = append(g.below[x], y)
		}
	}
	return g.spend(0)
}

// contains reports whether the loop of a head contains a node.
func (g *graph) contains(h, y int) bool {
	for at := g.loopOf[y]; at != none && g.spend(1); at = g.outer[at] {
		if at == h {
			return true
		}
	}
	return false
}
