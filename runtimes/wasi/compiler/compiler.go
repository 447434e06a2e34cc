// Package compiler turns modules into native code, in child processes that a hostile module may kill or occupy, and
// keeps the results in a folder. In go a module's bytes; out comes the engine's compiled module. The child is [Child]
// in a process of the same binary.
package compiler

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"
)

// Config says where and within which limits modules are compiled.
type Config struct {
	// Command is the command and first arguments of a process that calls [Child] and ends, of this very binary.
	Command []string
	// Dir is the engine's folder of compiled modules.
	Dir string
	// Timeout is how much processor time a child may take for a module of 16 MiB, as it is compiled. Others have
	// their share of it, in proportion to their size, and a thirty-second part of it besides.
	Timeout time.Duration
	// Memory is how much memory in bytes it may take; exact on Linux, a hint to Go's collector elsewhere.
	Memory uint64
	// Log records files that are damaged. It must not be nil.
	Log *slog.Logger
}

// errClosed is what Compile returns after Close.
var errClosed = errors.New("the compiler has been closed")

// Compiler compiles modules in child processes. The results are in the folder of compiled modules, which has besides
// the engine's own files
//
//	compiled/    a file for each module whose compiled form is there (compiled.go)
//	quarantine/  a file for each module that a child did not survive (quarantine.go)
//	compiling-*  a folder for each child that runs
//
// Any number of goroutines may use it.
type Compiler struct {
	command []string
	dir     string // absolute
	timeout time.Duration
	memory  uint64 // bytes
	log     *slog.Logger
	engine  engineID
	lanes   lanes

	mu     sync.Mutex
	closed bool
	busy   map[string]*work // by key
}

// work is the compilation of one module.
type work struct {
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when it has ended
}

// temporary is how the names of the children's folders begin.
const temporary = "compiling-"

// engineID tells engines apart that cannot load each other's compiled modules.
type engineID struct {
	folder string // in which the engine keeps its files: version and platform
	mark   string // besides that: features of the processor, configuration
}

// New returns a compiler, or nil if the engine has no compiled form on this platform: then nothing takes long. An
// error is that of the folder.
func New(ctx context.Context, c Config) (*Compiler, error) {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, err
	}
	p := &Compiler{command: c.Command, dir: dir, timeout: c.Timeout, memory: c.Memory, log: c.Log,
		lanes: newLanes(), busy: map[string]*work{}}
	for _, folder := range []string{compiledFolder, quarantineFolder} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
			return nil, err
		}
	}
	p.sweep()
	if p.engine, err = p.identify(ctx); err != nil {
		return nil, err
	}
	if p.engine.folder == "" {
		return nil, nil
	}
	return p, nil
}

// sweep removes the folders of children whose parents have died.
func (p *Compiler) sweep() {
	old, _ := filepath.Glob(filepath.Join(p.dir, temporary+"*"))
	for _, dir := range old {
		info, err := os.Stat(dir)
		if err == nil && time.Since(info.ModTime()) > time.Hour+p.timeout {
			_ = os.RemoveAll(dir) // if it stays, it is only in the way
		}
	}
}

// identify makes the engine compile an empty module. Where it puts the result says which engine it is.
func (p *Compiler) identify(ctx context.Context) (engineID, error) {
	dir, err := os.MkdirTemp(p.dir, temporary)
	if err != nil {
		return engineID{}, err
	}
	defer os.RemoveAll(dir)
	if err := compileInto(ctx, dir, []byte("\x00asm\x01\x00\x00\x00")); err != nil {
		return engineID{}, err
	}
	made, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(made) == 0 {
		return engineID{}, err
	}
	mark := sha256.Sum256(fmt.Appendf(nil, "%s %d", filepath.Base(made[0]), features))
	return engineID{folder: filepath.Base(filepath.Dir(made[0])), mark: hex.EncodeToString(mark[:6])}, nil
}

// compileInto compiles a module into a folder for compiled modules, in this process.
func compileInto(ctx context.Context, dir string, module []byte) error {
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return err
	}
	defer cache.Close(ctx)
	engine := wazero.NewRuntimeWithConfig(ctx, EngineConfig(cache))
	defer engine.Close(ctx)
	_, err = Compile(experimental.WithCompilationWorkers(ctx, childProcs), engine, module)
	return err
}

// key returns the name of all that is known about a module here.
func (p *Compiler) key(module []byte) string {
	digest := sha256.Sum256(module)
	return hex.EncodeToString(digest[:]) + "-" + p.engine.folder + "-" + p.engine.mark
}

// Compile compiles a module in a child, unless that has been done, and loads the result into an engine that has
// the configuration of EngineConfig, with the folder as its cache.
//
// # Errors
//
// A *runtimes.ModuleError is the module's fault: it is not valid, or it was too much for a child, now or within
// the last day. A *runtimes.BusyError is not. Others are the context's, or those of the folder.
func (p *Compiler) Compile(ctx context.Context, engine wazero.Runtime, module []byte) (wazero.CompiledModule, error) {
	load := func() (wazero.CompiledModule, error) { return load(ctx, engine, module) }
	key := p.key(module)
	ctx, end, err := p.begin(ctx, key)
	if err != nil {
		return nil, err
	}
	defer end()
	if c, err := p.loadCompiled(key, load); err == nil {
		return c, nil
	}
	if err := p.quarantined(key, time.Now()); err != nil {
		return nil, err
	}
	if err := p.run(ctx, key, module); err != nil {
		var l *lethal
		if errors.As(err, &l) {
			p.quarantine(key, l.Reason, time.Now())
			return nil, l.ModuleError
		}
		return nil, err
	}
	c, err := p.loadCompiled(key, load)
	if err != nil {
		// With %v this is not a *runtimes.ModuleError any more.
		return nil, fmt.Errorf("the module has been compiled, but cannot be loaded from %s: %v", p.dir, err)
	}
	return c, nil
}

// begin waits until nobody else works on a key. The context that it returns ends when the compiler is
// closed, too. end must be called.
func (p *Compiler) begin(ctx context.Context, key string) (_ context.Context, end func(), err error) {
	for {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return nil, nil, errClosed
		}
		other := p.busy[key]
		if other == nil {
			break
		}
		p.mu.Unlock()
		select {
		case <-other.done:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
	defer p.mu.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	w := &work{cancel: cancel, done: make(chan struct{})}
	p.busy[key] = w
	return ctx, func() {
		p.mu.Lock()
		delete(p.busy, key)
		p.mu.Unlock()
		cancel(nil)
		close(w.done)
	}, nil
}

// Close ends all children and waits for them. Compile fails afterwards.
func (p *Compiler) Close() {
	p.mu.Lock()
	p.closed = true
	busy := slices.Collect(maps.Values(p.busy))
	p.mu.Unlock()
	for _, w := range busy {
		w.cancel(errClosed)
	}
	for _, w := range busy {
		<-w.done
	}
}

// run compiles a module in a child and keeps the result. The child has a folder of its own, so that what a killed one
// leaves behind is nobody's.
func (p *Compiler) run(ctx context.Context, key string, module []byte) error {
	dir, err := os.MkdirTemp(p.dir, temporary)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err = p.spawn(ctx, dir, module); errors.Is(err, errKilled) { // not for the module's sake, as far as is known
		err = p.spawn(ctx, dir, module)
	}
	if err != nil {
		return err
	}
	return p.keep(key, dir)
}
