package invoker

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/polyvoke/polyvoke/invoker/control"
	"github.com/polyvoke/polyvoke/invoker/programs"
	"github.com/polyvoke/polyvoke/invoker/quarantine"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

// host is an invoker as its control service sees it.
type host struct {
	functions *functions
	loader    *loader
	journal   *quarantine.Journal
}

var _ control.Host = host{}

// Try implements control.Host.
func (h host) Try(ctx context.Context, m *protocol.Function, module []byte, edit bool) (release func(), err error) {
	if err := h.loader.trust.Check(m); err != nil {
		return nil, err
	}
	h.journal.Pardon(m.Digest)
	options := programs.Options(m)
	if edit && m.Runtime == "" {
		options.Line = m.Name
	}
	p, err := h.loader.compile(ctx, m, module, options)
	if err != nil {
		return nil, err
	}
	g, err := h.loader.backend.Open(ctx, m)
	if err != nil {
		h.loader.programs.Release(p)
		return nil, notGranted(err)
	}
	return func() { g.Close(); h.loader.programs.Release(p) }, nil
}

// notGranted returns the error of a deployment for one of a grant. What a call would have to wait for until somebody
// makes it is refused here.
func notGranted(err error) error {
	if protocol.CodeOf(err) != protocol.CodeUnavailable || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return &protocol.Error{Code: protocol.CodeRefused, Msg: protocol.MessageOf(err), Err: err}
}

// Await implements control.Host.
func (h host) Await(ctx context.Context, m *protocol.Function) error {
	for {
		changed := h.functions.applied.next()
		if done, err := h.functions.serves(m); done {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return protocol.Errorf(protocol.CodeUnavailable, "",
				"%s is stored, but is not being served yet; polyvoke info %s shows when it is", m.Ref(), m.Name)
		}
	}
}

// Load implements control.Host.
func (h host) Load(ctx context.Context, m *protocol.Function) (release func(), err error) {
	p, g, err := h.loader.load(ctx, m)
	if err != nil {
		return nil, err
	}
	return func() { g.Close(); h.loader.programs.Release(p) }, nil
}

// Canaries implements control.Host.
func (h host) Canaries() (all []protocol.AliasState) {
	for _, f := range h.functions.list() {
		f.mu.Lock()
		for _, s := range f.confirmed.Aliases {
			if s.Value.Canary != nil {
				all = append(all, s)
			}
		}
		f.mu.Unlock()
	}
	return all
}

// AwaitAlias implements control.Host.
func (h host) AwaitAlias(ctx context.Context, s protocol.AliasState) error {
	for {
		changed := h.functions.applied.next()
		if done, err := h.functions.means(s); done {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return protocol.Errorf(protocol.CodeUnavailable, "",
				"alias %s of %s is stored, but calls do not follow it yet; polyvoke alias ls %s shows what is stored",
				s.Alias, s.Function, s.Function)
		}
	}
}

// AwaitGone implements control.Host. Calls that still run may hold that up; then it is enough that no new one comes.
func (h host) AwaitGone(ctx context.Context, m *protocol.Function) error {
	for {
		changed := h.functions.applied.next()
		if served, _ := h.functions.serves(m); !served {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return protocol.Errorf(protocol.CodeUnavailable, "", "%s is deleted, but calls of it still run", m.Name)
		}
	}
}

// Stats implements control.Host.
func (h host) Stats(name string) protocol.Stats {
	f := h.functions.get(name)
	if f == nil {
		return protocol.Stats{}
	}
	out := f.figures(f.calls.Figures())
	out.Versions, out.Aliases = f.versions.counted()
	return out
}

// Damage implements control.Host.
func (h host) Damage() []protocol.Damage {
	h.functions.mu.Lock()
	defer h.functions.mu.Unlock()
	var all []protocol.Damage
	for _, name := range slices.Sorted(maps.Keys(h.functions.damaged)) {
		err := h.functions.damaged[name]
		unknown, _ := registry.UnknownNeeds(err)
		all = append(all, protocol.Damage{Name: name, Reason: err.Error(), Needs: unknown})
	}
	return all
}

// Unserved implements control.Host. What passes by itself with a connection is left out.
func (h host) Unserved() []protocol.Damage {
	var all []protocol.Damage
	for _, f := range h.functions.list() {
		f.mu.Lock()
		if f.failure != nil && !passing(f.failure) {
			all = append(all, protocol.Damage{Name: f.name, Reason: protocol.MessageOf(f.failure)})
		}
		f.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b protocol.Damage) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Taking implements control.Host.
func (h host) Taking(pattern string) []*protocol.Function { return h.functions.routes.Taking(pattern) }

// Overlapping implements control.Host.
func (h host) Overlapping(m *protocol.Function) []*protocol.Function {
	return h.functions.routes.Overlapping(m)
}

// Routes implements control.Host.
func (h host) Routes(m *protocol.Function) error { return h.functions.paths.Check(m) }
