// Package fingerprint finds the functions of a module again after an edit of its sources. In goes a binary; out comes a
// number for each function, which stays when all that has changed is where things are.
//
// A compiler that builds a program anew puts data at other addresses and gives functions other indices, and writes
// both into the code. So a function is recognized by its instructions, and by which of its own locals and labels they
// name. Constants, addresses and indices of anything outside do not count: functions that differ in nothing else have
// the same shape.
package fingerprint

import (
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
	"github.com/polyvoke/polyvoke/runtimes/module/edit"
)

// Shape tells a function from those that do something else, nearly always.
type Shape uint64

// Function is a function that a module defines.
type Function struct {
	Shape Shape
	// Calls are the functions that the module defines which it calls directly, counted from 0.
	Calls []int
}

// Of returns the functions that a module defines, in their order.
//
// # Errors
//
// A *module.Error says that the module is malformed, or more than the limits allow.
func Of(b []byte, limits module.Limits) ([]Function, error) {
	m, err := edit.Open(b, limits)
	if err != nil {
		return nil, err
	}
	var r code.Reader
	list := make([]Function, len(m.Bodies()))
	for i, body := range m.Bodies() {
		m.Instructions(&r, body)
		list[i] = of(&r, body.Locals, m.Info.ImportedFunctions())
	}
	return list, nil
}

// of returns a function with a number of locals, in a module that imports a number of functions.
func of(r *code.Reader, locals uint32, imported int) (f Function) {
	s := Shape(offset).with(locals)
	var in code.Instruction
	for r.Next(&in) {
		s = s.with(uint32(in.Op))
		switch in.Op {
		case code.LocalGet, code.LocalSet, code.LocalTee, code.Br, code.BrIf:
			s = s.with(in.X)
		case code.Call, code.ReturnCall:
			if i := int(in.X) - imported; i >= 0 {
				f.Calls = append(f.Calls, i)
			}
		case code.BrTable:
			for _, l := range in.Labels {
				s = s.with(l)
			}
		}
	}
	f.Shape = s
	return f
}

// The numbers of FNV-1a.
const (
	offset = 14695981039346656037
	prime  = 1099511628211
)

// with returns what a shape becomes by one more number.
func (s Shape) with(v uint32) Shape { return (s ^ Shape(v)) * prime }
