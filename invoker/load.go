package invoker

import (
	"context"
	"fmt"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/programs"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/trust"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
)

// loader turns manifests into programs. Functions with the same module and the same options share one.
type loader struct {
	programs  *programs.Cache
	registry  registry.Registry
	runtime   runtimes.Runtime
	backend   *backend.Backend     // may be nil
	trust     *trust.Policy        // may be nil
	compiling func() (done func()) // see Invoker.Compiling; may be nil
	ctx       context.Context      // of what is compiled, whoever waits for it
}

// program returns a compiled program that must be released. ctx bounds the wait for it.
func (l *loader) program(ctx context.Context, m *protocol.Function) (*programs.Program, error) {
	return l.compile(ctx, m, nil, programs.Options(m))
}

// load returns a version's program, which must be released, and what it is granted, which must be closed; nil if that
// is nothing. ctx bounds the wait for them. The error's code is 403 if the version is not trusted.
func (l *loader) load(ctx context.Context, m *protocol.Function) (*programs.Program, *backend.Grants, error) {
	if err := l.trust.Check(m); err != nil {
		return nil, nil, err
	}
	p, err := l.program(ctx, m)
	if err != nil {
		return nil, nil, err
	}
	g, err := l.backend.Open(ctx, m)
	if err != nil {
		l.programs.Release(p)
		return nil, nil, err
	}
	return p, g, nil
}

// compile is program for a module that is there, or for one that the registry has if it is nil, and with options.
func (l *loader) compile(ctx context.Context, m *protocol.Function, module []byte,
	o runtimes.Options) (*programs.Program, error) {
	return l.programs.Acquire(ctx, programs.KeyOf(m.Digest, o), func() (runtimes.Program, error) {
		if l.compiling != nil {
			defer l.compiling()()
		}
		bytes := module
		if bytes == nil {
			var err error
			if bytes, err = l.registry.Module(l.ctx, m.Digest); err != nil {
				return nil, fmt.Errorf("read the module of %s: %w", m.Ref(), err)
			}
		}
		return l.runtime.Compile(l.ctx, bytes, o)
	})
}
