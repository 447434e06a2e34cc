package invoker

import (
	"cmp"
	"context"
	"fmt"

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

	// Guarded by the function's mutex.
	program *programs.Program // nil until it is loaded
	calls   int               // admitted calls, waiting ones included
	pinned  bool              // it has been called by number
	retired bool              // no new call comes, so the last one unloads it
}

// newVersion prepares what is the same for every call.
func newVersion(m *protocol.Function) *version {
	o := programs.Options(m)
	return &version{manifest: m, ref: m.Ref(), limits: m.Limits.WithDefaults(), args: o.Args, env: o.Env}
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
	if c.loaded {
		return nil
	}
	s := c.version
	c.waited = true
	c.receiver.handOver()
	f.calls.Cold()
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

// done counts one call less of a version. The caller holds the function's mutex.
func (f *function) done(s *version) {
	s.calls--
	f.unload(s)
}

// unload gives the version's program back once nothing needs it. The caller holds the
// function's mutex.
func (f *function) unload(s *version) {
	if s.calls == 0 && s.program != nil && (s.retired || s != f.latest && !s.pinned) {
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
