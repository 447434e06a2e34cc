package project

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/samples"
)

// templates has the main source of a new project in each language: reading a request, a line of log, a reply, and what
// a bad request is, in 8 to 20 lines.
//
//go:embed templates
var templates embed.FS

// Create makes the folder parent/name with a function in a language that works: its source, its manifest, a
// request, and the next steps. It returns the names of the files, relative to that folder. The error's code is 400
// for a name that is none. If something cannot be written, nothing is left behind.
func Create(parent, name string, l Language) (files []string, err error) {
	if err := protocol.CheckName(name); err != nil {
		return nil, err
	}
	content, err := l.content(name)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(parent, name)
	if err := os.Mkdir(dir, 0o755); errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s: it is there already: choose another name, or remove it", dir)
	} else if err != nil {
		return nil, err
	}
	files = slices.Sorted(maps.Keys(content))
	for _, f := range files {
		file := filepath.Join(dir, filepath.FromSlash(f))
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		if err == nil {
			err = os.WriteFile(file, content[f], 0o644)
		}
		if err != nil {
			os.RemoveAll(dir)
			return nil, err
		}
	}
	return files, nil
}

// content returns the files of a new project.
func (l Language) content(name string) (map[string][]byte, error) {
	template, _, err := samples.Template(l.Name) // with what the compiler needs beside the main source
	if err != nil {
		return nil, err
	}
	if template[l.Main], err = templates.ReadFile(path.Join("templates", l.Name, l.Main)); err != nil {
		return nil, err
	}
	main := l.As
	if main == "" {
		main = name + path.Ext(l.Main)
	}
	// What the sample says about itself must hold for the project.
	said := strings.NewReplacer("./build.sh", "polyvoke build", l.Main, main, "greet.wasm", name+".wasm")
	content := map[string][]byte{}
	for f, data := range template {
		if f == l.Main {
			f = main
		}
		content[f] = []byte(said.Replace(string(data)))
	}
	if l.Module != "" {
		content[l.Module] = []byte(strings.ReplaceAll(l.Text, "NAME", name))
	}
	content[l.Request()] = []byte("{\"name\":\"Ada\"}\n")
	if l.Plain {
		content[l.Request()] = []byte("Ada\n")
	}
	content["README.md"] = []byte(l.readme(name, main))
	content[ManifestName] = []byte(l.manifest(name, main))
	if l.Compiled() {
		content[".gitignore"] = []byte("/" + name + ".wasm\n")
	}
	return content, nil
}

// manifest returns the polyvoke.toml of a new project.
func (l Language) manifest(name, main string) string {
	head := fmt.Sprintf("#:schema %s\nname = %q\nlanguage = %q\n", SchemaURL, name, l.Title)
	if l.Runtime != "" {
		head += fmt.Sprintf("runtime = %q\n", l.Runtime)
	}
	if !l.Compiled() {
		return head + fmt.Sprintf("script = %q\n", main)
	}
	return head + fmt.Sprintf("module = \"%s.wasm\" # which polyvoke build makes\n\n[build]\nsource = %q\n", name, main)
}

// readme returns the README.md of a new project.
func (l Language) readme(name, main string) string {
	return fmt.Sprintf("# %s\n\n"+
		"A function in %s, made from [%s](%[3]s): the request is its stdin, the reply its stdout, the log its stderr,\n"+
		"the exit code says how it went.\n\n", name, l.Title, main) + "    " + strings.Join(l.Steps(name), "\n    ") + "\n"
}

// Steps returns what to type next in the folder of a project, a line each.
func (l Language) Steps(name string) []string {
	steps := []string{
		fmt.Sprintf("%-24s # run it here, once", "polyvoke run < "+l.Request()),
		"polyvoke dev             # serve it, and each change of it, until Ctrl-C",
	}
	if l.Compiled() {
		return append([]string{fmt.Sprintf("polyvoke build           # make %s.wasm", name)}, steps...)
	}
	return append(steps, "polyvoke deploy          # put it on the NATS of polyvoke serve")
}
