package module

// Types returns the types of the module in the order of their indices. They must not be changed.
func (m *Module) Types() []FuncType { return m.types }

// FunctionTypes returns the index of the type of each function, imported ones first. It must not be changed.
func (m *Module) FunctionTypes() []uint32 { return m.functions }

// TagTypes returns the index of the type of each tag, imported ones first. It must not be changed.
func (m *Module) TagTypes() []uint32 { return m.tags }

// GlobalType returns the type of a global, imported ones counted first.
func (m *Module) GlobalType(i int) ValueType { return m.globals[i].value }

// ImportedFunctions returns how many functions are imported. Their indices come first.
func (m *Module) ImportedFunctions() int { return len(m.functions) - m.Functions }

// ImportedGlobals returns how many globals are imported. Their indices come first.
func (m *Module) ImportedGlobals() int { return len(m.globals) - m.Globals }

// MaxLabels returns how many labels the br_table and try_table instructions of a function may have under
// the limits that the module was read with.
func (m *Module) MaxLabels() int { return m.limits.Labels }
