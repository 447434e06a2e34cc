package module

import "fmt"

// Error says what is wrong with a module and where. Its text is meant for the author of
// the module.
type Error struct {
	// Section is the section that the fault is in, by the specification's name for it: "type",
	// "import", "code" and so on. Empty means the header, the end, or the module as a whole.
	Section string
	// Offset is where in the file, in bytes, the fault was seen. 0 is also for the module as a whole.
	Offset int
	// Msg is what is wrong and, where it is known, what to do about it.
	Msg string
}

// Error returns section, offset and message in one line, or the message alone if it is about the whole.
func (e *Error) Error() string {
	switch {
	case e.Section == "" && e.Offset == 0:
		return e.Msg
	case e.Section == "":
		return fmt.Sprintf("wasm module, offset %d: %s", e.Offset, e.Msg)
	}
	return fmt.Sprintf("wasm module, %s section, offset %d: %s", e.Section, e.Offset, e.Msg)
}
