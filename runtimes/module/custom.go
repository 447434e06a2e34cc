package module

// Custom is a custom section: something that a tool left in the module.
type Custom struct {
	// Name is what the section is called, such as "name" or "producers".
	Name string
	// Size is how many bytes it holds, its name not counted.
	Size int
}

// readCustom reads a custom section. The section "name" is checked because engines read it.
func (m *Module) readCustom(c *cursor) {
	start := c.pos
	name := c.name("the section's name")
	if !c.ok() {
		return
	}
	if len(m.Custom) == maxCustoms {
		c.failAt(start, "more custom sections than the %d allowed", maxCustoms)
		return
	}
	m.Custom = append(m.Custom, Custom{Name: name, Size: c.left()})
	switch name {
	case "name":
		if m.named {
			c.failAt(start, "two custom sections are called %q", name)
			return
		}
		m.named = true
		c.section = "name"
		c.readNames()
	case "producers":
		m.signs.readProducers(*c)
	}
	c.pos = c.end
}

// readNames reads the section "name": subsections for the module (0), for functions (1) and
// for their locals (2); others are passed over.
func (c *cursor) readNames() {
	for c.ok() && c.left() > 0 {
		id := c.byte("a subsection")
		s := c.part("a subsection")
		switch {
		case !s.ok():
		case id == 0:
			s.name("the module's name")
		case id == 1:
			s.readNameMap("functions")
		case id == 2:
			n := s.count("functions", 2, maxSection)
			for i := 0; i < n && s.ok(); i++ {
				s.u32("a function's index")
				s.readNameMap("locals")
			}
		default:
			s.pos = s.end
		}
		c.finish(&s, "a subsection")
	}
}

// readNameMap reads pairs of an index and a name.
func (c *cursor) readNameMap(what string) {
	n := c.count("names of "+what, 2, maxSection)
	for i := 0; i < n && c.ok(); i++ {
		c.u32("an index")
		c.name("a name")
	}
}
