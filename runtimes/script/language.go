package script

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
)

// Where processes find things.
const (
	scriptFolder  = "/script"
	libraryFolder = "/runtime"
)

const (
	// stageTime is how long translating a script may take, and checking it.
	stageTime = 20 * time.Second
	// stageMemory is how much memory translating a script may take, in bytes.
	stageMemory = 512 << 20
	// saidMost is how much of what an interpreter says about a script is kept, in bytes.
	saidMost = 4 << 10
)

// language is a compiled interpreter, in use.
type language struct {
	runtime *Runtime
	key     key
	uses    int           // guarded by the Runtime's mutex
	ready   chan struct{} // closed when the rest is set

	err      error
	bundle   *Bundle
	base     runtimes.Deriver
	compiler runtimes.Deriver // nil if nothing is to be translated
}

// prepare compiles the interpreter.
func (l *language) prepare(
	ctx context.Context, modules runtimes.Runtime, bundle func() ([]byte, error),
) error {
	b, err := bundle()
	if err != nil {
		return err
	}
	if l.bundle, err = ParseBundle(b); err != nil {
		return refused(err)
	}
	// What the interpreter does once for all its scripts, it does with the folders that it will have, but without a
	// script.
	o := runtimes.Options{Start: runtimes.StartFresh, Stack: l.key.stack, Memory: stageMemory, Mounts: l.mounts(tree{}),
		Setup: l.key.setup, Optimize: l.key.level}
	if l.base, err = deriver(ctx, modules, l.bundle.module, o); err == nil && l.bundle.compiler != nil {
		o.Stack, o.Setup = 0, nil
		l.compiler, err = deriver(ctx, modules, l.bundle.compiler, o)
	}
	l.bundle.module, l.bundle.compiler = nil, nil // they are large
	if err != nil {
		return fmt.Errorf("the runtime %s: %w", l.bundle.Name, err)
	}
	return nil
}

// deriver compiles a module that only serves to derive programs from.
func deriver(
	ctx context.Context, modules runtimes.Runtime, module []byte, o runtimes.Options,
) (runtimes.Deriver, error) {
	p, err := modules.Compile(ctx, module, o)
	if err != nil {
		return nil, err
	}
	d, ok := p.(runtimes.Deriver)
	if !ok {
		return nil, errors.Join(errors.New("programs of this kind cannot be shared"), p.Close(ctx))
	}
	return d, nil
}

// close frees the interpreter.
func (l *language) close() error {
	var err error
	for _, d := range []runtimes.Deriver{l.base, l.compiler} {
		if d != nil {
			err = errors.Join(err, d.Close(context.Background())) // which only frees
		}
	}
	return err
}

// program makes a program of a script.
//
// # Errors
//
// What is wrong with the script is a *runtimes.ModuleError.
func (l *language) program(ctx context.Context, s *Script, o runtimes.Options) (runtimes.Program, error) {
	s, err := l.translate(ctx, s)
	if err != nil {
		return nil, err
	}
	if err := l.check(ctx, s); err != nil {
		return nil, err
	}
	p := &program{language: l, args: expand(l.bundle.Args, s.Entry), env: environment(l.bundle.Env)}
	o.Args, o.Env, o.Mounts, o.Interpreter = p.argv(o.Args), p.environ(o.Env), append(l.mounts(s.files), o.Mounts...), ""
	o.Renews = l.bundle.Start == runtimes.StartCheckpoint
	o.Stack = 0 // that of base
	o.Memory = cmp.Or(o.Memory, l.bundle.Memory)
	if p.Program, err = l.base.Derive(ctx, o); err != nil {
		return nil, err
	}
	return p, nil
}

// mounts returns the folders that processes of a script see.
func (l *language) mounts(files tree) []runtimes.Mount {
	m := []runtimes.Mount{{Path: scriptFolder, Tree: files.tree()}}
	if l.bundle.files != nil {
		m = append(m, runtimes.Mount{Path: libraryFolder, Tree: l.bundle.files.tree()})
	}
	return m
}

// translate translates a script into what the interpreter runs.
func (l *language) translate(ctx context.Context, s *Script) (*Script, error) {
	if l.compiler == nil {
		return s, nil
	}
	var out bytes.Buffer
	p := &runtimes.Process{Args: []string{"compile"}, Stdout: &runtimes.CapWriter{W: &out, N: 2 * MaxSize}}
	if err := l.stage(ctx, l.compiler, s.files, p); err != nil {
		return nil, err
	}
	t, err := readArchive(out.Bytes(), scriptLimits(), all)
	if err != nil {
		return nil, fmt.Errorf("the runtime %s translated the script into something that cannot be read: %w",
			l.bundle.Name, err)
	}
	return newScript(t)
}

// check lets the interpreter look at a script without running it.
func (l *language) check(ctx context.Context, s *Script) error {
	argv := []string{l.bundle.Name}
	if l.bundle.Check != nil {
		argv = expand(l.bundle.Check, s.Entry)
	}
	p := &runtimes.Process{Args: argv, Env: environment(l.bundle.Env)}
	return l.stage(ctx, l.base, s.files.with(checkFile, nil), p)
}

// stage runs a process that checks or translates a script before it is run.
func (l *language) stage(ctx context.Context, d runtimes.Deriver, files tree, p *runtimes.Process) error {
	one, err := d.Derive(ctx, runtimes.Options{Start: runtimes.StartFresh, Memory: stageMemory, Mounts: l.mounts(files)})
	if err != nil {
		return err
	}
	defer one.Close(context.WithoutCancel(ctx))
	limited, cancel := context.WithTimeout(ctx, stageTime)
	defer cancel()
	said := tail{most: saidMost}
	p.Stderr = &said
	err = one.Run(limited, p)
	if err == nil || ctx.Err() != nil {
		return cmp.Or(ctx.Err(), err)
	}
	if text := strings.TrimSpace(string(said.b)); text != "" {
		return refused(errors.New(strings.ReplaceAll(text, scriptFolder+"/", "")))
	}
	return refused(fmt.Errorf("the runtime %s cannot read the script: %w", l.bundle.Name, err))
}

// tail keeps the first bytes of what is written, and takes the rest too.
type tail struct {
	b    []byte
	most int
}

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.b = append(t.b, b[:min(len(b), t.most-len(t.b))]...)
	return len(b), nil
}

// environment returns variables as a process gets them.
func environment(vars map[string]string) []string {
	var env []string
	for k, v := range vars {
		env = append(env, k+"="+v)
	}
	slices.Sort(env)
	return env
}
