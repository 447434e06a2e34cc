package module

import "fmt"

// PageSize is the unit of linear memory in bytes.
const PageSize = 65536

// Memory is a linear memory.
type Memory struct {
	// Min is its size to begin with, in pages.
	Min uint32
	// Max is its largest size in pages, if HasMax.
	Max uint32
	// HasMax reports whether the module names a largest size.
	HasMax bool
	// Shared reports whether threads may share the memory, which then has a largest size.
	Shared bool
	// Imported reports whether the memory comes from outside.
	Imported bool
}

// String returns the memory in the form "memory 1..10 pages" or "shared memory 1..10 pages".
func (m Memory) String() string {
	if m.Shared {
		return fmt.Sprintf("shared memory %d..%d pages", m.Min, m.Max)
	}
	if !m.HasMax {
		return fmt.Sprintf("memory %d.. pages", m.Min)
	}
	return fmt.Sprintf("memory %d..%d pages", m.Min, m.Max)
}

// Table is a table of references.
type Table struct {
	// Type is the type of the entries.
	Type ValueType
	// Min is how many entries it has to begin with.
	Min uint32
	// Max is how many it may have at most, if HasMax.
	Max uint32
	// HasMax reports whether the module names a largest size.
	HasMax bool
	// Imported reports whether the table comes from outside.
	Imported bool
}

// String returns the table in the form "table of funcref 1..10".
func (t Table) String() string {
	if !t.HasMax {
		return fmt.Sprintf("table of %v %d..", t.Type, t.Min)
	}
	return fmt.Sprintf("table of %v %d..%d", t.Type, t.Min, t.Max)
}

// readMemories reads the memory section.
func (m *Module) readMemories(c *cursor) {
	n := c.count("memories", 2, maxPages)
	for i := 0; i < n && c.ok(); i++ {
		m.Memories = append(m.Memories, m.readMemory(c))
	}
}

// readMemory reads the type of one memory.
func (m *Module) readMemory(c *cursor) (r Memory) {
	start := c.pos
	if len(m.Memories) > 0 {
		c.failAt(start, "a module with several memories is not supported")
		return r
	}
	r.Shared = c.left() > 0 && c.b[c.pos] == sharedLimits
	r.Min, r.Max, r.HasMax = c.limits("memory")
	if c.ok() && (r.Min > maxPages || r.Max > maxPages) {
		c.failAt(start, "a memory has %d pages at most, not %d", maxPages, max(r.Min, r.Max))
	}
	if c.ok() && int64(r.Min) > int64(m.limits.Pages) {
		c.failAt(start, "a memory of %d pages (%d KiB) to begin with is more than the %d allowed",
			r.Min, r.Min*(PageSize>>10), m.limits.Pages)
	}
	return r
}

// readTables reads the table section.
func (m *Module) readTables(c *cursor) {
	n := c.count("tables", 3, m.limits.Tables)
	for i := 0; i < n && c.ok(); i++ {
		m.Tables = append(m.Tables, m.readTable(c))
	}
}

// readTable reads the type of one table.
func (m *Module) readTable(c *cursor) (r Table) {
	start := c.pos
	r.Type = c.referenceType()
	r.Min, r.Max, r.HasMax = c.limits("table")
	switch {
	case !c.ok():
	case len(m.Tables) == m.limits.Tables:
		c.failAt(start, "more tables than the %d allowed", m.limits.Tables)
	case m.entries+int64(r.Min) > int64(m.limits.Entries):
		c.failAt(start, "tables of %d entries together are more than the %d allowed",
			m.entries+int64(r.Min), m.limits.Entries)
	}
	m.entries += int64(r.Min)
	return r
}

// sharedLimits is how the limits of a shared memory begin.
const sharedLimits = 3

// limits reads the smallest and the largest size of a memory or a table.
func (c *cursor) limits(what string) (least, most uint32, hasMost bool) {
	start := c.pos
	flags := c.byte("the limits of a " + what)
	switch {
	case !c.ok():
		return 0, 0, false
	case flags == 2:
		c.failAt(start, "a shared %s without a largest size", what)
	case flags == sharedLimits && what != "memory":
		c.failAt(start, "a shared %s is not supported", what)
	case flags >= 4 && flags <= 7:
		c.failAt(start, "a %s with 64-bit addresses is not supported; build for wasm32", what)
	case flags > sharedLimits:
		c.failAt(start, "unknown limits %#02x of a %s", flags, what)
	}
	least = c.u32("the smallest size")
	if flags&1 != 0 {
		most, hasMost = c.u32("the largest size"), true
	}
	if c.ok() && hasMost && most < least {
		c.failAt(start, "the largest size %d of a %s is below the smallest, %d", most, what, least)
	}
	return least, most, hasMost
}
