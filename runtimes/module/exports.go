package module

// Export is something that a module offers.
type Export struct {
	// Name is what it is called.
	Name string
	// Kind says what kind of thing it is.
	Kind Kind
	// Signature is its type as text, as for an [Import].
	Signature string
	// Index is which of its kind it is, imported ones counted first.
	Index uint32
}

// readExports reads the export section.
func (m *Module) readExports(c *cursor) {
	n := c.count("exports", 3, maxExports)
	m.Exports = make([]Export, 0, n)
	seen := make(map[string]bool, n)
	for i := 0; i < n && c.ok(); i++ {
		start := c.pos
		e := Export{Name: c.name("the export's name"), Kind: Kind(c.byte("the export's kind"))}
		e.Index = c.u32("the export's index")
		e.Signature = m.exported(c, e.Kind, e.Index)
		if c.ok() && seen[e.Name] {
			c.failAt(start, "two exports are called %q", e.Name)
		}
		seen[e.Name] = true
		m.Exports = append(m.Exports, e)
	}
}

// exported checks the index of an export and returns its type as text.
func (m *Module) exported(c *cursor, k Kind, i uint32) string {
	if !c.ok() {
		return ""
	}
	index := int64(i)
	switch {
	case k == FunctionKind && index < int64(len(m.functions)):
		return m.typeText(m.functions[i])
	case k == TableKind && index < int64(len(m.Tables)):
		return m.Tables[i].String()
	case k == MemoryKind && index < int64(len(m.Memories)):
		return m.Memories[i].String()
	case k == GlobalKind && index < int64(len(m.globals)):
		return m.globals[i].String()
	case k == TagKind && index < int64(len(m.tags)):
		return "tag"
	case k.String() == "":
		c.fail("unknown kind of export %#02x", byte(k))
	default:
		c.fail("there is no %v %d to export", k, i)
	}
	return ""
}

// export returns the export with a name.
func (m *Module) export(name string) (Export, bool) {
	for _, e := range m.Exports {
		if e.Name == name {
			return e, true
		}
	}
	return Export{}, false
}
