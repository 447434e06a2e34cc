package objects_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/backend/objects"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/files/filestest"
)

// output is what a run of the tests may hold.
const output = 1 << 20

// world is a NATS server, and a back end on it.
type world struct {
	testing.TB
	server *server.Server
	nc     *nats.Conn
	js     jetstream.JetStream
	kind   *objects.Kind
	mu     sync.Mutex
	lines  []string // of the function's log
}

// newWorld returns a world with no bucket.
func newWorld(t testing.TB) *world {
	s := registrytest.StartNATS(t, t.TempDir(), 0)
	nc := registrytest.Connect(t, s)
	js := registrytest.JetStream(t, nc)
	return &world{TB: t, server: s, nc: nc, js: js, kind: objects.New(js, 0)}
}

// must ends the test if there is an error.
func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// bucket makes a bucket with objects.
func (w *world) bucket(name string, content map[string]string) jetstream.ObjectStore {
	w.Helper()
	b, err := w.js.CreateObjectStore(w.Context(), jetstream.ObjectStoreConfig{Bucket: name})
	w.must(err)
	for name, text := range content {
		_, err := b.PutString(w.Context(), name, text)
		w.must(err)
	}
	return b
}

// open opens what a function is granted.
func (w *world) open(all ...protocol.Grant) (*backend.Grants, error) {
	b := &backend.Backend{Kinds: map[string]backend.Kind{protocol.GrantObj: w.kind}}
	return b.Open(w.Context(), &protocol.Function{Name: "f", Version: 1, Grants: all})
}

// grants opens what can be.
func (w *world) grants(all ...protocol.Grant) *backend.Grants {
	w.Helper()
	g, err := w.open(all...)
	w.must(err)
	w.Cleanup(g.Close)
	return g
}

// run is a run of a function with the grants.
type run struct {
	*world
	t     *backend.Transaction
	trees []files.Mount
}

// begin begins a run.
func (w *world) begin(g *backend.Grants) *run {
	t := g.Begin(context.Background(), backend.Call{Output: output, Deadline: time.Now().Add(time.Minute),
		Log: func(text string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.lines = append(w.lines, text)
		}})
	return &run{w, t, t.Mounts()}
}

// tree returns the first tree.
func (r *run) tree() files.Tree { return r.trees[0].Tree }

// commit ends the run with success.
func (r *run) commit() {
	r.Helper()
	r.must(r.t.Commit(r.Context(), nil))
	r.t.End()
}

// put writes a file.
func (r *run) put(name, text string, how files.Flags) error {
	f, err := r.tree().Open(r.Context(), name, how)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(r.Context(), []byte(text), 0)
	return errors.Join(err, f.Close(r.Context()))
}

// get reads a file.
func (r *run) get(name string) (string, error) {
	b, err := fs.ReadFile(files.Std(r.Context(), r.tree()), name)
	return string(b), err
}

// blind is how a file is opened to be replaced, update how one is to be changed.
const (
	blind  = files.Write | files.Create | files.Truncate
	update = files.Read | files.Write
)

// has checks what a bucket has, as other clients see it, and that nothing else is in its stream.
func (w *world) has(bucket string, want map[string]string) {
	w.Helper()
	b, err := w.js.ObjectStore(w.Context(), bucket)
	w.must(err)
	got := map[string]string{}
	all, err := b.List(w.Context())
	if err != nil && !errors.Is(err, jetstream.ErrNoObjectsFound) {
		w.Fatal(err)
	}
	for _, o := range all {
		text, err := b.GetString(w.Context(), o.Name)
		w.must(err)
		got[o.Name] = text
	}
	if !maps.Equal(got, want) {
		w.Errorf("the bucket has %.300q, want %.300q", got, want)
	}
}

// chunks returns of how many uploads there are chunks, once that is want, or at the end of its patience.
func (w *world) chunks(bucket string, want int) {
	w.Helper()
	s, err := w.js.Stream(w.Context(), "OBJ_"+bucket)
	w.must(err)
	info, err := s.Info(w.Context(), jetstream.WithSubjectFilter("$O."+bucket+".C.>"))
	w.must(err)
	if len(info.State.Subjects) != want {
		w.Errorf("there are chunks of %d uploads, want %d", len(info.State.Subjects), want)
	}
}

// rw is a grant of a bucket.
func rw(name string) protocol.Grant { return protocol.Grant{Obj: name, Access: protocol.AccessWrite} }

func TestConformance(t *testing.T) {
	w := newWorld(t)
	made := 0
	for _, access := range []string{protocol.AccessRead, protocol.AccessWrite} {
		t.Run(access, func(t *testing.T) {
			filestest.Test(t, filestest.Harness{NoTimes: true, MakesFolders: true, Room: output,
				New: func(t testing.TB, content map[string]string) files.Tree {
					made++
					bucket := fmt.Sprint("b", made)
					w.bucket(bucket, content)
					g := w.grants(protocol.Grant{Obj: bucket, Access: access, MaxOps: 100_000})
					return w.begin(g).tree()
				}})
		})
	}
}

// What a run writes is seen by itself, and by nobody else before it is committed.
func TestCommit(t *testing.T) {
	w := newWorld(t)
	large := strings.Repeat("0123456789abcdef", 50_000)
	w.bucket("b", map[string]string{"a": "a", "d/b": "b", "d/c": "c", "gone": "x", "old name": large})
	g := w.grants(rw("b"))
	r := w.begin(g)
	before := map[string]string{"a": "a", "d/b": "b", "d/c": "c", "gone": "x", "old name": large}
	w.must(r.put("a", "new", blind))
	w.must(r.put("d/b", "B+", update))
	w.must(r.put("d/new", "new", files.Write|files.Create|files.Exclusive))
	w.must(r.tree().Mkdir(t.Context(), "e"))
	w.must(r.tree().Mkdir(t.Context(), "empty"))
	w.must(r.put("e/large", large, blind))
	w.must(r.put("temporary", "t", blind))
	w.must(r.tree().Rename(t.Context(), "temporary", "d/c"))
	w.must(r.tree().Rename(t.Context(), "old name", "e/new name"))
	w.must(r.tree().Remove(t.Context(), "gone"))
	w.must(r.put("never", "x", blind))
	w.must(r.tree().Remove(t.Context(), "never"))
	w.has("b", before)
	if got, err := r.get("d/b"); got != "B+" || err != nil {
		t.Errorf("the run itself reads %q, %v", got, err)
	}
	r.t.End()
	w.has("b", before)
	r = w.begin(g)
	if got, err := r.get("a"); got != "a" || err != nil {
		t.Errorf("after a run that has failed there is %q, %v", got, err)
	}
	w.must(r.put("a", "new", blind))
	w.must(r.put("d/b", "B+", update))
	w.must(r.tree().Mkdir(t.Context(), "e"))
	w.must(r.put("e/large", large, blind))
	w.must(r.tree().Rename(t.Context(), "old name", "e/new name"))
	w.must(r.tree().Remove(t.Context(), "gone"))
	if writes := r.t.Writes(); writes != 0 {
		t.Errorf("%d writes before the commit", writes)
	}
	r.commit()
	if writes := r.t.Writes(); writes != 6 {
		t.Errorf("%d writes, want 6", writes)
	}
	w.has("b", map[string]string{"a": "new", "d/b": "B+", "d/c": "c", "e/large": large, "e/new name": large})
	g.Close()
	w.chunks("b", 5)
}

// What was read must not change before the commit; what was written without a look is the last one's.
func TestConflict(t *testing.T) {
	w := newWorld(t)
	b := w.bucket("b", nil)
	g := w.grants(rw("b"))
	for name, c := range map[string]struct {
		do       func(r *run) error
		conflict bool
	}{
		"blind write":   {func(r *run) error { return r.put("x", "mine", blind) }, false},
		"blind removal": {func(r *run) error { return r.tree().Remove(t.Context(), "x") }, false},
		"change":        {func(r *run) error { return r.put("x", "M", update) }, true},
		"rename":        {func(r *run) error { return r.tree().Rename(t.Context(), "x", "y") }, true},
		"exclusive":     {func(r *run) error { return r.put("none", "x", blind|files.Exclusive) }, true},
		"append":        {func(r *run) error { return r.put("none", "x", files.Write|files.Create) }, true},
		"read and replace": {func(r *run) error {
			_, err := r.get("x")
			return errors.Join(err, r.put("x", "mine", blind))
		}, true},
		"read and write another": {func(r *run) error {
			_, err := r.get("x")
			return errors.Join(err, r.put("y", "mine", blind))
		}, false},
	} {
		all, _ := b.List(t.Context())
		for _, o := range all {
			w.must(b.Delete(t.Context(), o.Name))
		}
		_, err := b.PutString(t.Context(), "x", "before")
		w.must(err)
		r := w.begin(g)
		if err := c.do(r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		w.must(r.put("also", "mine", blind))
		_, err = b.PutString(t.Context(), "x", "theirs")
		w.must(err)
		_, err = b.PutString(t.Context(), "none", "theirs")
		w.must(err)
		err = r.t.Commit(t.Context(), nil)
		r.t.End()
		var conflict *backend.Conflict
		if errors.As(err, &conflict) != c.conflict || err != nil && !c.conflict {
			t.Errorf("%s: the commit says %v", name, err)
		}
		if conflict != nil && !strings.HasPrefix(conflict.Path, "/obj/b/") {
			t.Errorf("%s: the conflict is at %s", name, conflict.Path)
		}
		if _, err := b.GetInfo(t.Context(), "also"); (err == nil) == c.conflict {
			t.Errorf("%s: of what else the run has written there is %v", name, err)
		}
	}
}

// A later session that cannot commit has the objects put back.
func TestUndo(t *testing.T) {
	w := newWorld(t)
	w.bucket("a", map[string]string{"x": "old", "gone": "old"})
	w.bucket("b", map[string]string{"x": "old"})
	g := w.grants(rw("a"), rw("b"))
	r := w.begin(g)
	w.must(r.put("x", "new", blind))
	w.must(r.put("new", "new", blind))
	w.must(r.tree().Remove(t.Context(), "gone"))
	r.trees[0], r.trees[1] = r.trees[1], r.trees[0]
	w.must(r.put("x", "N", update))
	b, err := w.js.ObjectStore(t.Context(), "b")
	w.must(err)
	_, err = b.PutString(t.Context(), "x", "theirs")
	w.must(err)
	var conflict *backend.Conflict
	if err := r.t.Commit(t.Context(), nil); !errors.As(err, &conflict) || conflict.Path != "/obj/b/x" {
		t.Errorf("the commit says %v", err)
	}
	r.t.End()
	w.has("a", map[string]string{"x": "old", "gone": "old"})
	w.has("b", map[string]string{"x": "theirs"})
	w.chunks("a", 2)
}

func TestOpen(t *testing.T) {
	w := newWorld(t)
	for name, want := range map[string]int{"none": 422, "fn_modules": 422, "FN_X": 422, "_x": 422, "a.b": 422, "a b": 422,
		"a>": 422, "../x": 422, strings.Repeat("x", 300): 422} {
		if _, err := w.open(rw(name)); protocol.CodeOf(err) != want {
			t.Errorf("%q: %v", name, err)
		}
	}
	made := rw("made")
	made.Create = true
	w.grants(made)
	w.has("made", map[string]string{})
	w.grants(rw("made"))
	if _, err := w.open(rw("made"), rw("none")); protocol.CodeOf(err) != 422 {
		t.Errorf("one of two: %v", err)
	}
	w.server.Shutdown()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := w.kind.Open(ctx, &protocol.Function{Name: "f"}, []protocol.Grant{rw("made")})
	if protocol.CodeOf(err) != 503 {
		t.Errorf("without NATS: %v", err)
	}
}

// Large objects are read in any order, small ones from what other runs have read.
func TestRead(t *testing.T) {
	w := newWorld(t)
	large := make([]byte, 5<<20)
	r8 := rand.NewChaCha8([32]byte{1})
	_, _ = r8.Read(large)
	w.bucket("b", map[string]string{"large": string(large), "small": "small"})
	g := w.grants(protocol.Grant{Obj: "b"})
	r := w.begin(g)
	f, err := r.tree().Open(t.Context(), "large", files.Read)
	w.must(err)
	if info, err := f.Stat(t.Context()); err != nil || info.Size != 5<<20 || info.ModTime.IsZero() {
		t.Errorf("%+v, %v", info, err)
	}
	b := make([]byte, 3000)
	for _, at := range []int64{0, 3000, 5<<20 - 10, 128<<10 - 5, 1 << 20, 4 << 20, 5} {
		n, err := f.ReadAt(t.Context(), b, at)
		if err != nil || string(b[:n]) != string(large[at:at+int64(n)]) || n == 0 {
			t.Errorf("at %d: %d bytes, %v", at, n, err)
		}
	}
	if n, err := f.ReadAt(t.Context(), b, 5<<20); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
	if got, err := r.get("large"); err != nil || got != string(large) {
		t.Errorf("as a whole: %d bytes, %v", len(got), err)
	}
	for range 2 {
		r := w.begin(g)
		if got, err := r.get("small"); err != nil || got != "small" {
			t.Errorf("small: %q, %v", got, err)
		}
		if reads := r.t.Reads(); reads > 2 {
			t.Errorf("%d reads", reads)
		}
		r.t.End()
	}
}

// What was replaced while it is read is an I/O error, and the developer reads why.
func TestReplacedWhileRead(t *testing.T) {
	w := newWorld(t)
	store := w.bucket("b", map[string]string{"x": strings.Repeat("x", 3<<20)})
	r := w.begin(w.grants(rw("b")))
	f, err := r.tree().Open(t.Context(), "x", files.Read)
	w.must(err)
	b := make([]byte, 10)
	_, err = f.ReadAt(t.Context(), b, 0)
	w.must(err)
	_, err = store.PutString(t.Context(), "x", "new")
	w.must(err)
	if _, err := f.ReadAt(t.Context(), b, 2<<20); !errors.Is(err, syscall.EIO) {
		t.Errorf("the error is %v", err)
	}
	if len(w.lines) != 1 || !strings.Contains(w.lines[0], "/obj/b/x") {
		t.Errorf("the log has %q", w.lines)
	}
	w.must(r.put("x", "mine", blind))
	var conflict *backend.Conflict
	if err := r.t.Commit(t.Context(), nil); !errors.As(err, &conflict) {
		t.Errorf("the commit says %v", err)
	}
}

// Only what a pattern covers exists, and a name that no object can have is refused.
func TestNames(t *testing.T) {
	w := newWorld(t)
	w.bucket("b", map[string]string{"eu/a": "a", "us/b": "b", "eu/x/c": "c", "top": "t", "/abs": "x", "a//b": "x",
		"../up": "x", "tail/": "x", "ctrl\n": "x", "with blank": "x", "\xff": "x"})
	g := w.grants(protocol.Grant{Obj: "b", Keys: "eu/*", Access: protocol.AccessWrite},
		protocol.Grant{Obj: "b", Keys: "t*p"})
	r := w.begin(g)
	all, err := r.tree().ReadDir(t.Context(), ".")
	if err != nil || fmt.Sprint(all) != "[{eu d---------} {top ----------}]" {
		t.Errorf("there is %v, %v", all, err)
	}
	for _, name := range []string{"us/b", "us", "with blank"} {
		if _, err := r.tree().Stat(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := r.put("top", "x", update); !errors.Is(err, files.ErrReadOnly) {
		t.Errorf("what can only be read: %v", err)
	}
	if err := r.put("other", "x", blind); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("what is not covered: %v", err)
	}
	if err := r.tree().Rename(t.Context(), "eu/a", "a"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("to what is not covered: %v", err)
	}
	if err := r.tree().Remove(t.Context(), "top"); !errors.Is(err, files.ErrReadOnly) {
		t.Errorf("removing what can only be read: %v", err)
	}
	w.must(r.put("eu/new", "x", blind))
	r.commit()
	r = w.begin(w.grants(rw("b")))
	all, err = r.tree().ReadDir(t.Context(), ".")
	got := fmt.Sprint(all)
	if err != nil || got != "[{eu d---------} {top ----------} {us d---------} {with blank ----------}]" {
		t.Errorf("there is %v, %v", got, err)
	}
	for _, name := range []string{"", "/x", "x/", "../x", "a/../b", "a//b", "x\x00", "x\n", "\x7f", "\xff",
		strings.Repeat("x", 5000), strings.Repeat("x", 256)} {
		if err := r.put(name, "x", blind); !errors.Is(err, fs.ErrInvalid) && !errors.Is(err, files.ErrNameTooLong) {
			t.Errorf("writing %.20q: %v", name, err)
		}
		if _, err := r.tree().Stat(t.Context(), name); err == nil {
			t.Errorf("%.20q is there", name)
		}
	}
	for _, name := range []string{"*", ">", "$O.b.M.x", "a b", "ä/ö", strings.Repeat("x", 255)} {
		if strings.Contains(name, "/") {
			w.must(r.tree().Mkdir(t.Context(), "ä"))
		}
		w.must(r.put(name, name, blind))
	}
	r.commit()
	r = w.begin(w.grants(rw("b")))
	if got, err := r.get(">"); got != ">" || err != nil {
		t.Errorf("> has %q, %v", got, err)
	}
}

func TestQuotas(t *testing.T) {
	w := newWorld(t)
	w.bucket("b", map[string]string{"a": strings.Repeat("a", 1000), "b": "b"})
	g := protocol.Grant{Obj: "b", Access: protocol.AccessWrite, MaxKeys: 3, MaxBytes: 2000}
	r := w.begin(w.grants(g))
	w.must(r.put("c", "c", blind))
	if err := r.put("d", "d", blind); !errors.Is(err, files.ErrNoSpace) {
		t.Errorf("one object more: %v", err)
	}
	if err := r.put("c", strings.Repeat("c", 1500), blind); !errors.Is(err, files.ErrNoSpace) {
		t.Errorf("more bytes: %v", err)
	}
	w.must(r.tree().Remove(t.Context(), "a"))
	w.must(r.put("c", strings.Repeat("c", 1500), blind))
	w.must(r.put("d", "d", blind))
	r.commit()
	one, two := w.begin(w.grants(g)), w.begin(w.grants(g))
	w.must(one.tree().Remove(t.Context(), "b"))
	w.must(one.put("e", "e", blind))
	w.must(two.tree().Remove(t.Context(), "d"))
	w.must(two.put("f", "f", blind))
	w.must(two.tree().Remove(t.Context(), "b"))
	w.must(two.put("g", "g", blind))
	one.commit()
	if err := two.t.Commit(t.Context(), nil); protocol.CodeOf(err) != 507 {
		t.Errorf("a quota that others have used up: %v", err)
	}
	few := w.begin(w.grants(protocol.Grant{Obj: "b", MaxOps: 5}))
	var err error
	for i := range 10 {
		if _, err = few.get(fmt.Sprint("none", i)); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if !errors.Is(err, files.ErrNoSpace) {
		t.Errorf("many operations: %v", err)
	}
	long := w.begin(w.grants(rw("b")))
	if err := long.put("long", strings.Repeat("x", output+1), blind); !errors.Is(err, files.ErrNoSpace) {
		t.Errorf("more than limits.output: %v", err)
	}
	if !slices.ContainsFunc(w.lines, func(l string) bool { return strings.Contains(l, "limits.output") }) ||
		!slices.ContainsFunc(w.lines, func(l string) bool { return strings.Contains(l, "max_keys") }) {
		t.Errorf("the log has %q", w.lines)
	}
}

// A bucket that is gone, or another one by now, is not what it was.
func TestBucketIsGone(t *testing.T) {
	w := newWorld(t)
	w.bucket("b", map[string]string{"a": "a", "b": "b", "c": "c"})
	g := w.grants(rw("b"))
	r := w.begin(g)
	if all, err := r.tree().ReadDir(t.Context(), "."); err != nil || len(all) != 3 {
		t.Errorf("there is %v, %v", all, err)
	}
	w.must(r.put("new", "x", blind))
	w.must(w.js.DeleteObjectStore(t.Context(), "b"))
	if _, err := r.get("b"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading: %v", err)
	}
	if err := r.t.Commit(t.Context(), nil); protocol.CodeOf(err) != 503 {
		t.Errorf("the commit says %v", err)
	}
	r.t.End()
	w.bucket("b", map[string]string{"z": "z"})
	deadline := time.Now().Add(registrytest.Patience)
	for {
		r := w.begin(g)
		all, err := r.tree().ReadDir(t.Context(), ".")
		r.t.End()
		if err == nil && len(all) == 1 && all[0].Name == "z" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the new bucket has %v, %v", all, err)
		}
	}
}

// Without NATS an operation ends at the deadline of the run at the latest.
func TestDeadline(t *testing.T) {
	w := newWorld(t)
	w.bucket("b", map[string]string{"a": "a"})
	g := w.grants(rw("b"))
	w.server.Shutdown()
	run := g.Begin(t.Context(), backend.Call{Output: output, Deadline: time.Now().Add(50 * time.Millisecond)})
	begin := time.Now()
	ctx, cancel := context.WithDeadline(t.Context(), run.Deadline)
	defer cancel()
	if _, err := run.Mounts()[0].Tree.Stat(ctx, "a"); err == nil || time.Since(begin) > 3*time.Second {
		t.Errorf("after %v: %v", time.Since(begin), err)
	}
	run.End()
}

// Many runs change one object and make their own; none is lost.
func TestHammer(t *testing.T) {
	w := newWorld(t)
	w.bucket("b", map[string]string{"n": ""})
	g := w.grants(rw("b"))
	const writers, each = 4, 12
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			for j := range each {
				for tries := 0; ; tries++ {
					r := w.begin(g)
					_, err := r.tree().ReadDir(t.Context(), ".")
					f, err2 := r.tree().Open(t.Context(), "n", update)
					if err = errors.Join(err, err2); err == nil {
						_, err = f.WriteAt(t.Context(), []byte("x"), files.End)
					}
					if err == nil {
						err = errors.Join(r.put(fmt.Sprint(i, " ", j), "mine", blind), r.t.Commit(t.Context(), nil))
					}
					r.t.End()
					var conflict *backend.Conflict
					if err == nil {
						break
					}
					if !errors.As(err, &conflict) || tries > 500 {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	all.Wait()
	r := w.begin(g)
	if got, err := r.get("n"); len(got) != writers*each || err != nil {
		t.Errorf("there are %d of %d changes, %v", len(got), writers*each, err)
	}
	if list, err := r.tree().ReadDir(t.Context(), "."); len(list) != writers*each+1 || err != nil {
		t.Errorf("there are %d objects, %v", len(list), err)
	}
	r.t.End()
	g.Close()
	w.chunks("b", writers*each+1)
}
