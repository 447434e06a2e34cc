package module

import (
	"bytes"
	"strings"
)

// signs is what hints at the language that a module was written in.
type signs struct {
	producer string // from the section "producers"
	data     string // from strings that a compiler leaves in the data
}

// Language returns the language that the module was written in, such as "Go", "Rust" or "C++",
// or "" if nothing tells. It believes the custom section "producers", and where that was
// stripped looks for traces that only one compiler leaves. It is for display: nothing must depend on it.
func (m *Module) Language() string {
	for _, s := range m.Custom {
		if s.Name == "go:buildid" {
			return "Go"
		}
	}
	if m.signs.producer != "" {
		return m.signs.producer
	}
	return m.signs.data
}

// look looks for traces in a piece of data.
func (s *signs) look(p []byte) {
	if s.data != "" {
		return
	}
	for _, k := range []struct{ trace, language string }{
		{"/rustc/", "Rust"},
		{"~\x00l\x00i\x00b\x00/\x00r\x00t\x00/\x00", "AssemblyScript"},
	} {
		if bytes.Contains(p, []byte(k.trace)) {
			s.data = k.language
			return
		}
	}
}

// readProducers reads the section "producers" as the tool conventions describe it. What cannot be
// read is passed over: the section has no meaning for a run.
func (s *signs) readProducers(c cursor) {
	fields := c.count("fields", 2, 100)
	for i := 0; i < fields && c.ok(); i++ {
		field := c.name("a field")
		values := c.count("values", 2, 1000)
		for j := 0; j < values && c.ok(); j++ {
			value := c.name("a value")
			c.name("a version")
			if c.ok() && field == "language" {
				s.produced(plain(value))
			}
		}
	}
}

// produced takes down a language. C and C++ give way to others, whose libraries they are often in.
func (s *signs) produced(language string) {
	if s.producer == "" || s.producer == "C" || s.producer == "C++" && language != "C" {
		s.producer = language
	}
}

// plain returns the everyday name of a language, which LLVM names by its standard, as in "C11"
// and "C_plus_plus_14".
func plain(language string) string {
	switch {
	case strings.HasPrefix(language, "C_plus_plus"):
		return "C++"
	case len(language) >= 2 && language[0] == 'C' && language[1] >= '0' && language[1] <= '9':
		return "C"
	}
	return language
}
