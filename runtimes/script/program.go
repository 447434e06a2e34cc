package script

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/polyvoke/polyvoke/runtimes"
)

// program is a script with its interpreter.
type program struct {
	runtimes.Program
	language *language
	args     []string // before a call's own, in place of the first; nil: a call's own are all
	env      []string // before a call's own
	closing  sync.Once
}

// Run implements runtimes.Program.
func (p *program) Run(ctx context.Context, of *runtimes.Process) error {
	inner := *of
	inner.Args, inner.Env = p.argv(of.Args), p.environ(of.Env)
	err := p.Program.Run(ctx, &inner)
	of.Usage = inner.Usage
	return err
}

// argv returns the interpreter's arguments for those of a call.
func (p *program) argv(call []string) []string {
	if p.args == nil {
		return call
	}
	return slices.Concat(p.args, call[min(1, len(call)):])
}

// environ returns the interpreter's environment for that of a call.
func (p *program) environ(call []string) []string {
	if p.env == nil {
		return call
	}
	return slices.Concat(p.env, call)
}

// Close implements runtimes.Program.
func (p *program) Close(ctx context.Context) error {
	var err error
	p.closing.Do(func() {
		err = errors.Join(p.Program.Close(ctx), p.language.runtime.release(p.language))
	})
	return err
}
