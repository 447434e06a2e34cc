package unmodified_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/backend/kv"
	"github.com/polyvoke/polyvoke/invoker/backend/objects"
	"github.com/polyvoke/polyvoke/invoker/backend/sql"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/files/disk"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// folder is the name of the place that all others are compared with.
const folder = "folder"

// place is where a program finds its files.
type place struct {
	name    string
	grant   protocol.Grant // of no kind: a folder of this machine
	storage jetstream.StorageType
}

// places returns all places, the folder first.
func places() []place {
	kv := func(change func(*protocol.Grant)) protocol.Grant {
		g := protocol.Grant{KV: "to be named"}
		change(&g)
		return g
	}
	return []place{
		{name: folder},
		{name: "kv", grant: kv(func(*protocol.Grant) {})},
		{name: "kv in memory", grant: kv(func(*protocol.Grant) {}), storage: jetstream.MemoryStorage},
		{name: "kv consistent", grant: kv(func(g *protocol.Grant) { g.Consistent = true })},
		{name: "kv serializable", grant: kv(func(g *protocol.Grant) { g.Serializable = true })},
		{name: "obj", grant: protocol.Grant{Obj: "to be named"}},
	}
}

// world is a NATS server with buckets, a back end on it, and what runs programs.
type world struct {
	testing.TB
	js      jetstream.JetStream
	backend *backend.Backend
	runtime runtimes.Runtime
	buckets atomic.Int64
}

// newWorld returns a world without buckets.
func newWorld(t testing.TB) *world {
	t.Helper()
	nc := registrytest.Connect(t, registrytest.StartNATS(t, t.TempDir(), 0))
	js := registrytest.JetStream(t, nc)
	r, err := wasi.New(t.Context(), wasi.Config{CacheDir: os.Getenv("COMPILED")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(context.Background()) })
	return &world{TB: t, js: js, runtime: r, backend: &backend.Backend{Kinds: map[string]backend.Kind{
		protocol.GrantKV:  &kv.Kind{JetStream: js},
		protocol.GrantObj: objects.New(js, 1),
		protocol.GrantSQL: sql.New(js, 1),
	}}}
}

// must ends the test if there is an error.
func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// compile compiles a program that finds its files at a path, and has others besides.
func (w *world) compile(module []byte, at string, besides ...runtimes.Mount) runtimes.Program {
	w.Helper()
	p, err := w.runtime.Compile(w.Context(), module, runtimes.Options{Start: runtimes.StartFresh, Memory: 1 << 30,
		Mounts: append([]runtimes.Mount{{Path: at}}, besides...)})
	w.must(err)
	return p
}

// scene is a place with what is in it, for one test.
type scene struct {
	*world
	place
	dir    string // of a folder
	grants *backend.Grants
}

// scene makes a place in which nothing is.
func (w *world) scene(p place) *scene {
	w.Helper()
	s := &scene{world: w, place: p}
	g := &s.grant
	if g.Kind() == "" {
		s.dir = w.TempDir()
		return s
	}
	name := fmt.Sprint("b", w.buckets.Add(1))
	var err error
	switch {
	case g.Obj != "":
		g.Obj = name
		_, err = w.js.CreateObjectStore(w.Context(), jetstream.ObjectStoreConfig{Bucket: name, Storage: p.storage})
	case g.SQL != "":
		g.SQL, g.Create = name, true
	default:
		g.KV = name
		_, err = w.js.CreateKeyValue(w.Context(), jetstream.KeyValueConfig{Bucket: name, Storage: p.storage})
	}
	w.must(err)
	g.Access, g.MaxOps = protocol.AccessWrite, 100_000
	s.grants, err = w.backend.Open(w.Context(), &protocol.Function{Name: "f", Grants: []protocol.Grant{*g}})
	w.must(err)
	w.Cleanup(s.grants.Close)
	return s
}

// use does something with the files, and commits if there is no error.
func (s *scene) use(do func(files.Tree) error) error {
	if s.dir != "" {
		t, err := disk.Open(s.dir)
		s.must(err)
		defer t.Close()
		return do(t)
	}
	t := s.grants.Begin(s.Context(), backend.Call{Function: &protocol.Function{Name: "f"}, Output: 256 << 20,
		ID: func() string { return "id" }, Deadline: time.Now().Add(10 * time.Minute), Log: func(string) {}})
	defer t.End()
	if err := do(t.Mounts()[0].Tree); err != nil {
		return err
	}
	return t.Commit(s.Context(), nil)
}

// fill writes files.
func (s *scene) fill(content map[string]string) {
	s.Helper()
	s.must(s.use(func(t files.Tree) error {
		for name, text := range content {
			if err := write(s.Context(), t, name, text); err != nil {
				return err
			}
		}
		return nil
	}))
}

// write writes a file, and makes the folders that lead to it.
func write(ctx context.Context, t files.Tree, name, text string) error {
	for i := range name {
		if name[i] == '/' {
			if err := t.Mkdir(ctx, name[:i]); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
		}
	}
	f, err := t.Open(ctx, name, files.Write|files.Create|files.Truncate)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(ctx, []byte(text), 0)
	return errors.Join(err, f.Close(ctx))
}

// content returns all files that there are, as another call sees them.
func (s *scene) content() map[string]string {
	s.Helper()
	all := map[string]string{}
	s.must(s.use(func(t files.Tree) error {
		std := files.Std(s.Context(), t)
		return fs.WalkDir(std, ".", func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			if e.Type()&fs.ModeSymlink != 0 {
				all[name] = "a link"
				return nil
			}
			b, err := fs.ReadFile(std, name)
			all[name] = string(b)
			return err
		})
	}))
	return all
}

// outcome is what came of a program.
type outcome struct {
	exit           int // -1: it did not end by itself
	stdout, stderr string
	err            error // why it did not, or why it could not be committed
}

// String says it in short.
func (o outcome) String() string {
	text := fmt.Sprintf("exit code %d", o.exit)
	if o.err != nil {
		text += ", " + o.err.Error()
	}
	return text + ", stderr " + lastLines(o.stderr)
}

// lastLines returns the end of a text.
func lastLines(text string) string {
	return text[max(0, len(text)-2000):]
}

// job is a program with what it is given.
type job struct {
	program runtimes.Program
	at      string // where its files are
	args    []string
	env     []string
	stdin   string
	time    time.Duration // 0: a minute
}

// run runs a program, and commits if it ends with 0.
func (s *scene) run(j job) outcome {
	var o outcome
	var out, errs bytes.Buffer
	if j.time == 0 {
		j.time = time.Minute
	}
	err := s.use(func(t files.Tree) error {
		ctx, cancel := context.WithTimeout(s.Context(), j.time)
		defer cancel()
		err := j.program.Run(ctx, &runtimes.Process{Args: j.args, Env: j.env, Stdin: bytes.NewReader([]byte(j.stdin)),
			Stdout: &out, Stderr: io.Writer(&errs), Mounts: []runtimes.Mount{{Path: j.at, Tree: t}}})
		var exit *runtimes.ExitError
		if errors.As(err, &exit) {
			o.exit = int(exit.Code)
		} else if err != nil {
			o.exit = -1
		}
		return err
	})
	o.stdout, o.stderr = out.String(), errs.String()
	if o.exit <= 0 {
		o.err = err
	}
	return o
}

// filesOf returns the files in a folder of this machine.
func filesOf(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		short, errRel := filepath.Rel(dir, name)
		all[filepath.ToSlash(short)] = string(b)
		return errors.Join(err, errRel)
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// without returns what remains if some files do not count.
func without(all map[string]string, names ...string) map[string]string {
	all = maps.Clone(all)
	for _, n := range names {
		delete(all, n)
	}
	return all
}
