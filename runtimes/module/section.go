package module

// The ids of sections.
const (
	customSection = iota
	typeSection
	importSection
	functionSection
	tableSection
	memorySection
	globalSection
	exportSection
	startSection
	elementSection
	codeSection
	dataSection
	dataCountSection
	tagSection
)

// sectionName returns the specification's name of a section, or "" if there is none of that id.
func sectionName(id byte) string {
	names := [...]string{"custom", "type", "import", "function", "table", "memory", "global", "export", "start",
		"element", "code", "data", "data count", "tag"}
	if int(id) >= len(names) {
		return ""
	}
	return names[id]
}

// place gives a section its place in the order that the specification demands, which is not that of the ids.
func place(id byte) int {
	switch id {
	case tagSection:
		return 2*memorySection + 1
	case dataCountSection:
		return 2*elementSection + 1
	}
	return 2 * int(id)
}

// readSections reads all sections in turn.
func (m *Module) readSections(c *cursor) {
	last := 0
	for c.ok() && c.left() > 0 {
		start := c.pos
		c.section = ""
		id := c.byte("a section")
		c.section = sectionName(id)
		if c.section == "" {
			c.failAt(start, "there is no section with the id %d", id)
			return
		}
		if id != customSection {
			if place(id) <= last {
				c.failAt(start, "the section is repeated or out of order")
				return
			}
			last = place(id)
		}
		s := c.part("the section")
		if c.ok() {
			m.readSection(id, &s)
			c.finish(&s, "the section")
		}
	}
	c.section = ""
}

// readSection reads what is in one section.
func (m *Module) readSection(id byte, c *cursor) {
	switch id {
	case customSection:
		m.readCustom(c)
	case typeSection:
		m.readTypes(c)
	case importSection:
		m.readImports(c)
	case functionSection:
		m.readFunctions(c)
	case tableSection:
		m.readTables(c)
	case memorySection:
		m.readMemories(c)
	case tagSection:
		m.readTags(c)
	case globalSection:
		m.readGlobals(c)
	case exportSection:
		m.readExports(c)
	case startSection:
		m.readStart(c)
	case elementSection:
		m.readElements(c)
	case dataCountSection:
		m.dataCount = int(c.u32("the number of data segments"))
	case codeSection:
		m.readCode(c)
	case dataSection:
		m.readData(c)
	}
}
