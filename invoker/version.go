package invoker

import (
	"cmp"
	"context"
	"fmt"
	"sync/atomic"

	"github.com/polyvoke/polyvoke/invoker/programs"
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

	calls     atomic.Int64 // that have it; one more only under the function's mutex
	temporary atomic.Bool  // the last of them unloads it

	// Guarded by the function's mutex.
	program *programs.Program // nil until it is loaded
	pinned  bool              // it has been called by number
	retired bool              // no new call comes
}

// newVersion prepares what is the same for every call.
func newVersion(m *protocol.Function) *version {
	o := programs.Options(m)
	return &version{manifest: m, ref: m.Ref(), limits: m.Limits.WithDefaults(), args: o.Args, env: o.Env}
}

// acquire returns the version that a request means, among those that the registry has, and whether its program is
// loaded. It stays so until the version is released.
func (f *function) acquire(ref protocol.Ref) (s *version, loaded bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.latest == nil {
		return nil, false, f.notReady()
	}
	s = f.latest
	if ref.Version != "" {
		m, err := f.entry.Version(ref.Version)
		if err != nil {
			return nil, false, err
		}
		s = f.versions[m.Version]
		s.pinned = true
		s.temporary.Store(s.retired)
	}
	s.calls.Add(1)
	return s, s.program != nil, nil
}

// notReady says why a function has no version that can run. The caller holds the mutex.
func (f *function) notReady() error {
	if f.failure != nil {
		return protocol.Errorf(protocol.CodeUnavailable, "", "%s could not be loaded: %w", f.name, f.failure)
	}
	return protocol.Errorf(protocol.CodeUnavailable, "", "%s is not loaded yet; try again", f.name)
}

// release counts one call less of a version.
func (f *function) release(s *version) {
	if s.calls.Add(-1) == 0 && s.temporary.Load() {
		f.mu.Lock()
		f.unload(s)
		f.mu.Unlock()
	}
}

// load gives a version its program, if no other call has done so meanwhile.
func (f *function) load(ctx context.Context, s *version) error {
	p, err := f.v.program(ctx, s.manifest)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.program == nil {
		s.program = p
	} else {
		f.v.programs.Release(p) // another call was quicker
	}
	return nil
}

// unload gives the version's program back once nothing needs it. The caller holds the mutex, without which no call
// begins.
func (f *function) unload(s *version) {
	s.temporary.Store(s.retired || s != f.latest && !s.pinned)
	if s.temporary.Load() && s.calls.Load() == 0 && s.program != nil {
		f.v.programs.Release(s.program)
		s.program = nil
	}
}

// start returns how the version's processes come to be, and why. The caller holds the function's mutex.
func (s *version) start() (kind, reason string) {
	if s.program == nil {
		return s.manifest.Start, ""
	}
	start := s.program.Start()
	return cmp.Or(start.Kind, s.manifest.Start), start.Reason
}

// program returns a compiled program that must be released.
func (v *Invoker) program(ctx context.Context, m *protocol.Function) (*programs.Program, error) {
	return v.compile(ctx, m, nil, programs.Options(m))
}

// compile is program for a module that is there, or for one that the registry has if it is nil, and with options.
func (v *Invoker) compile(ctx context.Context, m *protocol.Function, module []byte, options runtimes.Options) (*programs.Program, error) {
	return v.programs.Acquire(ctx, programs.KeyOf(m.Digest, options), func() (runtimes.Program, error) {
		if v.Compiling != nil {
			defer v.Compiling()()
		}
		bytes := module
		if bytes == nil {
			var err error
			if bytes, err = v.Registry.Module(v.ctx, m.Digest); err != nil {
				return nil, fmt.Errorf("read the module of %s: %w", m.Ref(), err)
			}
		}
		return v.Runtime.Compile(v.ctx, bytes, options)
	})
}
