package module

// Kind is what an import or an export is.
type Kind byte

// The kinds of imports and exports, in their binary encoding.
const (
	FunctionKind Kind = iota
	TableKind
	MemoryKind
	GlobalKind
	TagKind
)

// String returns the kind's name: "function", "table", "memory", "global" or "tag".
func (k Kind) String() string {
	names := [...]string{"function", "table", "memory", "global", "tag"}
	if int(k) >= len(names) {
		return ""
	}
	return names[k]
}

// Import is something that a module wants from outside.
type Import struct {
	// Module and Name say what is wanted.
	Module, Name string
	// Kind says what kind of thing it is.
	Kind Kind
	// Signature is its type as text: "(i32, i32) -> (i32)" for a function, "memory 1..10 pages",
	// "table of funcref 1..", "i32" or "mut i32" for a global.
	Signature string

	offset int
	shared bool // it is a memory that is
}

// readImports reads the import section.
func (m *Module) readImports(c *cursor) {
	n := c.count("imports", 4, maxImports)
	m.Imports = make([]Import, 0, n)
	for i := 0; i < n && c.ok(); i++ {
		im := Import{offset: c.pos}
		im.Module = c.name("the import's module")
		im.Name = c.name("the import's name")
		im.Kind = Kind(c.byte("the import's kind"))
		im.Signature = m.readImported(c, im.Kind)
		im.shared = im.Kind == MemoryKind && c.ok() && m.Memories[0].Shared
		m.Imports = append(m.Imports, im)
	}
}

// readImported reads the type of an import, adds what is imported to its index space and
// returns the type as text.
func (m *Module) readImported(c *cursor, k Kind) string {
	start := c.pos
	switch k {
	case FunctionKind:
		return m.typeText(m.readFunction(c))
	case TableKind:
		t := m.readTable(c)
		t.Imported = true
		m.Tables = append(m.Tables, t)
		return t.String()
	case MemoryKind:
		t := m.readMemory(c)
		t.Imported = true
		m.Memories = append(m.Memories, t)
		return t.String()
	case GlobalKind:
		g := c.globalType()
		m.addGlobal(g, true)
		return g.String()
	case TagKind:
		return m.typeText(m.readTag(c))
	}
	c.failAt(start, "unknown kind of import %#02x", byte(k))
	return ""
}
