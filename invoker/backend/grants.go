package backend

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/polyvoke/polyvoke/protocol"
)

// Backend opens what manifests grant. Its methods may be called from several goroutines.
type Backend struct {
	// Kinds has what opens the grants of each kind, by protocol.Grant.Kind. It is not changed after the first call.
	Kinds map[string]Kind
}

// Grants is what the grants of one version name. A nil one grants nothing.
type Grants struct {
	resources []Resource // by mount
}

// Open makes ready what a manifest grants, for all runs of that version. It returns nil if the manifest grants nothing.
// Errors have a code: that of a Kind, or 501 for a kind that is not in Kinds.
func (b *Backend) Open(ctx context.Context, f *protocol.Function) (*Grants, error) {
	if len(f.Grants) == 0 {
		return nil, nil
	}
	g := new(Grants)
	for _, kind := range protocol.GrantKinds() {
		grants := slices.DeleteFunc(slices.Clone(f.Grants), func(one protocol.Grant) bool { return one.Kind() != kind })
		if len(grants) == 0 {
			continue
		}
		opened, err := b.open(ctx, kind, f, grants)
		if err != nil {
			g.Close()
			return nil, err
		}
		g.resources = append(g.resources, opened...)
	}
	slices.SortFunc(g.resources, func(a, b Resource) int { return strings.Compare(a.Mount(), b.Mount()) })
	return g, nil
}

// open opens the grants of one kind.
func (b *Backend) open(ctx context.Context, kind string, f *protocol.Function, all []protocol.Grant) ([]Resource, error) {
	if b == nil || b.Kinds[kind] == nil {
		return nil, protocol.Errorf(protocol.CodeUnknownNeed, "load "+f.Ref().String(),
			"grant %s: this invoker has nothing that grants it", kind)
	}
	return b.Kinds[kind].Open(ctx, f, all)
}

// Close lets go of all resources. It is called when no run uses them any more.
func (g *Grants) Close() {
	if g == nil {
		return
	}
	for _, r := range g.resources {
		r.Close()
	}
}

// Find returns what a request with an id has replied, if it was committed before.
func (g *Grants) Find(ctx context.Context, id string) (reply []byte, found bool, err error) {
	for _, r := range g.resources {
		m, ok := r.(Marker)
		if !ok {
			continue
		}
		if reply, found, err = m.Find(ctx, id); found || err != nil {
			return reply, found, err
		}
	}
	return nil, false, nil
}

// Begin begins the transaction of a run. Its context ends with ctx and at the deadline of the call. End must be called.
func (g *Grants) Begin(ctx context.Context, c Call) *Transaction {
	t := &Transaction{Call: c}
	t.ctx, t.cancel = context.WithDeadline(ctx, c.Deadline)
	for _, r := range g.resources {
		t.sessions = append(t.sessions, place{r.Mount(), r.Begin(t)})
	}
	slices.SortStableFunc(t.sessions, func(a, b place) int { return cmp.Compare(a.stage(), b.stage()) })
	return t
}

// Quota is what several grants of one bucket allow together.
type Quota struct {
	Keys  int   // in the bucket, or 0: no quota
	Bytes int64 // in the bucket, or 0: no quota
	Ops   int   // of one run, that go outside
}

// With returns the quota that also has that of a further grant. Quotas are about the whole bucket, so that the least
// one counts, and a grant that has none changes nothing; operations add up.
func (q Quota) With(g protocol.Grant) Quota {
	q.Ops += g.Ops()
	if g.MaxKeys > 0 && (q.Keys == 0 || g.MaxKeys < q.Keys) {
		q.Keys = g.MaxKeys
	}
	if most := int64(g.MaxBytes); most > 0 && (q.Bytes == 0 || most < q.Bytes) {
		q.Bytes = most
	}
	return q
}
