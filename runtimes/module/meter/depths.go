package meter

import "github.com/polyvoke/polyvoke/runtimes/module/code"

// How far a function is from recursion.
const (
	straight  = iota // it cannot reach one
	leading          // it can reach one, but is not part of it
	recursive        // it can call itself by some way, or has a try_table: it takes from the stack
)

// depths says for each function that the module defines how far it is from recursion.
type depths struct {
	of    []byte   // also for each type of function, after the functions
	first []uint32 // by type: the first that is equal to it
	tests []bool   // whether the function tests how much stack is left
}

// findDepths looks at all calls. One through a table may lead to every function of its type that
// a table or a reference may hold.
func (w *meter) findDepths() *depths {
	functions := len(w.types)
	first := w.firstTypes()
	graph := make([][]uint32, functions+len(first))
	taken := w.m.References()
	var in code.Instruction
	for f, b := range w.m.Bodies() {
		list := append([]uint32(nil), w.callees[f]...)
		for w.m.Instructions(&w.reader, b); w.reader.Next(&in); {
			switch {
			case in.Op.IsIndirect():
				list = append(list, uint32(functions)+first[in.X])
			case in.Op == code.RefFunc:
				taken = append(taken, in.X)
			case in.Op == code.TryTable:
				list = append(list, uint32(f)) // counts as a call of itself
			}
		}
		graph[f] = distinct(list)
	}
	for _, f := range distinct(taken) {
		if f >= w.imported {
			t := uint32(functions) + first[w.types[f-w.imported]]
			graph[t] = append(graph[t], f-w.imported)
		}
	}
	of := classify(graph)
	d := &depths{of: of, first: first, tests: w.chooseTests(graph, of)}
	for _, of := range d.of[:functions] {
		if of == recursive {
			w.report.Recursive++
		}
	}
	return d
}

// firstTypes returns for each type the first that is equal to it.
func (w *meter) firstTypes() []uint32 {
	first := make([]uint32, len(w.m.Info.Types()))
	for i, t := range w.m.Info.Types() {
		first[i] = w.m.Type(t)
	}
	return first
}

// classify says for each node of a graph whether it is on a cycle or leads to one.
func classify(graph [][]uint32) []byte {
	of := make([]byte, len(graph))
	groups, _ := components(graph)
	for _, g := range groups {
		for _, v := range g {
			for _, next := range graph[v] {
				switch {
				case len(g) > 1 || next == v:
					of[v] = recursive
				case of[next] != straight:
					of[v] = max(of[v], leading)
				}
			}
		}
	}
	return of
}
