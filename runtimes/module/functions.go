package module

// readFunctions reads the function section: the types of the functions that the module defines.
func (m *Module) readFunctions(c *cursor) {
	m.Functions = c.count("functions", 1, m.limits.Functions)
	if m.functions == nil {
		m.functions = make([]uint32, 0, m.Functions)
	}
	for i := 0; i < m.Functions && c.ok(); i++ {
		m.readFunction(c)
	}
}

// readFunction reads the type index of a function, adds the function and returns the index.
func (m *Module) readFunction(c *cursor) uint32 {
	t := m.readTypeIndex(c)
	m.functions = append(m.functions, t)
	return t
}

// readTypeIndex reads the index of a type that must exist.
func (m *Module) readTypeIndex(c *cursor) uint32 {
	start := c.pos
	t := c.u32("a type's index")
	if c.ok() && int64(t) >= int64(len(m.types)) {
		c.failAt(start, "there is no type %d", t)
	}
	return t
}

// typeText returns a type as text. Each text is made once, however many functions have the type.
func (m *Module) typeText(t uint32) string {
	if int64(t) >= int64(len(m.types)) {
		return "" // a fault has been recorded
	}
	if m.texts == nil {
		m.texts = make([]string, len(m.types))
	}
	if m.texts[t] == "" {
		m.texts[t] = m.types[t].String()
	}
	return m.texts[t]
}

// readTags reads the tag section: the types of exceptions.
func (m *Module) readTags(c *cursor) {
	n := c.count("tags", 2, maxTags)
	for i := 0; i < n && c.ok(); i++ {
		m.readTag(c)
	}
}

// readTag reads one tag and returns the index of its type.
func (m *Module) readTag(c *cursor) uint32 {
	start := c.pos
	if a := c.byte("the tag's attribute"); c.ok() && a != 0 {
		c.failAt(start, "unknown attribute %#02x of a tag", a)
	}
	t := m.readTypeIndex(c)
	m.tags = append(m.tags, t)
	return t
}

// readStart reads the start section.
func (m *Module) readStart(c *cursor) {
	start := c.pos
	i := c.u32("the start function")
	switch {
	case !c.ok():
	case int64(i) >= int64(len(m.functions)):
		c.failAt(start, "there is no function %d to start", i)
	case m.typeText(m.functions[i]) != "() -> ()":
		c.failAt(start, "the start function must be of type () -> ()")
	}
	m.Start = true
}
