package backend_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/backend/journal"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// kind opens resources that take down what happens to them. It is a real one but for that nothing is behind it.
type kind struct {
	fails  error // of Open
	failed map[string]error
	quiet  map[string]bool // mounts that have nothing to commit
	marks  map[string]string
	effect bool
	done   []string
}

// note takes something down.
func (k *kind) note(format string, a ...any) { k.done = append(k.done, fmt.Sprintf(format, a...)) }

// Open implements backend.Kind.
func (k *kind) Open(_ context.Context, _ *protocol.Function, grants []protocol.Grant) ([]backend.Resource, error) {
	var all []backend.Resource
	for _, g := range grants {
		all = append(all, resource{k, g.Mount()})
	}
	return all, k.fails
}

// resource is a mount of a kind.
type resource struct {
	*kind
	mount string
}

// Mount implements backend.Resource.
func (r resource) Mount() string { return r.mount }

// Close implements backend.Resource.
func (r resource) Close() { r.note("close %s", r.mount) }

// Find implements backend.Marker.
func (r resource) Find(_ context.Context, id string) ([]byte, bool, error) {
	v, ok := r.marks[r.mount+id]
	return []byte(v), ok, r.failed["find "+r.mount]
}

// Begin implements backend.Resource.
func (r resource) Begin(t *backend.Transaction) backend.Session {
	s := session{r, t}
	switch {
	case strings.HasPrefix(r.mount, "/obj"):
		return undoer{committer{s}}
	case strings.HasPrefix(r.mount, "/kv"):
		return committer{s}
	case strings.HasPrefix(r.mount, "/pub"):
		return sender{s}
	}
	return effector{s}
}

// The sessions, each with what the kind of its mount is.
type (
	session struct {
		resource
		t *backend.Transaction
	}
	committer struct{ session }
	undoer    struct{ committer }
	sender    struct{ session }
	effector  struct{ session }
)

// Tree implements backend.Session.
func (s session) Tree() files.Tree { return files.Static(files.Map{"a": []byte(s.mount)}) }

// End implements backend.Session.
func (s session) End() { s.note("end %s", s.mount) }

// Stage implements backend.Committer.
func (c committer) Stage() backend.Stage {
	if strings.HasPrefix(c.mount, "/kv") {
		return backend.StageKeys
	}
	return backend.StageObjects
}

// Changed implements backend.Committer.
func (c committer) Changed() bool { return !c.quiet[c.mount] }

// Commit implements backend.Committer.
func (c committer) Commit(_ context.Context, m *backend.Mark) error {
	if err := c.failed[c.mount]; err != nil {
		return err
	}
	if m != nil && !m.Done && c.Stage() == backend.StageKeys {
		c.note("mark %s", m.ID)
		m.Done = true
	}
	c.note("commit %s", c.mount)
	return nil
}

// Undo implements backend.Undoer.
func (u undoer) Undo(ctx context.Context) { u.note("undo %s %v", u.mount, ctx.Err()) }

// Send implements backend.Sender.
func (s sender) Send(context.Context) error {
	s.note("send %s", s.mount)
	return s.failed[s.mount]
}

// Effective implements backend.Effector.
func (e effector) Effective() bool { return e.effect }

// manifest grants two buckets of each kind, messages and a call. Its order is not that of stages.
func manifest() *protocol.Function {
	return &protocol.Function{Name: "shop", Version: 1, Grants: []protocol.Grant{{KV: "b", Access: protocol.AccessWrite},
		{Pub: "orders.*"}, {KV: "a", Access: protocol.AccessWrite}, {Fn: "price"}, {Obj: "z", Access: protocol.AccessWrite},
		{Obj: "y", Access: protocol.AccessWrite}}}
}

// begin begins a transaction of the manifest.
func begin(t *testing.T, k *kind, r *journal.Record) (*backend.Grants, *backend.Transaction) {
	b := &backend.Backend{Kinds: map[string]backend.Kind{}}
	for _, name := range protocol.GrantKinds() {
		b.Kinds[name] = k
	}
	g, err := b.Open(t.Context(), manifest())
	if err != nil {
		t.Fatal(err)
	}
	return g, g.Begin(t.Context(), backend.Call{Deadline: time.Now().Add(time.Hour), Record: r})
}

// TestCommit commits, with one thing that fails or is not there at a time.
func TestCommit(t *testing.T) {
	conflict, unknown := &backend.Conflict{Path: "/kv/b/x"}, fmt.Errorf("no answer: %w", backend.ErrUnknown)
	for _, c := range []struct {
		name  string
		fails string
		err   error
		quiet string
		mark  bool
		want  string
	}{
		{name: "all", want: "commit /obj/y, commit /obj/z, commit /kv/a, commit /kv/b, send /pub"},
		{name: "a mark", mark: true, want: "commit /obj/y, commit /obj/z, mark m, commit /kv/a, commit /kv/b, send /pub"},
		{name: "nothing to commit there", quiet: "/kv/a", mark: true,
			want: "commit /obj/y, commit /obj/z, mark m, commit /kv/b, send /pub"},
		{name: "a conflict", fails: "/kv/b", err: conflict,
			want: "commit /obj/y, commit /obj/z, commit /kv/a, undo /obj/y <nil>, undo /obj/z <nil>"},
		{name: "the second fails", fails: "/obj/z", err: conflict, want: "commit /obj/y, undo /obj/y <nil>"},
		{name: "the first fails", fails: "/obj/y", err: conflict},
		{name: "nobody knows", fails: "/kv/a", err: unknown, want: "commit /obj/y, commit /obj/z"},
		{name: "sending fails", fails: "/pub", err: errors.New("refused"),
			want: "commit /obj/y, commit /obj/z, commit /kv/a, commit /kv/b, send /pub"},
	} {
		k := &kind{failed: map[string]error{c.fails: c.err}, quiet: map[string]bool{c.quiet: true}}
		_, tx := begin(t, k, nil)
		var m *backend.Mark
		if c.mark {
			m = &backend.Mark{ID: "m"}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // what is taken back is so although nobody waits any more
		err := tx.Commit(ctx, m)
		if err == nil {
			err = tx.Send(ctx)
		}
		if got := strings.Join(k.done, ", "); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %s, %v; want %s", c.name, got, err, c.want)
		}
		tx.End()
	}
}

// TestRepeatable checks what a run can be asked before it commits.
func TestRepeatable(t *testing.T) {
	for _, effect := range []bool{false, true} {
		_, tx := begin(t, &kind{effect: effect}, nil)
		if tx.Repeatable() == effect {
			t.Errorf("with an effect %t a run is repeatable", effect)
		}
		tx.Read()
		tx.Read()
		tx.Write()
		if tx.Reads() != 2 || tx.Writes() != 1 || !tx.Pending() || tx.Hider() != nil {
			t.Errorf("%d reads, %d writes, pending %t", tx.Reads(), tx.Writes(), tx.Pending())
		}
		tx.End()
	}
	f := &protocol.Function{Name: "f", Grants: []protocol.Grant{{KV: "a", Access: protocol.AccessWrite}}}
	b := &backend.Backend{Kinds: map[string]backend.Kind{protocol.GrantKV: &kind{quiet: map[string]bool{"/kv/a": true}}}}
	g, err := b.Open(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	if tx := g.Begin(t.Context(), backend.Call{Deadline: time.Now().Add(time.Hour)}); tx.Pending() {
		t.Error("a run that has changed nothing has something to commit")
	}
}

// TestMounts checks what a run sees, recorded and not.
func TestMounts(t *testing.T) {
	for _, r := range []*journal.Record{nil, new(journal.Record)} {
		_, tx := begin(t, &kind{}, r)
		var paths []string
		for _, m := range tx.Mounts() {
			paths = append(paths, m.Path)
			if i, err := m.Tree.Stat(t.Context(), "a"); err != nil || i.Size != int64(len(m.Path)) {
				t.Errorf("%s: %v, %v", m.Path, i, err)
			}
		}
		slices.Sort(paths)
		if !slices.Equal(paths, manifest().Mounts()) {
			t.Errorf("there are %q", paths)
		}
		if r != nil {
			if kept, lost := r.End(); lost != "" || len(kept.Ops) != len(paths) {
				t.Errorf("recorded are %+v, %s", kept, lost)
			}
		}
		tx.End()
	}
}

// TestOpen opens grants that are not there, cannot be opened, or are none.
func TestOpen(t *testing.T) {
	var none *backend.Backend
	if g, err := none.Open(t.Context(), &protocol.Function{Name: "f"}); g != nil || err != nil {
		t.Errorf("without grants: %v, %v", g, err)
	}
	if _, err := none.Open(t.Context(), manifest()); protocol.CodeOf(err) != protocol.CodeUnknownNeed {
		t.Errorf("without a back end: %v", err)
	}
	var nothing *backend.Grants
	nothing.Close()
	keys, failed := &kind{}, &kind{fails: protocol.Errorf(protocol.CodeUnavailable, "", "away")}
	b := &backend.Backend{Kinds: map[string]backend.Kind{protocol.GrantKV: keys, protocol.GrantObj: failed}}
	if _, err := b.Open(t.Context(), manifest()); protocol.CodeOf(err) != protocol.CodeUnavailable {
		t.Errorf("one that fails: %v", err)
	}
	if got := strings.Join(keys.done, ", "); got != "close /kv/b, close /kv/a" {
		t.Errorf("of those that were opened before: %q", got)
	}
}

// TestFind looks for marks where they can be.
func TestFind(t *testing.T) {
	k := &kind{marks: map[string]string{"/kv/bm": "there"}, failed: map[string]error{}}
	g, tx := begin(t, k, nil)
	defer tx.End()
	for id, want := range map[string]string{"m": "there", "n": ""} {
		reply, found, err := g.Find(t.Context(), id)
		if string(reply) != want || found != (want != "") || err != nil {
			t.Errorf("%s: %q, %t, %v", id, reply, found, err)
		}
	}
	k.failed["find /kv/a"] = errors.New("away")
	if _, found, err := g.Find(t.Context(), "m"); found || err == nil {
		t.Errorf("if one cannot be asked: %t, %v", found, err)
	}
}

// TestDo checks that what is left behind has a context that ends with the run, and not with the operation.
func TestDo(t *testing.T) {
	_, tx := begin(t, &kind{}, nil)
	var value string
	if err := tx.Do(t.Context(), func(context.Context) { value = "done" }); err != nil || value != "done" {
		t.Errorf("got %q, %v", value, err)
	}
	operation, cancel := context.WithCancel(t.Context())
	began, ended := make(chan context.Context, 1), make(chan error, 1)
	go func() {
		<-began
		cancel()
	}()
	err := tx.Do(operation, func(ctx context.Context) {
		began <- ctx
		<-ctx.Done()
		ended <- ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("an operation that is given up: %v", err)
	}
	select {
	case err := <-ended:
		t.Errorf("it has ended with the operation: %v", err)
	default:
	}
	tx.End()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

// TestQuota adds up what several grants of one bucket allow: the least quota that one has, and all operations.
func TestQuota(t *testing.T) {
	var q backend.Quota
	for _, g := range []protocol.Grant{{MaxKeys: 7, MaxOps: 10}, {MaxOps: 5}, {MaxKeys: 3, MaxBytes: 100, MaxOps: 1},
		{MaxKeys: 9, MaxBytes: 200, MaxOps: 1}} {
		q = q.With(g)
	}
	if want := (backend.Quota{Keys: 3, Bytes: 100, Ops: 17}); q != want {
		t.Errorf("got %+v, want %+v", q, want)
	}
}
