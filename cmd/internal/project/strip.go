package project

import (
	"fmt"
	"slices"
	"strings"

	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/leb"
)

// Stripped is what was taken out of a module.
type Stripped struct {
	Bytes    int      `json:"bytes"`
	Sections []string `json:"sections"` // names of custom sections
}

// String says so in words; it is empty if nothing was.
func (s Stripped) String() string {
	if s.Bytes == 0 {
		return ""
	}
	return fmt.Sprintf("%s of %s stripped", terminal.Bytes(int64(s.Bytes)), strings.Join(s.Sections, ", "))
}

// Strip takes out of a module what a run does not need: the custom sections that hold names and debugging
// information. What tells the language and the features stays. It returns wasm itself if there is nothing to take.
// The error is a *module.Error.
func Strip(wasm []byte) ([]byte, Stripped, error) {
	s := Stripped{Sections: []string{}}
	m, err := module.Limits{Size: int(protocol.MaxModule)}.Parse(wasm)
	if err != nil {
		return nil, s, err
	}
	const header = 8
	out, customs := wasm[:header:header], m.Custom
	for rest := wasm[header:]; len(rest) > 0; { // Parse has seen that all sizes are right
		size, n := leb.U32(rest[1:])
		section := rest[:1+n+int(size)]
		rest = rest[len(section):]
		if section[0] == 0 {
			name := customs[0].Name
			customs = customs[1:]
			if needless(name) {
				s.Bytes += len(section)
				s.Sections = append(s.Sections, name)
				continue
			}
		}
		out = append(out, section...)
	}
	s.Sections = slices.Compact(s.Sections)
	if s.Bytes == 0 {
		return wasm, s, nil
	}
	return out, s, nil
}

// needless reports whether a custom section is for debuggers only.
func needless(name string) bool {
	return name == "name" || name == "sourceMappingURL" || name == "external_debug_info" ||
		strings.HasPrefix(name, ".debug_")
}
