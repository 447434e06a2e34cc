// Package recipe has the recipes of interpreters: how each is built or collected from packages, for runtimes/script.
//
// A recipe is a folder here: runtime.json, and build.sh, which makes a bundle's folder. Recipes are part of the
// polyvoke command, so that nothing but it and the system's package managers is needed. lib.sh and the files beside
// it are what they share.
package recipe

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"

	"github.com/polyvoke/polyvoke/runtimes/script"
)

//go:embed *
var files embed.FS

// All returns what the recipes are for, sorted by name.
func All() []script.Info {
	names, err := fs.Glob(files, "*/runtime.json")
	if err != nil {
		panic(err) // the pattern is right
	}
	var all []script.Info
	for _, name := range names {
		b, err := files.ReadFile(name)
		var i script.Info
		if err == nil {
			err = json.Unmarshal(b, &i)
		}
		if err != nil || i.Name != path.Dir(name) {
			panic(fmt.Sprintf("recipe %s: %v", name, err)) // TestAll would have failed
		}
		all = append(all, i)
	}
	return all
}

// ForExtension returns the name of the interpreter for files with an extension, such as ".py", or "".
func ForExtension(ext string) string {
	for _, i := range All() {
		if slices.Contains(i.Extensions, ext) {
			return i.Name
		}
	}
	return ""
}

// Library returns lib.sh, the functions of the shell by which recipes get packages and sources of Debian.
func Library() []byte {
	b, err := files.ReadFile("lib.sh")
	if err != nil {
		panic(err) // it is part of the program
	}
	return b
}

// Build follows a recipe and returns the bundle. tools is a folder for sources and compilers, which later builds use
// again. What the recipe says goes to log. It takes minutes, installs packages, and needs Debian 12 and, where
// packages are missing, root.
func Build(ctx context.Context, name, tools string, log io.Writer) ([]byte, error) {
	if _, err := fs.Stat(files, name+"/build.sh"); err != nil || name == "" || name == "." {
		return nil, fmt.Errorf("there is no recipe for %q", name)
	}
	if err := os.MkdirAll(tools, 0o700); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "polyvoke-runtime-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(filepath.Join(dir, "recipe"), files); err != nil {
		return nil, err
	}
	out := filepath.Join(dir, "out")
	cmd := exec.CommandContext(ctx, "bash", filepath.Join(dir, "recipe", name, "build.sh"), out, tools)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return nil, errors.New("there is no bash, which recipes need: install it")
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("the recipe for %s failed: %w: its output says why", name, err)
	}
	return script.PackBundle(os.DirFS(out))
}
