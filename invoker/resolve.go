package invoker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
)

// version is one version of a function, ready to be run or to be loaded.
type version struct {
	manifest *protocol.Function
	ref      protocol.Ref
	limits   protocol.Limits // defaults filled in
	env      []string        // of every call
	args     []string        // argv of a call without arguments of its own

	// Guarded by the function's mutex.
	program *program // nil until it is loaded
	calls   int      // admitted calls, waiting ones included
	pinned  bool     // it has been called by number
	retired bool     // no new call comes, so the last one unloads it
}

// newVersion prepares what is the same for every call.
func newVersion(m *protocol.Function) *version {
	s := &version{manifest: m, ref: m.Ref(), limits: m.Limits.WithDefaults()}
	for _, k := range slices.Sorted(maps.Keys(m.Env)) {
		s.env = append(s.env, k+"="+m.Env[k])
	}
	s.args = append([]string{m.Name}, m.Args...)
	return s
}

// resolve finds the version that a request means, among those that the registry has.
// The caller holds the function's mutex.
func (f *function) resolve(ref protocol.Ref) (*version, error) {
	if ref.Version == "" && f.latest != nil {
		return f.latest, nil
	}
	if f.latest == nil {
		return nil, protocol.Errorf(protocol.CodeNotFound, "", "there is no function %s any more", f.name)
	}
	m, err := f.entry.Version(ref.Version)
	if err != nil {
		return nil, err
	}
	s := f.versions[m.Version]
	s.pinned = true
	return s, nil
}

// load sees to it that the call's version has its program, compiling it if this is the first
// call of it here, while another receiver takes the next message.
func (f *function) load(ctx context.Context, c *call) error {
	s := c.version
	f.mu.Lock()
	loaded := s.program != nil
	f.mu.Unlock()
	if loaded {
		return nil
	}
	c.receiver.handOver()
	f.stats.cold.Add(1)
	p, err := f.v.loadProgram(ctx, s.manifest, nil)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.program == nil {
		s.program = p
	} else {
		f.v.programs.release(p) // another call was quicker
	}
	return nil
}

// unload gives the version's program back once nothing needs it. The caller holds the
// function's mutex.
func (f *function) unload(s *version) {
	if s.calls == 0 && s.program != nil && (s.retired || s != f.latest && !s.pinned) {
		f.v.programs.release(s.program)
		s.program = nil
	}
}

// programKey is what makes two compiled modules the same.
type programKey struct {
	digest string
	memory protocol.Size
}

// program is a compiled module that several versions and functions can share.
type program struct {
	runtimes.Program
	key   programKey
	uses  int           // guarded by programs.mu
	ready chan struct{} // closed when Program or err is set
	err   error
}

// programs holds what is compiled. Its zero value is ready to use.
type programs struct {
	mu    sync.Mutex
	byKey map[programKey]*program
}

// loadProgram returns a compiled program that must be released. Whoever asks first compiles; the
// others wait. module may be nil: then the registry has the bytes.
func (v *Invoker) loadProgram(ctx context.Context, m *protocol.Function, module []byte) (*program, error) {
	key := programKey{m.Digest, m.Limits.WithDefaults().Memory}
	p, first := v.programs.claim(key)
	if first {
		go func() {
			p.Program, p.err = v.compile(v.ctx, m, module)
			close(p.ready)
			v.programs.release(p)
		}()
	}
	select {
	case <-p.ready:
	case <-ctx.Done():
		v.programs.release(p)
		return nil, ctx.Err()
	}
	if p.err != nil {
		v.programs.release(p)
		return nil, p.err
	}
	return p, nil
}

// compile turns a module into a program. No more than a few are compiled at a time.
func (v *Invoker) compile(ctx context.Context, m *protocol.Function, module []byte) (runtimes.Program, error) {
	select {
	case v.loading <- struct{}{}:
		defer func() { <-v.loading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if module == nil {
		var err error
		if module, err = v.Registry.Module(ctx, m.Digest); err != nil {
			return nil, fmt.Errorf("read the module of %s: %w", m.Ref(), err)
		}
	}
	return v.Runtime.Compile(ctx, module, runtimes.Options{Memory: uint64(m.Limits.WithDefaults().Memory)})
}

// claim counts one more use of a program. If there was none, first is true: then the caller
// compiles it, and has one more use to release when that is done.
func (ps *programs) claim(key programKey) (p *program, first bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p = ps.byKey[key]; p != nil {
		p.uses++
		return p, false
	}
	if ps.byKey == nil {
		ps.byKey = map[programKey]*program{}
	}
	p = &program{key: key, uses: 2, ready: make(chan struct{})}
	ps.byKey[key] = p
	return p, true
}

// release counts one use less, and closes the program with the last.
func (ps *programs) release(p *program) {
	ps.mu.Lock()
	p.uses--
	last := p.uses == 0
	if last {
		delete(ps.byKey, p.key)
	}
	ps.mu.Unlock()
	if last && p.Program != nil {
		_ = p.Program.Close(context.Background()) // nothing of it runs; there is nobody to tell
	}
}
