package unwind

import (
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/code"
)

// operand is what a value on the stack is.
type operand byte

const (
	plain     operand = iota // no reference to an exception
	reference                // to an exception
	unknown                  // of code that is never reached
)

// operands follows what is on the stack of a function, as far as references to exceptions go. Where one is in the
// place of something else, the module is not valid. That must be seen here, since afterwards it may be.
type operands struct {
	w      *lowering
	f      uint32
	list   []operand
	scopes []scope
	locals []uint32 // where parameters and groups of locals end
	kinds  []operand
	top    operand // what the last drop or ref.is_null was of
	err    error
}

// scope is an open block.
type scope struct {
	op      code.Op
	typ     module.FuncType
	start   int  // of its operands in the list
	nowhere bool // what comes is never reached
}

// newOperands begins a function.
func newOperands(w *lowering, f uint32) *operands {
	t := w.m.Info.Types()[w.types[f]]
	o := &operands{w: w, f: f, scopes: []scope{{op: code.Block, typ: module.FuncType{Results: t.Results}}}}
	end := uint32(0)
	add := func(n uint32, t module.ValueType) {
		end += n
		o.locals, o.kinds = append(o.locals, end), append(o.kinds, kindOf(t))
	}
	for _, p := range t.Params {
		add(1, p)
	}
	w.groups(f, add)
	return o
}

// kindOf returns what a value of a type is.
func kindOf(t module.ValueType) operand {
	if t == module.ExnRef {
		return reference
	}
	return plain
}

// fail takes note that the module is not valid, or too much.
func (o *operands) fail(err error) {
	if o.err == nil {
		o.err = err
	}
}

// pop takes one operand.
func (o *operands) pop() operand {
	s := &o.scopes[len(o.scopes)-1]
	last := len(o.list) - 1
	if last < s.start {
		if !s.nowhere {
			o.fail(errOperands)
		}
		return unknown
	}
	k := o.list[last]
	o.list = o.list[:last]
	return k
}

// take takes operands that must be of a kind.
func (o *operands) take(n int, want operand) {
	for range n {
		if k := o.pop(); k != want && k != unknown {
			o.fail(errOperands)
		}
	}
}

// takeAll takes operands of some types.
func (o *operands) takeAll(list []module.ValueType) {
	for i := len(list) - 1; i >= 0 && o.spend(); i-- {
		o.take(1, kindOf(list[i]))
	}
}

// putAll puts operands of some types on the stack.
func (o *operands) putAll(list []module.ValueType) {
	for i := 0; i < len(list) && o.spend(); i++ {
		o.put(kindOf(list[i]))
	}
}

// spend counts the operands of what has many, so that few bytes cannot ask for much.
func (o *operands) spend() bool {
	if o.w.steps--; o.w.steps < 0 {
		o.fail(errSize)
	}
	return o.err == nil
}

func (o *operands) put(list ...operand) { o.list = append(o.list, list...) }

// leave takes note that what comes is not reached from here.
func (o *operands) leave() {
	s := &o.scopes[len(o.scopes)-1]
	o.list, s.nowhere = o.list[:s.start], true
}

// open begins a block.
func (o *operands) open(in *code.Instruction) {
	if in.Op == code.If {
		o.take(1, plain)
	}
	s := scope{op: in.Op}
	switch {
	case in.Value >= 0:
		s.typ = o.w.m.Info.Types()[in.Value]
	case in.Value != noType:
		s.typ.Results = []module.ValueType{module.ValueType(in.Value + 128)}
	}
	o.takeAll(s.typ.Params)
	s.start = len(o.list)
	o.scopes = append(o.scopes, s)
	o.putAll(s.typ.Params)
}

// turn goes on behind an else.
func (o *operands) turn() {
	s := o.end()
	s.op, s.nowhere = code.Else, false
	o.putAll(s.typ.Params)
}

// end ends what is in a block, whose results must be all that there is.
func (o *operands) end() *scope {
	s := &o.scopes[len(o.scopes)-1]
	o.takeAll(s.typ.Results)
	if len(o.list) != s.start {
		o.fail(errOperands)
	}
	return s
}

// close closes a block. Where there is no else, parameters are results.
func (o *operands) close() {
	s := o.end()
	if s.op == code.If {
		s.nowhere = false
		o.putAll(s.typ.Params)
		o.end()
	}
	o.scopes = o.scopes[:len(o.scopes)-1]
	if len(o.scopes) > 0 {
		o.putAll(s.typ.Results)
	}
}

// label returns what a branch to a label takes.
func (o *operands) label(l uint32) []module.ValueType {
	s := &o.scopes[len(o.scopes)-1-int(l)]
	if s.op == code.Loop {
		return s.typ.Params
	}
	return s.typ.Results
}

// local returns what a local is.
func (o *operands) local(l uint32) operand {
	low, high := 0, len(o.locals)
	for low < high {
		if middle := (low + high) / 2; o.locals[middle] > l {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return o.kinds[low]
}

// follow takes note of an instruction.
func (o *operands) follow(in *code.Instruction) error {
	switch op := in.Op; {
	case op.Opens():
		o.open(in)
	case op == code.Else:
		o.turn()
	case op == code.End:
		o.close()
	case op >= code.Br && op <= code.BrTable:
		o.branch(in)
	case op.IsCall():
		o.call(in)
	case op >= code.LocalGet && op <= code.LocalTee:
		o.variable(in)
	case op == code.Drop:
		o.top = o.pop()
	case op == code.SelectType || op == code.RefNull || op == code.RefIsNull:
		o.named(in)
	case op == code.Return:
		o.takeAll(o.scopes[0].typ.Results)
	case op == code.Throw:
		o.takeAll(o.w.params(in.X))
	case op == code.ThrowRef:
		o.take(1, reference)
	default:
		takes, puts := op.Effect()
		o.take(takes, plain)
		for range puts {
			o.put(plain)
		}
	}
	if in.Op.Leaves() {
		o.leave()
	}
	return o.err
}

// branch takes note of a branch.
func (o *operands) branch(in *code.Instruction) {
	if in.Op == code.Br {
		o.takeAll(o.label(in.X))
		return
	}
	o.take(1, plain)
	labels := in.Labels
	if in.Op == code.BrIf {
		labels = []uint32{in.X}
	}
	for _, l := range labels {
		list := o.label(l)
		o.takeAll(list)
		o.putAll(list)
	}
}

// call takes note of a call.
func (o *operands) call(in *code.Instruction) {
	var t uint32
	if in.Op.IsIndirect() {
		o.take(1, plain)
		t = in.X
	} else {
		t = o.w.m.Info.FunctionTypes()[in.X]
	}
	of := o.w.m.Info.Types()[t]
	o.takeAll(of.Params)
	o.putAll(of.Results)
	if in.Op.IsTailCall() {
		o.takeAll(o.scopes[0].typ.Results)
	}
}

// variable takes note of what is done with a local.
func (o *operands) variable(in *code.Instruction) {
	k := o.local(in.X)
	if in.Op != code.LocalGet {
		o.take(1, k)
	}
	if in.Op != code.LocalSet {
		o.put(k)
	}
}

// named takes note of an instruction that is about a type.
func (o *operands) named(in *code.Instruction) {
	k := plain
	if o.w.namesReference(in) {
		k = reference
	}
	switch in.Op {
	case code.RefIsNull:
		o.top = o.pop()
		o.put(plain)
	case code.RefNull:
		o.put(k)
	default: // a select, which the engine does not know for references to exceptions
		if o.take(3, plain); k == reference {
			o.fail(errOperands)
		}
		o.put(plain)
	}
}
