package module

// readCode reads the code section: the size and the locals of each function body, not its instructions.
func (m *Module) readCode(c *cursor) {
	m.bodies = c.count("function bodies", 3, maxFunctions)
	if m.bodies != m.Functions {
		c.fail("%d functions are declared, but there are %d bodies", m.Functions, m.bodies)
	}
	for i := 0; i < m.bodies && c.ok(); i++ {
		body := c.part("a function body")
		body.readBody()
		c.finish(&body, "a function body")
	}
}

// readBody reads one function body.
func (c *cursor) readBody() {
	if c.left() > maxBody {
		c.fail("a function body of %d bytes is larger than the %d allowed", c.left(), maxBody)
		return
	}
	groups := c.count("groups of locals", 2, maxLocals)
	total := int64(0)
	for i := 0; i < groups && c.ok(); i++ {
		start := c.pos
		total += int64(c.u32("a number of locals"))
		if total > maxLocals {
			c.failAt(start, "a function with %d locals has more than the %d allowed", total, maxLocals)
		}
		c.valueType()
	}
	if !c.ok() {
		return
	}
	if c.left() == 0 || c.b[c.end-1] != 0x0b {
		c.failAt(c.end, "a function body does not end with the instruction end")
	}
	c.pos = c.end
}
