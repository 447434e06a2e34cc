// Package inspect says what is in a module: what it wants and offers, what it can change, what metering makes
// of it, and whether it can be a function. In go a file's bytes; out comes a [Report] for
// programs and for people. Nothing of the module runs, but for what [Report.Try] says.
package inspect

import (
	"context"
	"errors"
	"fmt"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/opens"
	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
)

// Report is what is known about a file, in the names of its JSON. Sizes are in bytes.
type Report struct {
	File     string    `json:"file"`
	Size     int64     `json:"size"`
	Digest   string    `json:"digest"`
	Language string    `json:"language,omitempty"`
	Runnable bool      `json:"runnable"`
	Problem  string    `json:"problem,omitempty"` // why it is not
	Memory   *Memory   `json:"memory,omitempty"`
	Tables   []string  `json:"tables"`
	Imports  []Item    `json:"imports"`
	Exports  []Item    `json:"exports"`
	Custom   []Section `json:"custom"`
	Analysis *Analysis `json:"analysis,omitempty"` // of a well-formed module
	Metering *Metering `json:"metering,omitempty"` // of a module that can be a function
	Optimize int       `json:"optimize"`           // the level of optimization that was asked for
	Dispatch *Dispatch `json:"dispatch,omitempty"` // of one whose jumps become branches
	Address  *Address  `json:"address,omitempty"`  // of one whose uses of its frame are made plain
	Start    *Start    `json:"start,omitempty"`    // of one that was tried
	Opens    []string  `json:"opens"`              // folders of grants that strings in its data name, and those of Opened
	Opened   []string  `json:"opened,omitempty"`   // those that it has opened when it was run with an empty request
	Limit    Limit     `json:"limit"`
}

// Limit is how large a module may be.
type Limit struct {
	Size int64  `json:"size"`
	Of   string `json:"of,omitempty"` // the NATS whose invoker says so; empty: it is the default, since none was asked
}

// Compare takes note of how large a module may be. The error says that the invoker that was asked would refuse this
// one. What is larger than the default may be deployed where --max-module allows it.
func (r *Report) Compare(l Limit) error {
	r.Limit = l
	if r.Size <= l.Size || l.Of == "" || !r.Runnable {
		return nil
	}
	r.Runnable = false
	r.Problem = fmt.Sprintf("the module has %d bytes, and the invoker on %s takes at most %d (%s): make it smaller "+
		"(strip its symbols), or start that invoker with %s", r.Size, l.Of, l.Size, protocol.Size(l.Size), r.flag())
	return errors.New(r.Problem)
}

// flag returns what polyvoke serve needs to take the module.
func (r *Report) flag() string { return fmt.Sprintf("--max-module %dMiB", (r.Size+1<<20-1)>>20) }

// Dispatch is what becomes of functions that Go's compiler makes, see package dispatch.
type Dispatch struct {
	Functions int `json:"functions"` // that jump by a number
	Changed   int `json:"changed"`   // those of them that do not any more
	Jumps     int `json:"jumps"`     // that have become branches
	Loops     int `json:"loops"`     // that there are now
}

// Address is what becomes of addresses that Go's compiler makes, see package address.
type Address struct {
	Functions int `json:"functions"` // that have changed
	Offsets   int `json:"offsets"`   // sums that have become offsets
	Ahead     int `json:"ahead"`     // places where the highest use of a frame is asked for first
	Ends      int `json:"ends"`      // calls that never come back
}

// Memory is the linear memory.
type Memory struct {
	Min   uint64 `json:"min"`
	Max   uint64 `json:"max,omitempty"` // 0: the module names none
	Grows bool   `json:"grows"`         // it has an instruction for that
}

// Item is an import or an export.
type Item struct {
	Module string `json:"module,omitempty"`
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Type   string `json:"type,omitempty"`
}

// Section is a custom section.
type Section struct {
	Name string `json:"name"`
	Size int    `json:"size"`
}

// Analysis is what the module's code can change besides the contents of its memory.
type Analysis struct {
	Functions   int      `json:"functions"`     // that it defines
	Start       bool     `json:"startFunction"` // one runs before the entry
	Globals     Globals  `json:"mutableGlobals"`
	TableWrites bool     `json:"tableWrites"`
	Drops       bool     `json:"segmentDrops"`
	Exceptions  bool     `json:"exceptions"`
	Obstacles   []string `json:"obstacles"` // to putting an instance back to its beginning
}

// Globals is how many mutable globals there are of each kind.
type Globals struct {
	Numbers    int `json:"numbers"`
	Vectors    int `json:"vectors"`
	References int `json:"references"`
	Imported   int `json:"imported"`
}

// Metering is what it takes to bound the module's work.
type Metering struct {
	Before  int   `json:"before"`  // size of the module as it would run without, custom sections left out
	After   int   `json:"after"`   // and with it
	Entries int   `json:"entries"` // function entries that are charged
	Loops   int   `json:"loops"`   // loop heads that are charged
	Bulk    int   `json:"bulk"`    // bulk operations that are done in pieces
	Longest int64 `json:"longest"` // the largest charge, in fuel
	Bounded int   `json:"bounded"` // functions that take from the stack's limit
}

// Start is how the module's processes come to be.
type Start struct {
	Kind   string `json:"kind"`
	Reason string `json:"reason"`
}

// limits are those of any invoker: how large a module may be differs.
func limits() module.Limits { return module.Limits{Size: int(protocol.MaxModule)} }

// Inspect describes the module b, which was read from a file, at one of the levels of optimization of package protocol.
// problem is why it cannot be a function; the report then has what could be found out.
func Inspect(file string, b []byte, optimize int) (r *Report, problem error) {
	r = &Report{
		Optimize: optimize,
		File:     file, Size: int64(len(b)), Digest: protocol.Digest(b), Limit: Limit{Size: int64(protocol.DefaultModule)},
		Opens: []string{}, Tables: []string{}, Imports: []Item{}, Exports: []Item{}, Custom: []Section{},
	}
	m, err := limits().Parse(b)
	if err == nil {
		r.describe(m)
		r.Opens = append(r.Opens, opens.InModule(b)...)
		err = m.CheckProcess()
	}
	if err == nil {
		r.Metering, err = r.measure(b)
	}
	if err != nil {
		r.Problem = err.Error()
	}
	r.Runnable = err == nil
	return r, err
}

// Try compiles the module b, which is the report's, and finds out how its processes come to be. Runtimes that start
// processes in advance run one up to where it reads stdin; and it is run with an empty request, for at most two
// seconds, so that Opened says what it opens. If the runtime refuses the module, it cannot be a
// function, and the error says why; it is a *runtimes.ModuleError. Other errors say that it could not be tried.
func (r *Report) Try(ctx context.Context, rt runtimes.Runtime, b []byte, name string) error {
	p, err := rt.Compile(ctx, b, runtimes.Options{Args: []string{name},
		Optimize: runtimes.OptimizeNone - runtimes.Optimization(r.Optimize)})
	if err != nil {
		var refused *runtimes.ModuleError
		if errors.As(err, &refused) {
			r.Runnable, r.Problem = false, refused.Reason
		}
		return err
	}
	s := p.Start()
	r.Start = &Start{s.Kind, s.Reason}
	return errors.Join(p.Close(ctx), r.watch(ctx, rt, b, name))
}

// describe takes over what a well-formed module says about itself.
func (r *Report) describe(m *module.Module) {
	r.Language = m.Language()
	for _, im := range m.Imports {
		r.Imports = append(r.Imports, Item{im.Module, im.Name, im.Kind.String(), im.Signature})
	}
	for _, ex := range m.Exports {
		r.Exports = append(r.Exports, Item{"", ex.Name, ex.Kind.String(), ex.Signature})
	}
	for _, s := range m.Custom {
		r.Custom = append(r.Custom, Section{s.Name, s.Size})
	}
	for _, t := range m.Tables {
		r.Tables = append(r.Tables, t.String())
	}
	a := &m.Analysis
	for _, memory := range m.Memories {
		r.Memory = &Memory{uint64(memory.Min) * module.PageSize, uint64(memory.Max) * module.PageSize, a.Grows}
	}
	r.Analysis = &Analysis{
		Functions: m.Functions, Start: m.Start, TableWrites: a.TableWrites, Drops: a.Drops, Exceptions: a.Exceptions,
		Globals:   Globals{len(a.Numbers), a.Vectors, a.Held, a.Imported},
		Obstacles: append([]string{}, a.Obstacles()...),
	}
}

// measure rewrites the module, as the sandbox does, and compares. An error says why that is not possible.
func (r *Report) measure(b []byte) (*Metering, error) {
	_, without, err := rewrite.Rewrite(b, rewrite.Options{Unmetered: true, Limits: limits()})
	if err != nil {
		return nil, err
	}
	o := rewrite.Options{Stack: int32(runtimes.DefaultStack), Limits: limits()}
	o.Optimize(r.Optimize)
	_, with, err := rewrite.Rewrite(b, o)
	if err != nil {
		return nil, err
	}
	m := with.Meter
	if d := with.Dispatch; d != nil {
		r.Dispatch = &Dispatch{d.Functions, d.Changed, d.Jumps, d.Loops}
	}
	if a := with.Address; a != nil {
		r.Address = &Address{a.Functions, a.Offsets, a.Ahead, a.Ends}
	}
	return &Metering{Before: without.Size, After: with.Size, Entries: m.Entries, Loops: m.Loops, Bulk: m.Bulk,
		Longest: m.Longest, Bounded: m.Recursive}, nil
}
