// Package interpreters keeps what runs scripts, for all invokers on one NATS system.
//
// An interpreter is kept as a function is: it has a name, numbered versions that never change, and bytes, in
// a registry of its own. So a script that was deployed with python@2 is run by python@2, whatever
// is added later.
package interpreters

import (
	"context"
	"fmt"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

// Store has the interpreters. Its methods may be called from several goroutines; their errors are *protocol.Error.
type Store struct {
	// Registry keeps the bundles.
	Registry registry.Registry
	// Describe reads a bundle: Name, Language, and in Env what people want to know. An error says what is wrong with
	// it.
	Describe func(bundle []byte) (protocol.Function, error)
}

// Add makes a bundle the newest version of its interpreter. If it is a version already, though not the newest, nothing
// changes: f is that version, and created is false. So an older bundle does not replace a newer one by accident; Pin
// does that.
func (s *Store) Add(ctx context.Context, bundle []byte) (f protocol.Function, created bool, err error) {
	f, err = s.Describe(bundle)
	if err != nil {
		return f, false, protocol.Errorf(protocol.CodeRefused, "add a runtime", "%w", err)
	}
	switch e, err := s.Registry.Find(ctx, f.Name); {
	case err == nil:
		digest := protocol.Digest(bundle)
		for i := len(e.Versions) - 1; i >= 0; i-- {
			if e.Versions[i].Digest == digest {
				return e.Versions[i], false, nil
			}
		}
	case protocol.CodeOf(err) != protocol.CodeNotFound:
		return f, false, err
	}
	e, created, err := s.Registry.Put(ctx, f, bundle)
	if err != nil {
		return f, false, err
	}
	return *e.Latest(), created, nil
}

// Pin makes an older version the newest again, under a new number: what is deployed from now on is run by it. What is
// deployed already stays with the version that it has.
func (s *Store) Pin(ctx context.Context, ref string) (f protocol.Function, created bool, err error) {
	old, err := s.Find(ctx, ref)
	if err != nil {
		return f, false, err
	}
	bundle, err := s.Registry.Module(ctx, old.Digest)
	if err != nil {
		return f, false, err
	}
	e, created, err := s.Registry.Put(ctx, old, bundle)
	if err != nil {
		return f, false, err
	}
	return *e.Latest(), created, nil
}

// List returns the newest version of each interpreter, sorted by name.
func (s *Store) List(ctx context.Context) ([]protocol.Function, error) {
	entries, err := s.Registry.List(ctx)
	if err != nil {
		return nil, err
	}
	all := []protocol.Function{}
	for _, e := range entries {
		all = append(all, *e.Latest())
	}
	return all, nil
}

// Find returns the interpreter that NAME or NAME@VERSION means. The error's code is 404 if there is none, and
// says which there are and how to add one.
func (s *Store) Find(ctx context.Context, ref string) (protocol.Function, error) {
	r, err := protocol.ParseRef(ref)
	if err != nil {
		return protocol.Function{}, err
	}
	e, err := s.Registry.Find(ctx, r.Name)
	if protocol.CodeOf(err) == protocol.CodeNotFound {
		return protocol.Function{}, protocol.Errorf(protocol.CodeNotFound, "",
			"there is no runtime %s here%s: get it with polyvoke runtime get %s, "+
				"or build it with polyvoke runtime build %s, and deploy again (polyvoke runtime ls shows all)",
			r.Name, s.others(ctx), r.Name, r.Name)
	}
	if err != nil {
		return protocol.Function{}, err
	}
	f, err := e.Version(r.Version)
	if err != nil {
		return protocol.Function{}, protocol.Errorf(protocol.CodeNotFound, "",
			"the runtime %s has no version %s; it has %d to %d",
			r.Name, r.Version, e.Versions[0].Version, e.Latest().Version)
	}
	return *f, nil
}

// others names the interpreters that there are.
func (s *Store) others(ctx context.Context) string {
	all, err := s.List(ctx)
	if err != nil || len(all) == 0 {
		return ""
	}
	text := ", only"
	for i, f := range all {
		if i > 0 {
			text += ","
		}
		text += " " + f.Name
	}
	return text
}

// Bundle returns the bundle of an interpreter and a name for it, the same for the same bytes only. It is
// what runtimes/script asks for.
func (s *Store) Bundle(ctx context.Context, ref string) (id string, bundle func() ([]byte, error), err error) {
	f, err := s.Find(ctx, ref)
	if err != nil {
		return "", nil, err
	}
	return f.Digest, func() ([]byte, error) {
		b, err := s.Registry.Module(ctx, f.Digest)
		if err != nil {
			return nil, fmt.Errorf("read the runtime %s: %w", f.Ref(), err)
		}
		return b, nil
	}, nil
}
