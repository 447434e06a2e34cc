package registry

import (
	"context"
	"slices"

	"github.com/polyvoke/polyvoke/protocol"
)

// fitting returns the record of an entry, and the entry as it reads, without the versions that need not be kept. What
// aliases name is asked only if something is to go.
func (r *JetStream) fitting(ctx context.Context, e Entry) ([]byte, Entry, error) {
	most := r.maxRecord()
	if len(e.Versions) <= KeepVersions {
		if b, whole, err := encodeEntry(e, most, named{}); err == nil && len(whole.Versions) == len(e.Versions) {
			return b, whole, nil
		}
	}
	keep, err := r.named(ctx, e.Name)
	if err != nil {
		return nil, e, err
	}
	return encodeEntry(e.pruned(keep), most, keep)
}

// keepNamed puts versions back that were dropped while an alias was made to mean them. Their modules are still there.
func (r *JetStream) keepNamed(ctx context.Context, op string, was Entry, is *replacement) error {
	if len(is.entry.Dropped) == 0 {
		return nil
	}
	for try := range attempts {
		keep, err := r.named(ctx, was.Name)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(is.entry.Dropped, func(v int) bool { return keep.now[v] }) {
			return nil
		}
		rec, err := r.read(ctx, was.Name)
		if err != nil || rec.err != nil || !rec.there() {
			return err // somebody has removed it, or made it another one
		}
		b, e, err := encodeEntry(rec.entry.withNamed(was, is.entry.Dropped, keep), r.maxRecord(), keep)
		if err != nil {
			return err
		}
		if err := r.write(ctx, was.Name, b, rec); !lost(err) {
			is.is, is.entry = b, e
			return err
		}
		if err := backOff(ctx, try); err != nil {
			return err
		}
	}
	return contended(op)
}

// withNamed returns the entry with those of was's versions that were dropped and are named.
func (e Entry) withNamed(was Entry, dropped []int, keep named) Entry {
	e.Dropped = nil
	for _, v := range dropped {
		f := was.Numbered(v)
		switch {
		case f == nil || e.Numbered(v) != nil:
		case keep.now[v]:
			e.Versions = append(slices.Clone(e.Versions), *f)
			slices.SortFunc(e.Versions, func(a, b protocol.Function) int { return a.Version - b.Version })
		default:
			e.Dropped = append(e.Dropped, v)
		}
	}
	e.Needs = e.needed()
	return e
}

// cleanStart forgets the aliases that a function with the same name has left behind, if its removal was not finished.
func (r *JetStream) cleanStart(ctx context.Context, name string, rec record) error {
	if rec.there() || !rec.deleted {
		return nil
	}
	return r.forgetAliases(ctx, name)
}
