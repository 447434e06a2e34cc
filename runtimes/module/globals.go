package module

// globalType is the type of a global.
type globalType struct {
	value   ValueType
	mutable bool
}

// String returns the type in the form "mut i32".
func (g globalType) String() string {
	if g.mutable {
		return "mut " + g.value.String()
	}
	return g.value.String()
}

// readGlobals reads the global section.
func (m *Module) readGlobals(c *cursor) {
	m.Globals = c.count("globals", 4, m.limits.Globals)
	for i := 0; i < m.Globals && c.ok(); i++ {
		g := c.globalType()
		m.constant(c)
		m.addGlobal(g, false)
	}
}

// globalType reads the type of a global.
func (c *cursor) globalType() (g globalType) {
	g.value = c.valueType()
	start := c.pos
	mut := c.byte("the global's mutability")
	if mut > 1 {
		c.failAt(start, "unknown mutability %#02x", mut)
	}
	g.mutable = mut == 1
	return g
}

// constant reads a constant expression: an initial value or an offset. Its types are not checked.
func (m *Module) constant(c *cursor) {
	for c.ok() {
		start := c.pos
		if m.constants++; m.constants > m.limits.Constants {
			c.failAt(start, "the constant expressions together have more than the %d instructions allowed", m.limits.Constants)
			return
		}
		switch op := c.byte("the end of a constant expression"); op {
		case 0x0b: // end
			return
		case 0x41: // i32.const
			c.signed(32, "an i32 constant")
		case 0x42: // i64.const
			c.signed(64, "an i64 constant")
		case 0x43: // f32.const
			c.bytes(4, "an f32 constant")
		case 0x44: // f64.const
			c.bytes(8, "an f64 constant")
		case 0x23: // global.get
			if i := c.u32("a global's index"); c.ok() && int64(i) >= int64(len(m.globals)) {
				c.failAt(start, "there is no global %d yet", i)
			}
		case 0xd0: // ref.null
			c.referenceType()
		case 0xd2: // ref.func
			m.readFunctionIndex(c)
		case 0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e: // add, sub and mul of i32 and i64
		case 0xfd: // v128.const
			if sub := c.u32("an instruction"); c.ok() && sub != 12 {
				c.failAt(start, "the instruction 0xfd %d is not constant", sub)
			}
			c.bytes(16, "a v128 constant")
		default:
			c.failAt(start, "the instruction %#02x is not constant", op)
		}
	}
}

// readFunctionIndex reads the index of a function that must exist.
func (m *Module) readFunctionIndex(c *cursor) {
	start := c.pos
	if i := c.u32("a function's index"); c.ok() && int64(i) >= int64(len(m.functions)) {
		c.failAt(start, "there is no function %d", i)
	}
}
