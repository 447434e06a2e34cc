package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// noticesFile has the licences of all that is in the command. Whoever passes the command on must pass them on too.
const noticesFile = "THIRD-PARTY-LICENSES"

// module is a Go module that is in a binary, or Go's own standard library.
type module struct {
	path, version string
	sum           string   // as go.sum has it; "" for the standard library
	licenses      []string // their SPDX identifiers, sorted; empty if they are not known
	text          []byte   // the licences and notices themselves
}

// standardLibrary is the module path that vulnerability databases know Go's standard library by.
const standardLibrary = "stdlib"

// modulesOf returns the modules in a binary, without the main one.
func modulesOf(info *debug.BuildInfo) []*module {
	goVersion, _, _ := strings.Cut(info.GoVersion, " ") // what follows are experiments
	all := []*module{{path: standardLibrary, version: "v" + strings.TrimPrefix(goVersion, "go")}}
	for _, d := range info.Deps {
		if d.Replace != nil {
			d = d.Replace
		}
		all = append(all, &module{path: d.Path, version: d.Version, sum: d.Sum})
	}
	return all
}

// modulesIn returns those of the release's modules that are in a binary.
func (r *release) modulesIn(b *binary) []*module {
	in := map[string]bool{}
	for _, m := range modulesOf(b.info) {
		in[m.path] = true
	}
	return slices.DeleteFunc(slices.Clone(r.modules), func(m *module) bool { return !in[m.path] })
}

// notices finds the modules of all binaries, with their licences.
func (r *release) notices(ctx context.Context) error {
	seen := map[string]bool{}
	for _, b := range r.binaries {
		for _, m := range modulesOf(b.info) {
			if !seen[m.path] {
				seen[m.path] = true
				r.modules = append(r.modules, m)
			}
		}
	}
	slices.SortFunc(r.modules, func(a, b *module) int { return strings.Compare(a.path, b.path) })
	dirs, err := r.folders(ctx)
	if err != nil {
		return err
	}
	for _, m := range r.modules {
		if err := m.read(dirs[m.path]); err != nil {
			return err
		}
	}
	return nil
}

// folders returns where the sources of modules are, by module.
func (r *release) folders(ctx context.Context) (map[string]string, error) {
	root, err := r.tool(ctx, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	list, err := r.tool(ctx, "list", "-m", "-json", "all")
	if err != nil {
		return nil, err
	}
	dirs := map[string]string{standardLibrary: string(bytes.TrimSpace(root))}
	for d := json.NewDecoder(bytes.NewReader(list)); ; {
		var m struct{ Path, Dir string }
		switch err := d.Decode(&m); {
		case errors.Is(err, io.EOF):
			return dirs, nil
		case err != nil:
			return nil, fmt.Errorf("go list: %w", err)
		}
		dirs[m.Path] = m.Dir
	}
}

// tool returns what a command of the Go tool prints.
func (r *release) tool(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = r.source, environment(r.platforms[0])
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w", strings.Join(args, " "), problem(err))
	}
	return out, nil
}

// noticeName is what files of licences and notices are called, in capitals.
var noticeName = regexp.MustCompile(`^(LICEN[CS]E|COPYING|NOTICE|PATENTS$)`)

// read reads the licences and notices of a module from its folder.
func (m *module) read(dir string) error {
	if dir == "" {
		return fmt.Errorf("the sources of %s are not on this machine: run go mod download", m.path)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		name := strings.ToUpper(f.Name())
		if f.IsDir() || !noticeName.MatchString(name) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return err
		}
		m.text = append(append(m.text, text...), '\n')
		if name != "PATENTS" && !strings.HasPrefix(name, "NOTICE") {
			m.licenses = append(m.licenses, licensesIn(text)...)
		}
	}
	slices.Sort(m.licenses)
	m.licenses = slices.Compact(m.licenses)
	if len(m.text) == 0 {
		return fmt.Errorf("%s has no licence in %s: polyvoke cannot be passed on with it", m.path, dir)
	}
	return nil
}

// licensesIn returns the SPDX identifiers of the licences that a text consists of, or nothing if most of it is
// something else.
func licensesIn(text []byte) []string {
	found := licensecheck.Scan(text)
	if found.Percent < 75 {
		return nil
	}
	var ids []string
	for _, m := range found.Match {
		ids = append(ids, m.ID)
	}
	return ids
}

// noticesOf returns the text of the file of licences.
func noticesOf(modules []*module) []byte {
	var out bytes.Buffer
	out.WriteString("polyvoke contains the following, under these licences.\n")
	for _, m := range modules {
		fmt.Fprintf(&out, "\n%s\n%s %s\n\n%s", strings.Repeat("-", 80), m.path, m.version, m.text)
	}
	return out.Bytes()
}
