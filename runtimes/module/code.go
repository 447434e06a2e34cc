package module

// readCode reads the code section.
func (m *Module) readCode(c *cursor) {
	m.bodies = c.count("function bodies", 3, m.limits.Functions)
	if m.bodies != m.Functions {
		c.fail("%d functions are declared, but there are %d bodies", m.Functions, m.bodies)
	}
	w := &walker{m: m}
	for i := 0; i < m.bodies && c.ok(); i++ {
		body := c.part("a function body")
		w.params = len(m.types[m.functions[len(m.functions)-m.Functions+i]].Params)
		w.readBody(&body)
		c.finish(&body, "a function body")
	}
}

// readBody reads one function body.
func (w *walker) readBody(c *cursor) {
	if c.left() > w.m.limits.Body {
		c.fail("a function body of %d bytes is larger than the %d allowed", c.left(), w.m.limits.Body)
		return
	}
	w.locals = int64(w.params) + w.readLocals(c)
	if c.ok() {
		w.walk(c)
	}
}

// readLocals reads the locals of a function and returns how many there are.
func (w *walker) readLocals(c *cursor) int64 {
	l := &w.m.limits
	groups := c.count("groups of locals", 2, maxSection)
	total := int64(0)
	for i := 0; i < groups && c.ok(); i++ {
		start := c.pos
		total += int64(c.u32("a number of locals"))
		if total > int64(l.Locals) {
			c.failAt(start, "a function with %d locals has more than the %d allowed", total, l.Locals)
		}
		c.valueType()
	}
	if w.all += total; c.ok() && w.all > int64(l.AllLocals) {
		c.fail("the functions together have more locals than the %d allowed", l.AllLocals)
	}
	return total
}
