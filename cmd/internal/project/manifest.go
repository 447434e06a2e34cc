package project

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/polyvoke/polyvoke/protocol"
)

// Manifest is what a polyvoke.toml says.
type Manifest struct {
	Path     string
	Function protocol.Function // what is deployed; without a name if the file has none
	Module   string            // the module's path, as it is written; empty for a script
	Script   string            // the script's path, as it is written; empty for a module
	Source   string            // that is built into the module, or empty
	Command  []string          // to run instead of the build script of the source's language, or nil
}

// maxManifest is the size of the longest polyvoke.toml that is read, in bytes.
const maxManifest = 1 << 20

// ReadManifest reads a polyvoke.toml. A name that is not empty replaces the file's. The error is that of a file which
// cannot be read; or it has code 422 and says all that is wrong with the manifest, up to protocol.MaxProblems, one
// FILE:LINE: KEY a line, with what was probably meant.
func ReadManifest(path, name string) (*Manifest, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxManifest {
		return nil, refuse(path, "it has %d bytes, and a manifest at most %d: make it shorter", info.Size(), maxManifest)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return ParseManifest(path, name, string(text))
}

// ParseManifest is ReadManifest for a text that was read from path.
func ParseManifest(path, name, text string) (*Manifest, error) {
	var values map[string]any
	if _, err := toml.Decode(text, &values); err != nil {
		return nil, refuse(path, "%s", syntax(err))
	}
	c := &checker{keys: keysByPath(), lines: keyLines(text)}
	values = c.table("", "", values)
	if name != "" {
		values["name"] = name
	}
	m := c.manifest(values)
	m.Path = path
	return m, c.err(path)
}

// syntax says what is wrong with a file that is no TOML.
func syntax(err error) string {
	var p toml.ParseError
	if errors.As(err, &p) {
		return fmt.Sprintf("%d: %s", p.Position.Line, p.Message)
	}
	return " " + strings.TrimPrefix(err.Error(), "toml: ")
}

// refuse is the error for a manifest. A text that begins with a line's number stands right behind the path.
func refuse(path, format string, a ...any) error {
	text := fmt.Sprintf(format, a...)
	if text != "" && (text[0] < '0' || text[0] > '9') {
		text = " " + strings.TrimPrefix(text, " ")
	}
	return protocol.Errorf(protocol.CodeRefused, "", "%s:%s", path, text)
}

// manifest makes a manifest of values of the right types, and finds what else is wrong with them.
func (c *checker) manifest(values map[string]any) *Manifest {
	m := &Manifest{}
	m.Module, _ = values["module"].(string)
	m.Script, _ = values["script"].(string)
	if build, ok := values["build"].(map[string]any); ok {
		m.Source, _ = build["source"].(string)
		if command, ok := build["command"].([]any); ok {
			m.Command = []string{}
			for _, a := range command {
				m.Command = append(m.Command, a.(string)) // as the checker has seen
			}
		}
	}
	c.checkBuild(m)
	for _, key := range Keys() {
		delete(values, key)
	}
	b, err := json.Marshal(values)
	if err == nil {
		err = json.Unmarshal(b, &m.Function)
	}
	if err != nil { // a value that the checker lets through and JSON does not
		c.add("", "manifest: %v", err)
	}
	f := m.Function
	if f.Name == "" && values["name"] == nil {
		f.Name = "unnamed" // it gets the name of its file
	}
	for _, p := range f.Problems() {
		c.add(p.Key, "%s", p.Msg)
	}
	return m
}

// checkBuild finds what is wrong with the keys that say how a function comes to be.
func (c *checker) checkBuild(m *Manifest) {
	switch {
	case m.Module == "" && m.Script == "" && !c.bad["module"] && !c.bad["script"]:
		c.add("module", `module: say which file it is, such as module = "greet.wasm" or script = "greet.py"`)
	case m.Module != "" && m.Script != "":
		c.add("script", "module and script: a function is one of the two")
	}
	switch {
	case m.Source != "" && m.Command != nil:
		c.add("build.command", "build.source and build.command: choose one")
	case m.Command != nil && (len(m.Command) == 0 || m.Command[0] == ""):
		c.add("build.command", `build.command: name a program and its arguments, such as ["make", "greet.wasm"]`)
	}
}

// SourceOf returns the file that is built into a module, if the manifest beside the module says so, and else "".
func SourceOf(module string) string {
	m, err := ReadManifest(filepath.Join(filepath.Dir(module), ManifestName), "")
	if err != nil || filepath.Clean(m.File()) != filepath.Clean(module) {
		return ""
	}
	return m.below(m.Source)
}

// base returns the name of a function whose manifest has none: that of its file.
func (m *Manifest) base() string {
	base := filepath.Base(m.Module + m.Script)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// File returns where the module or the script is: below the manifest's folder, unless its path is absolute.
func (m *Manifest) File() string { return m.below(m.Module + m.Script) }

// below returns where a file of the manifest is, or "" for none.
func (m *Manifest) below(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(m.Path), filepath.FromSlash(name))
}

// keysByPath returns what is known of each key of a polyvoke.toml.
func keysByPath() map[string]protocol.Key {
	keys := map[string]protocol.Key{}
	for _, k := range ManifestKeys() {
		keys[k.Path] = k
	}
	return keys
}

// ManifestKeys returns the keys of a polyvoke.toml: those that say how a function comes to be, and those of its
// manifest.
func ManifestKeys() []protocol.Key {
	return slices.Concat([]protocol.Key{
		{Path: "module", Type: protocol.TypeString, Text: "The wasm file, below the folder of the manifest. A " +
			"function has this or `script`.", Example: `"greet.wasm"`},
		{Path: "script", Type: protocol.TypeString, Text: "The script's entry. Its whole folder is deployed. A " +
			"function has this or `module`.", Example: `"greet.py"`},
		{Path: "build", Type: protocol.TypeTable, Text: "How `polyvoke build` makes the module.",
			Example: `{ source = "main.c" }`},
		{Path: "build.source", Type: protocol.TypeString, Text: "The file, with those beside it, whose language says " +
			"how.", Example: `"main.c"`},
		{Path: "build.command", Type: protocol.TypeStrings, Text: "What to run instead, in the folder of the manifest.",
			Example: `["make", "greet.wasm"]`},
	}, protocol.Keys())
}
