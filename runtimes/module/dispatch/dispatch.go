// Package dispatch takes the dispatch loops out of functions. In goes a module; out comes one that does the same with
// branches, so that an engine knows where code leads to.
//
// Go's compiler makes of each function a loop around a br_table that chooses a block by a number. A jump within the
// function sets the number and branches to the loop's head. That is how a function can be entered again in its middle,
// after a goroutine switch has taken its frame from the stack of WebAssembly. It costs twice: each jump is two, the
// second of them indirect, and at the head each local may come from anywhere, so that engines move all of them to where
// the head expects them.
//
// Here a jump becomes a branch to where it leads: loops become loops, and all else blocks (the method is that of Ramsey,
// "Beyond Relooper", ICFP 2022). The br_table stays for calls that enter in the middle, at the function's beginning, and
// once more at the head of each loop that can be entered so.
//
//	loop $dispatch                       block $b2
//	  block $b2 block $b1                  block $b1
//	    local.get $pc                        local.get $pc  br_table $b1 $b2
//	    br_table $b1 $b2                   end
//	  end ($b1)                            loop $l
//	  ...                                    ...
//	  i32.const 1  local.set $pc             br $l
//	  br $dispatch                         end
//	end ...                              end ...
//
// A block in which locals are read before they are set is not entered from outside: Go keeps nothing in locals across a
// call. Such an entry, which no compiler makes, traps.
package dispatch

import (
	"slices"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
	"github.com/polyvoke/polyvoke/runtimes/module/edit"
)

// Report says what has been made of a module.
type Report struct {
	// Functions is how many functions had a dispatch loop, and Changed how many have none any more.
	Functions, Changed int
	// Jumps is how many jumps became branches.
	Jumps int
	// Loops is how many loops there are now in their place, and Entered how many of them can be entered in the middle.
	Loops, Entered int
	// Kept is how many instructions keep what a call through a table calls in a local of their own.
	Kept int
}

// Bounds of what is changed. A function beyond them stays as it is.
const (
	mostLocals   = 64
	mostSegments = 1 << 14
)

// Found reports whether a module may have functions of that form: whether Go's linker has made it.
func Found(m *module.Module) bool {
	return slices.ContainsFunc(m.Custom, func(s module.Custom) bool { return s.Name == "go:buildid" })
}

// Lower takes the dispatch loops out of a binary. What it returns has the sections and functions of the binary, and may
// exceed the limits in how large functions are and how deep blocks are nested.
//
// # Errors
//
// A *module.Error says that the binary is malformed or exceeds the limits.
func Lower(b []byte, l module.Limits) ([]byte, *Report, error) {
	m, err := edit.Open(b, l)
	if err != nil {
		return nil, nil, err
	}
	r := Apply(m)
	return m.Encode(), r, nil
}

// Apply changes the functions of a module that was opened without imports to add. It needs time and memory about in
// proportion to the module.
func Apply(m *edit.Module) *Report {
	w := &work{m: m, types: m.Info.FunctionTypes()[m.Info.ImportedFunctions():], left: 2*m.Info.Size + 1<<18}
	for f, b := range m.Bodies() {
		if !w.shaped(f) || b.Locals+1 > mostLocals {
			continue
		}
		w.function(f, b)
	}
	return &w.report
}

// work is the work on one module.
type work struct {
	m      *edit.Module
	types  []uint32
	reader code.Reader
	left   int // steps that may still be taken
	report Report
}

// shaped reports whether a function has the type of those with a dispatch loop: (i32) -> (i32).
func (w *work) shaped(f int) bool {
	t := w.m.Info.Types()[w.types[f]]
	return len(t.Params) == 1 && t.Params[0] == module.I32 && len(t.Results) == 1 && t.Results[0] == module.I32
}

// function changes one function, if it can.
func (w *work) function(f int, b edit.Body) {
	p := parser{b: w.m.Bytes()}
	w.m.Instructions(&w.reader, b)
	if !p.parse(&w.reader) {
		return
	}
	w.report.Functions++
	g, ok := p.graph(&w.left)
	if !ok {
		return
	}
	w.report.Changed++
	for i := range p.segments {
		w.report.Jumps += len(p.segments[i].jumps)
	}
	w.report.Loops += g.loops
	w.report.Entered += len(g.heads)
	w.report.Kept += p.keeps
	w.m.SetBody(f, g.emit(b))
}
