package meter

// untested is how many bytes of stack functions may take, by estimate, until one tests how much is left.
const untested = 1 << 16

// tester chooses the functions that test how much stack is left. One in each cycle of calls is enough; all functions
// that can be part of one take their frames from the stack, so what is left is right wherever it is tested.
//
// The calls are a graph whose first nodes are functions, and the others types of functions, through which calls go
// that find the function in a table. It is gone through depth first: each cycle has an edge back to a node that is
// being looked at.
type tester struct {
	w      *meter
	graph  [][]uint32
	of     []byte  // by node: how far it is from recursion
	tests  []bool  // by function
	state  []byte  // by node
	taken  []int64 // by node: the most that is taken from the stack from there until it is tested
	visits []visit
}

// The states of a node.
const (
	unseen = iota
	looking
	seen
)

// chooseTests goes through the graph.
func (w *meter) chooseTests(graph [][]uint32, of []byte) []bool {
	n := len(graph)
	t := &tester{w: w, graph: graph, of: of,
		tests: make([]bool, len(w.types)), state: make([]byte, n), taken: make([]int64, n)}
	for v := range graph {
		if t.state[v] == unseen {
			t.enter(uint32(v))
			t.run()
		}
	}
	return t.tests
}

// enter begins to look at a node.
func (t *tester) enter(v uint32) {
	t.state[v] = looking
	t.visits = append(t.visits, visit{node: v})
}

// run looks at all that can be reached.
func (t *tester) run() {
	for len(t.visits) > 0 {
		top := &t.visits[len(t.visits)-1]
		v := top.node
		if top.next == len(t.graph[v]) {
			t.leave(v)
			continue
		}
		next := t.graph[v][top.next]
		switch t.state[next] {
		case unseen:
			t.enter(next) // and comes back to this edge
			continue
		case looking: // a cycle: one of the two is a function
			if t.function(next) {
				t.tests[next] = true
			} else {
				t.tests[v] = true
			}
		case seen:
			if !t.function(next) || !t.tests[next] {
				t.taken[v] = max(t.taken[v], t.taken[next])
			}
		}
		top.next++
	}
}

// leave ends the look at a node.
func (t *tester) leave(v uint32) {
	t.visits = t.visits[:len(t.visits)-1]
	t.state[v] = seen
	if !t.function(v) || t.of[v] != recursive {
		return
	}
	t.taken[v] += t.w.frame(v)
	t.tests[v] = t.tests[v] || t.taken[v] > untested
}

// function reports whether a node is a function.
func (t *tester) function(v uint32) bool { return int(v) < len(t.tests) }
