package kv

import (
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/files/filestest"
)

// patience is how long a test waits for an event.
const waits = 20 * time.Second

// env is a NATS server with buckets.
type env struct {
	testing.TB
	js   jetstream.JetStream
	nc   *nats.Conn
	kind *Kind
	n    int
}

// newEnv starts a server.
func newEnv(t testing.TB) *env {
	nc := registrytest.Connect(t, registrytest.StartNATS(t, t.TempDir(), 0))
	js := registrytest.JetStream(t, nc)
	return &env{TB: t, js: js, nc: nc, kind: &Kind{JetStream: js}}
}

// must ends the test if there is an error.
func (e *env) must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

// bucket makes a bucket with keys.
func (e *env) bucket(content map[string]string) jetstream.KeyValue {
	e.Helper()
	e.n++
	b, err := e.js.CreateKeyValue(e.Context(), jetstream.KeyValueConfig{Bucket: fmt.Sprint("b", e.n)})
	e.must(err)
	for k, v := range content {
		_, err := b.PutString(e.Context(), k, v)
		e.must(err)
	}
	return b
}

// open opens grants, until the end of the test.
func (e *env) open(f *protocol.Function, grants ...protocol.Grant) *mount {
	e.Helper()
	f.Grants = grants
	all, err := e.kind.Open(e.Context(), f, grants)
	e.must(err)
	if len(all) != 1 {
		e.Fatalf("there are %d mounts", len(all))
	}
	e.Cleanup(all[0].Close)
	m := all[0].(*mount)
	select {
	case <-m.bucket.cache.loaded():
	case <-time.After(waits):
		e.Fatal("the cache is not loaded")
	}
	return m
}

// grant opens a bucket that can be written.
func (e *env) grant(b jetstream.KeyValue, change ...func(g *protocol.Grant)) *mount {
	e.Helper()
	g := protocol.Grant{KV: b.Bucket(), Access: protocol.AccessWrite}
	for _, c := range change {
		c(&g)
	}
	return e.open(&protocol.Function{Name: "f"}, g)
}

// lines are those that runs have logged.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) add(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, text)
}

// run is a session of a test.
type run struct {
	*session
	files.Tree
	t   testing.TB
	log *lines
}

// begin begins a run.
func begin(t testing.TB, m *mount, again int) *run {
	log := new(lines)
	s := m.Begin(&backend.Transaction{Call: backend.Call{
		Function: &protocol.Function{Name: "f"}, ID: func() string { return "id-1" }, Output: 16 << 20, Again: again,
		Log: log.add,
	}}).(*session)
	return &run{s, s.Tree(), t, log}
}

// put writes a file.
func (r *run) put(name, text string) {
	r.t.Helper()
	r.with(name, files.Write|files.Create|files.Truncate, func(f files.File) {
		if _, err := f.WriteAt(r.t.Context(), []byte(text), 0); err != nil {
			r.t.Error(err)
		}
	})
}

// with does something with an open file.
func (r *run) with(name string, how files.Flags, do func(f files.File)) {
	r.t.Helper()
	f, err := r.Tree.Open(r.t.Context(), name, how)
	if err != nil {
		r.t.Fatal(err)
	}
	do(f)
	if err := f.Close(r.t.Context()); err != nil {
		r.t.Error(err)
	}
}

// read returns what is in a file.
func (r *run) read(name string) (text string) {
	r.t.Helper()
	r.with(name, files.Read, func(f files.File) {
		b := make([]byte, 1<<20)
		n, err := f.ReadAt(r.t.Context(), b, 0)
		if err != nil && err != io.EOF {
			r.t.Error(err)
		}
		text = string(b[:n])
	})
	return text
}

// commit commits without a mark.
func (r *run) commit() error { return r.session.Commit(r.t.Context(), nil) }

// list returns what is in a folder, sorted, with slashes behind folders.
func (r *run) list(name string) (all []string) {
	r.t.Helper()
	found, err := r.Tree.ReadDir(r.t.Context(), name)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range found {
		if e.Mode.IsDir() {
			e.Name += "/"
		}
		all = append(all, e.Name)
	}
	slices.Sort(all)
	return all
}

// modes are the ways to a bucket's keys.
var modes = map[string]struct {
	most   limits
	change func(g *protocol.Grant)
}{
	"values in memory":  {},
	"names in memory":   {most: limits{keys: 1, bytes: 1, names: 100_000}},
	"nothing in memory": {most: limits{keys: 1, bytes: 1, names: -1}},
	"consistent":        {change: func(g *protocol.Grant) { g.Consistent = true }},
}

func TestFiles(t *testing.T) {
	for name, mode := range modes {
		for _, access := range []string{protocol.AccessRead, protocol.AccessWrite} {
			t.Run(path.Join(name, access), func(t *testing.T) {
				e := newEnv(t)
				e.kind.most = mode.most
				filestest.Test(t, filestest.Harness{
					NoTimes: true, MakesFolders: true, Room: 1 << 20,
					New: func(t testing.TB, content map[string]string) files.Tree {
						e := &env{TB: t, js: e.js, nc: e.nc, kind: e.kind, n: int(time.Now().UnixNano())}
						m := e.grant(e.bucket(content), func(g *protocol.Grant) {
							g.Access = access
							g.MaxOps = 500
							if mode.change != nil {
								mode.change(g)
							}
						})
						return begin(t, m, 0).Tree
					},
				})
			})
		}
	}
}

// value returns what NATS has under a key.
func (e *env) value(b jetstream.KeyValue, key string) string {
	e.Helper()
	v, err := b.Get(context.Background(), key)
	if err != nil {
		return err.Error()
	}
	return string(v.Value())
}

func TestCommit(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			e.kind.most = mode.most
			b := e.bucket(map[string]string{"tea": "5", "eu/milk": "7"})
			m := e.grant(b, func(g *protocol.Grant) {
				if mode.change != nil {
					mode.change(g)
				}
			})
			r := begin(t, m, 0)
			if r.Changed() {
				t.Error("nothing was done, and there is something to commit")
			}
			if got := r.read("tea") + r.read("eu/milk"); got != "57" {
				t.Errorf("it reads %q", got)
			}
			r.put("tea", "4")
			r.put("new/a/b", "deep")
			if got := e.value(b, "tea"); got != "5" {
				t.Errorf("before the commit tea is %q", got)
			}
			e.must(r.Tree.Remove(t.Context(), "eu/milk"))
			e.must(r.commit())
			if got := e.value(b, "tea") + e.value(b, "new/a/b"); got != "4deep" {
				t.Errorf("there is %q", got)
			}
			if got := e.value(b, "eu/milk"); got != "nats: key not found" {
				t.Errorf("what was removed is %q", got)
			}
			next := begin(t, m, 0)
			if got := next.read("tea"); got != "4" {
				t.Errorf("the next run reads %q", got)
			}
			if got := next.list("."); !slices.Equal(got, []string{"new/", "tea"}) {
				t.Errorf("the next run lists %q", got)
			}
		})
	}
}
