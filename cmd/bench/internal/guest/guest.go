// Package guest builds the programs that are compared: small ones from the sources beside it, and
// interpreters from packages. In goes a folder for what is built; out come modules. What
// is there already is not built again, and what cannot be had is an error, never a stand-in.
package guest

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Guest is a program that answers one request: it reads Body on stdin and writes Want to stdout.
type Guest struct {
	Name   string `json:"name"`
	Wasm   string `json:"wasm"`             // file of the module
	Native string `json:"native,omitempty"` // file of the same program for this machine; empty if there is none
	// NativeArgs and NativeEnv are the arguments and the environment of Native, if NativeArgs is not nil. Otherwise they
	// are those of the module.
	NativeArgs []string `json:"nativeArgs,omitempty"`
	NativeEnv  []string `json:"nativeEnv,omitempty"`
	Args       []string `json:"args"`
	Env        []string `json:"env"` // NAME=value
	Body       []byte   `json:"body"`
	Want       []byte   `json:"want"`
	Memory     uint64   `json:"memory"` // limit in bytes; 0 means the default
	Dirs       []Dir    `json:"dirs,omitempty"`
}

// Dir is a folder that a process sees and does not change.
type Dir struct {
	Path string `json:"path"` // as the process sees it
	Host string `json:"host"` // where it is
}

// Recipe is a way to get a guest.
type Recipe struct {
	Name   string
	source string // folder below src; empty if there is none
	build  func(b *builder, g *Guest) error
}

// Recipes returns all guests, smallest first.
func Recipes() []Recipe {
	return []Recipe{
		{"C echo", "c", buildC}, {"Rust echo", "rust", buildRust}, {"Go echo", "goecho", buildGo},
		{"Go JSON", "gojson", buildGoJSON},
		{"QuickJS", "quickjs", buildQuickJS}, {"Ruby", "", buildRuby},
	}
}

// Build returns the guest, built in a folder of dir. An error says why it cannot be had here.
func (r Recipe) Build(dir string) (*Guest, error) {
	b, err := newBuilder(filepath.Join(dir, strings.ReplaceAll(strings.ToLower(r.Name), " ", "-")), r.source)
	if err != nil {
		return nil, err
	}
	body := []byte("0123456789abcdef")
	g := &Guest{Name: r.Name, Args: []string{"fn"}, Env: []string{}, Body: body, Want: body}
	if err := r.build(b, g); err != nil {
		return nil, fmt.Errorf("%s: %w", r.Name, err)
	}
	return g, nil
}

//go:embed src
var sources embed.FS

// builder builds one guest in a folder of its own.
type builder struct{ dir string }

// newBuilder makes the folder and writes the sources into it, if there are any.
func newBuilder(dir, source string) (*builder, error) {
	b := &builder{dir: dir}
	err := os.MkdirAll(dir, 0o755)
	if err == nil && source != "" {
		err = b.source(source)
	}
	return b, err
}

// path returns the path of a file in the folder.
func (b *builder) path(name string) string { return filepath.Join(b.dir, name) }

// source writes the sources of a guest into the folder.
func (b *builder) source(name string) error {
	from, err := fs.Sub(sources, "src/"+name)
	if err != nil {
		return err
	}
	return fs.WalkDir(from, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(from, p)
		if err != nil {
			return err
		}
		to := b.path(p)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if old, err := os.ReadFile(to); err == nil && string(old) == string(text) {
			return nil
		}
		return os.WriteFile(to, text, 0o644)
	})
}

// once makes a file by make, unless it is there and no older than any of the files it is made from. make gets
// the path of a temporary file.
func (b *builder) once(name string, make func(out string) error, from ...string) (string, error) {
	out := b.path(name)
	if made, err := os.Stat(out); err == nil {
		fresh := true
		for _, f := range from {
			source, err := os.Stat(b.path(f))
			fresh = fresh && err == nil && !source.ModTime().After(made.ModTime())
		}
		if fresh {
			return out, nil
		}
	}
	if err := make(out + ".tmp"); err != nil {
		return "", err
	}
	return out, os.Rename(out+".tmp", out)
}

// run runs a command in the folder. Its output is in the error.
func (b *builder) run(env []string, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = b.dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, tail(string(out)))
	}
	return nil
}

// tail returns the last line of a text that says something.
func tail(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
