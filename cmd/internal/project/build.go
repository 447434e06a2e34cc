package project

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/script/recipe"
	"github.com/polyvoke/polyvoke/samples"
)

// DefaultTimeout is how long a build may take unless it is told otherwise.
const DefaultTimeout = 10 * time.Minute

// ErrNoTools is in the chain of Build's error if the machine has not what the language needs; the message says how to
// get it.
var ErrNoTools = errors.New("the tool chain is missing")

// ErrBuild is in the chain of Build's error if the compiler, or the command, has failed; it has said why.
var ErrBuild = errors.New("the build failed")

// Built is what came of a build.
type Built struct {
	Wasm     []byte
	Stripped Stripped
	Said     []byte        // the end of what the tools have written, warnings perhaps
	Took     time.Duration // all of it
}

// Build makes the module of what is in the folder, and puts it in the place of the one before in one step: whoever
// reads the file has one or the other, whole. If it fails, the file is as it was, and Said is all the same what the
// tools have said. There is nothing to build for a script, so its code is 422. The tool chain is looked for the first
// time only.
func (p *Project) Build(ctx context.Context) (*Built, error) {
	begin := time.Now()
	scratch, err := os.MkdirTemp("", "polyvoke-build-")
	if err != nil {
		return &Built{}, err
	}
	defer os.RemoveAll(scratch)
	b, made := &Built{}, filepath.Join(scratch, "out.wasm")
	switch {
	case p.Module == "":
		err = refuse(p.Manifest, "a script is not built: polyvoke run and polyvoke deploy take it as it is")
	case p.command != nil:
		made = p.Module
		b.Said, err = p.run(ctx, p.command, os.Environ())
	case p.source != "":
		b.Said, err = p.runScript(ctx, scratch, made)
	default:
		err = refuse(p.Manifest, `build: say what makes %s, such as source = "main.c" or command = ["make"]`,
			filepath.Base(p.Module))
	}
	if err == nil {
		err = p.take(b, made)
	}
	b.Took = time.Since(begin)
	return b, err
}

// runScript builds source with the build script of its language.
func (p *Project) runScript(ctx context.Context, scratch, made string) (said []byte, err error) {
	lang, err := compiledFrom(p.source)
	if err != nil {
		return nil, refuse(p.Manifest, "%v", err)
	}
	source, err := filepath.Abs(p.below(p.source))
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(source); err != nil {
		return nil, fmt.Errorf("%s: there is no such file: build.source in %s names it", p.below(p.source), ManifestName)
	}
	if p.chain == nil {
		if p.chain, err = lang.Find(ctx, p.Dir); err != nil {
			return nil, err
		}
	}
	_, script, err := samples.Template(lang.Name)
	if err != nil {
		return nil, err
	}
	file, library := filepath.Join(scratch, "build.sh"), filepath.Join(scratch, "lib.sh")
	if err := errors.Join(os.WriteFile(file, script, 0o600), os.WriteFile(library, recipe.Library(), 0o600)); err != nil {
		return nil, err
	}
	env := append(append(os.Environ(), p.chain...), "LIBRARY="+library)
	if dir, err := os.UserCacheDir(); err == nil && os.MkdirAll(filepath.Join(dir, "polyvoke", "build"), 0o700) == nil {
		env = append(env, "CACHE="+filepath.Join(dir, "polyvoke", "build"))
	}
	return p.run(ctx, []string{"sh", file, made, source}, env)
}

// Find returns the variables by which the build script of a language finds its tools, relative to a folder or on the
// machine. The error is one of ctx, or has ErrNoTools in its chain and says how to get them.
func (l Language) Find(ctx context.Context, dir string) (env []string, err error) {
	hint := l.Debian
	if runtime.GOOS == "darwin" {
		hint = l.MacOS
	}
	for _, t := range append([]tool{shell()}, l.Tools...) {
		found, err := t.find(ctx, dir)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("%w: to build %s: %w; get it by: %s", ErrNoTools, l.Title, err, hint)
		}
		env = append(env, found...)
	}
	return env, nil
}

// run runs a command of the build in the project's folder.
func (p *Project) run(ctx context.Context, args, env []string) (said []byte, err error) {
	if p.command != nil && filepath.Base(args[0]) == args[0] {
		if _, err := exec.LookPath(args[0]); err != nil {
			return nil, fmt.Errorf("%w: build.command: %s is not in PATH", ErrNoTools, args[0])
		}
	}
	said, err = output(ctx, command{dir: p.Dir, args: args, env: env})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return said, protocol.Errorf(protocol.CodeTimeout, "",
			"%w: it takes too long: --timeout gives it more time", ErrBuild)
	case errors.Is(err, context.Canceled):
		return said, err
	case err != nil:
		return said, fmt.Errorf("%w: %w", ErrBuild, err)
	}
	return said, nil
}

// take reads the module that was made, strips it, and puts it where the manifest wants it.
func (p *Project) take(b *Built, made string) error {
	wasm, err := os.ReadFile(made)
	if err != nil {
		return fmt.Errorf("%w: it did not make %s", ErrBuild, p.Module)
	}
	if b.Wasm, b.Stripped, err = Strip(wasm); err != nil {
		return protocol.Errorf(protocol.CodeRefused, "", "%s: %w", p.Module, err)
	}
	if old, err := os.ReadFile(p.Module); err == nil && bytes.Equal(old, b.Wasm) {
		now := time.Now() // so that it is not older than its sources
		return os.Chtimes(p.Module, now, now)
	}
	return replace(p.Module, b.Wasm)
}

// replace writes a file in one step.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".polyvoke-*.wasm")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if e := f.Chmod(0o644); err == nil {
		err = e
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
