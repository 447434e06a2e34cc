package module

import "strings"

// ValueType is the type of a value, in its binary encoding.
type ValueType byte

// The value types of WebAssembly 2.0, and the reference to an exception.
const (
	I32       ValueType = 0x7f
	I64       ValueType = 0x7e
	F32       ValueType = 0x7d
	F64       ValueType = 0x7c
	V128      ValueType = 0x7b
	FuncRef   ValueType = 0x70
	ExternRef ValueType = 0x6f
	ExnRef    ValueType = 0x69
)

// String returns the type's name in the text format, or "" if there is no such type.
func (t ValueType) String() string {
	switch t {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case F32:
		return "f32"
	case F64:
		return "f64"
	case V128:
		return "v128"
	case FuncRef:
		return "funcref"
	case ExternRef:
		return "externref"
	case ExnRef:
		return "exnref"
	}
	return ""
}

// isReference reports whether values of the type can be in a table.
func (t ValueType) isReference() bool { return t == FuncRef || t == ExternRef || t == ExnRef }

// FuncType is the type of a function.
type FuncType struct {
	Params, Results []ValueType
}

// String returns the type in the form "(i32, i64) -> (i32)".
func (t FuncType) String() string {
	var b strings.Builder
	for i, list := range [][]ValueType{t.Params, t.Results} {
		if i == 1 {
			b.WriteString(" -> ")
		}
		b.WriteByte('(')
		for j, v := range list {
			if j > 0 {
				b.WriteString(", ")
			}
			b.WriteString(v.String())
		}
		b.WriteByte(')')
	}
	return b.String()
}

// readTypes reads the type section.
func (m *Module) readTypes(c *cursor) {
	n := c.count("types", 3, maxTypes)
	m.types = make([]FuncType, 0, n)
	for i := 0; i < n && c.ok(); i++ {
		start := c.pos
		switch form := c.byte("a type"); form {
		case 0x60:
			params := c.valueTypes("parameters", m.limits.Values)
			m.types = append(m.types, FuncType{params, c.valueTypes("results", m.limits.Values)})
		case 0x4e, 0x4f, 0x50, 0x5e, 0x5f:
			c.failAt(start, "type %d belongs to garbage collection (WasmGC), which is not supported: "+
				"choose a target of the compiler that uses linear memory", i)
		default:
			c.failAt(start, "type %d has the unknown form %#02x", i, form)
		}
	}
}

// valueTypes reads the types of parameters or results.
func (c *cursor) valueTypes(what string, most int) []ValueType {
	n := c.count(what, 1, most)
	if n == 0 {
		return nil
	}
	list := make([]ValueType, 0, n)
	for i := 0; i < n && c.ok(); i++ {
		list = append(list, c.valueType())
	}
	return list
}

// valueType reads one type.
func (c *cursor) valueType() ValueType {
	start := c.pos
	t := ValueType(c.byte("a value type"))
	switch {
	case !c.ok():
	case t == 0x40 || t == 0x63 || t == 0x64: // the first introduces a table with an initial value
		c.failAt(start, "typed function references are not supported")
	case t.String() == "":
		c.failAt(start, "unknown value type %#02x", byte(t))
	}
	return t
}

// referenceType reads a type that can be in a table.
func (c *cursor) referenceType() ValueType {
	start := c.pos
	t := c.valueType()
	if c.ok() && !t.isReference() {
		c.failAt(start, "%v is not a reference type", t)
	}
	return t
}
