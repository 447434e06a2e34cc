package wasi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
)

// compiler has modules compiled by child processes into the folder of compiled modules, which
// has besides the engine's own files
//
//	compiled/    a file for each module whose compiled form is there (compiled.go)
//	quarantine/  a file for each module that a child did not survive (quarantine.go)
//	compiling-*  a folder for each child that runs
type compiler struct {
	command []string
	dir     string // absolute
	timeout time.Duration
	memory  uint64 // bytes
	engine  engineID

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

// newCompiler returns a compiler, or nil if none is configured or the engine has no compiled form on
// this platform: then nothing takes long.
func newCompiler(ctx context.Context, c Config) (*compiler, error) {
	if c.Compiler == nil {
		return nil, nil
	}
	dir, err := filepath.Abs(c.CacheDir)
	if err != nil {
		return nil, fmt.Errorf("CacheDir: %w", err)
	}
	p := &compiler{command: c.Compiler, dir: dir, timeout: c.compileTimeout(), memory: c.compileMemory(), busy: map[string]*work{}}
	for _, folder := range []string{compiledFolder, quarantineFolder} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
			return nil, fmt.Errorf("CacheDir: %w", err)
		}
	}
	p.sweep()
	if p.engine, err = p.identify(ctx); err != nil {
		return nil, fmt.Errorf("CacheDir: %w", err)
	}
	if p.engine.folder == "" {
		return nil, nil
	}
	return p, nil
}

// sweep removes the folders of children whose parents have died.
func (p *compiler) sweep() {
	old, _ := filepath.Glob(filepath.Join(p.dir, temporary+"*"))
	for _, dir := range old {
		info, err := os.Stat(dir)
		if err == nil && time.Since(info.ModTime()) > time.Hour+p.timeout {
			_ = os.RemoveAll(dir) // if it stays, it is only in the way
		}
	}
}

// identify has the engine compile an empty module. Where it puts the result says which engine it is.
func (p *compiler) identify(ctx context.Context) (engineID, error) {
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
	engine := wazero.NewRuntimeWithConfig(ctx, engineConfig(cache))
	defer engine.Close(ctx)
	_, err = compileModule(ctx, engine, module)
	return err
}

// key returns the name of all that is known about a module here.
func (p *compiler) key(module []byte) string {
	digest := sha256.Sum256(module)
	return hex.EncodeToString(digest[:]) + "-" + p.engine.folder + "-" + p.engine.mark
}

// compile has a module compiled by a child, unless that has been done, and loads the result.
func (p *compiler) compile(ctx context.Context, module []byte, load func() (wazero.CompiledModule, error)) (wazero.CompiledModule, error) {
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
		return nil, fmt.Errorf("the module has been compiled, but cannot be loaded from %s: %v", p.dir, err) // not a *runtimes.ModuleError any more
	}
	return c, nil
}

// begin waits until nobody else works on a key. The context that it returns ends when the compiler is
// closed, too. end must be called.
func (p *compiler) begin(ctx context.Context, key string) (_ context.Context, end func(), err error) {
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

// close ends all children and waits for them.
func (p *compiler) close() {
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

// run has a child compile a module, into a folder of its own so that what a killed child leaves behind
// is nobody's, and keeps the result.
func (p *compiler) run(ctx context.Context, key string, module []byte) error {
	dir, err := os.MkdirTemp(p.dir, temporary)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := p.spawn(ctx, dir, module); err != nil {
		return err
	}
	return p.keep(key, dir)
}
