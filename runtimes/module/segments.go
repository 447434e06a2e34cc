package module

// readElements reads the element section: what the tables are filled with.
func (m *Module) readElements(c *cursor) {
	m.Elements = c.count("element segments", 2, maxElements)
	for i := 0; i < m.Elements && c.ok(); i++ {
		m.readElement(c)
	}
}

// readElement reads one element segment. The three bits of its flags say that it is not active
// (1), that a table or a kind is given (2), and that its entries are expressions (4).
func (m *Module) readElement(c *cursor) {
	start := c.pos
	flags := c.u32("the flags of an element segment")
	if flags > 7 {
		c.failAt(start, "unknown flags %d of an element segment", flags)
		return
	}
	if flags&1 == 0 {
		m.readTableOffset(c, flags&2 != 0)
	}
	switch {
	case flags&3 == 0: // functions for table 0, as in WebAssembly 1.0
	case flags&4 != 0:
		c.referenceType()
	default:
		start := c.pos
		if k := c.byte("the kind of an element segment"); c.ok() && k != 0 {
			c.failAt(start, "unknown kind %#02x of an element segment", k)
		}
	}
	if flags&4 != 0 {
		n := m.countElements(c, 2)
		for i := 0; i < n && c.ok(); i++ {
			m.constant(c)
		}
		return
	}
	n := m.countElements(c, 1)
	for i := 0; i < n && c.ok(); i++ {
		m.readFunctionIndex(c)
	}
}

// countElements reads how many elements a segment has, each of at least a number of bytes.
func (m *Module) countElements(c *cursor, least int) int {
	start := c.pos
	n := c.count("elements", least, maxSection)
	if m.elements += n; m.elements > m.limits.Elements {
		c.failAt(start, "the element segments together have more than the %d elements allowed", m.limits.Elements)
		return 0
	}
	return n
}

// readTableOffset reads where in which table an active segment goes.
func (m *Module) readTableOffset(c *cursor, named bool) {
	start := c.pos
	var table uint32
	if named {
		table = c.u32("a table's index")
	}
	if c.ok() && int64(table) >= int64(len(m.Tables)) {
		c.failAt(start, "there is no table %d", table)
	}
	m.constant(c)
}

// readData reads the data section: what the memory is filled with.
func (m *Module) readData(c *cursor) {
	m.Data = c.count("data segments", 2, m.limits.Data)
	for i := 0; i < m.Data && c.ok(); i++ {
		m.readSegment(c)
	}
}

// readSegment reads one data segment.
func (m *Module) readSegment(c *cursor) {
	start := c.pos
	flags := c.u32("the flags of a data segment")
	if flags > 2 {
		c.failAt(start, "unknown flags %d of a data segment", flags)
		return
	}
	if flags != 1 {
		var memory uint32
		if flags == 2 {
			memory = c.u32("a memory's index")
		}
		if c.ok() && int64(memory) >= int64(len(m.Memories)) {
			c.failAt(start, "there is no memory %d", memory)
		}
		m.constant(c)
	}
	p := c.bytes(c.count("bytes of data", 1, maxSection), "data")
	m.DataBytes += len(p)
	m.signs.look(p)
}
