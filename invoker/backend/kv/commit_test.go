package kv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// conflict checks that an error is a conflict about a path.
func conflict(t *testing.T, err error, path string) {
	t.Helper()
	var c *backend.Conflict
	if !errors.As(err, &c) || c.Path != path {
		t.Errorf("the error is %v, want a conflict about %s", err, path)
	}
}

// atomicGrant has several keys written as one.
func atomicGrant(g *protocol.Grant) { g.Atomic = true }

// serialGrant has what was read checked.
func serialGrant(g *protocol.Grant) { g.Serializable = true }

func TestConflict(t *testing.T) {
	e := newEnv(t)
	for _, c := range []struct {
		name  string
		grant func(g *protocol.Grant)
		run   func(r *run)
		path  string // of the conflict after tea was changed by somebody else, or nothing
	}{
		{"a key that was read and written", nil, func(r *run) { r.put("tea", r.read("tea")+"1") }, "tea"},
		{"appended", nil, func(r *run) {
			r.with("tea", files.Write, func(f files.File) { _, _ = f.WriteAt(r.t.Context(), []byte("x"), files.End) })
		}, "tea"},
		{"removed", nil, func(r *run) { _ = r.Tree.Remove(r.t.Context(), "tea") }, "tea"},
		{"moved away", nil, func(r *run) { _ = r.Tree.Rename(r.t.Context(), "tea", "green") }, "tea"},
		{"written blindly", nil, func(r *run) { r.put("tea", "mine") }, ""},
		{"read only", nil, func(r *run) { r.read("tea") }, ""},
		{"read, and another written", nil, func(r *run) { r.read("tea"); r.put("milk", "x") }, ""},
		{"as one", atomicGrant, func(r *run) { r.put("a", "x"); r.put("tea", r.read("tea")+"1"); r.put("b", "x") }, "tea"},
		{"in order", nil, func(r *run) { r.put("a", "x"); r.put("tea", r.read("tea")+"1"); r.put("b", "x") }, "tea"},
		{"serializable, read only", serialGrant, func(r *run) { r.read("tea"); r.read("milk") }, "tea"},
		{"serializable, and another written blindly", serialGrant, func(r *run) { r.read("tea"); r.put("a", "x") }, "tea"},
		{"serializable, and another read and written", serialGrant,
			func(r *run) { r.read("tea"); r.put("milk", r.read("milk")+"x") }, "tea"},
		{"serializable, several", serialGrant,
			func(r *run) {
				r.read("milk")
				_, _ = r.Tree.Stat(r.t.Context(), "none")
				r.read("tea")
				r.put("a", "x")
				r.put("b", "x")
			}, "tea"},
		{"serializable, listed", serialGrant, func(r *run) { r.list("."); r.put("a", "x"); r.put("b", "x") }, "."},
		{"serializable, listed only", serialGrant, func(r *run) { r.list(".") }, "."},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := &env{TB: t, js: e.js, nc: e.nc, kind: e.kind, n: e.n + len(c.name)*100}
			e.n += int(nextBucket.Add(1))
			for _, change := range []bool{false, true} {
				b := e.bucket(map[string]string{"tea": "5", "milk": "7", "none": "0"})
				e.must(b.Delete(t.Context(), "none"))
				m := e.grant(b, func(g *protocol.Grant) {
					if c.grant != nil {
						c.grant(g)
					}
				})
				r := begin(t, m, 0)
				c.run(r)
				if change {
					_, err := b.PutString(t.Context(), "tea", "9")
					e.must(err)
				}
				err := r.commit()
				switch {
				case !change || c.path == "":
					e.must(err)
				case c.path == ".":
					conflict(t, err, m.path)
				default:
					conflict(t, err, m.path+"/"+c.path)
					if got := e.value(b, "a"); got == "x" {
						t.Error("something was written")
					}
				}
			}
		})
	}
}

// nextBucket makes names of buckets that nobody else has.
var nextBucket atomic.Int64

// TestPartly has a key change between two messages of a commit that is not atomic.
func TestPartly(t *testing.T) {
	e := newEnv(t)
	b := e.bucket(map[string]string{"a": "1", "b": "1"})
	m := e.grant(b)
	c := &commit{bucket: m.bucket, path: m.path, id: func() string { return "x" }, token: newToken()}
	for i, want := range []int{protocol.CodeConflict, 0} {
		v, err := m.bucket.get(t.Context(), "a", true)
		e.must(err)
		first := &message{key: "a", put: true, check: true, revision: v.revision}
		last := &message{key: "b", put: true, check: true, revision: 99}
		if i == 1 {
			first.revision = 98
		}
		err = c.single(t.Context(), first, 0)
		if i == 0 {
			e.must(err)
			err = c.single(t.Context(), last, 1)
		}
		err = c.partly(err, 1-i, 2)
		var conflict *backend.Conflict
		if errors.As(err, &conflict) != (i == 1) || i == 0 && protocol.CodeOf(err) != want {
			t.Errorf("%d were written: the error is %v", 1-i, err)
		}
	}
}

// TestExclusive makes files that must not exist: before, after one was deleted, and while another run makes it.
func TestExclusive(t *testing.T) {
	e := newEnv(t)
	b := e.bucket(map[string]string{"gone": "x", "there": "x"})
	e.must(b.Delete(t.Context(), "gone"))
	m := e.grant(b)
	how := files.Write | files.Create | files.Exclusive
	one, two := begin(t, m, 0), begin(t, m, 1)
	for _, r := range []*run{one, two} {
		_, err := r.Tree.Open(t.Context(), "there", how)
		if !errors.Is(err, fs.ErrExist) {
			t.Errorf("there: %v", err)
		}
	}
	for _, name := range []string{"new", "gone"} {
		one, two := begin(t, m, 0), begin(t, m, 1)
		for _, r := range []*run{one, two} {
			r.with(name, how, func(f files.File) {})
		}
		e.must(one.commit())
		conflict(t, two.commit(), m.path+"/"+name)
		if got := e.value(b, name); got != "" {
			t.Errorf("%s is %q", name, got)
		}
	}
}

// TestReplace is how programs write a file so that nobody sees half of it.
func TestReplace(t *testing.T) {
	for name, how := range map[string]files.Flags{
		"exclusive": files.Read | files.Write | files.Create | files.Exclusive,
		"truncate":  files.Write | files.Create | files.Truncate,
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			b := e.bucket(map[string]string{"config": "old"})
			m := e.grant(b)
			r := begin(t, m, 0)
			r.with("tmp123", how, func(f files.File) {
				_, err := f.WriteAt(t.Context(), []byte("new"), 0)
				e.must(err)
				e.must(f.Sync(t.Context()))
			})
			e.must(r.Tree.Rename(t.Context(), "tmp123", "config"))
			if n := len(r.writes()); n != 1 {
				t.Errorf("%d keys are written", n)
			}
			e.must(r.commit())
			if got := e.value(b, "config"); got != "new" {
				t.Errorf("config is %q", got)
			}
			if _, err := e.js.Stream(t.Context(), "KV_"+b.Bucket()); err != nil {
				t.Fatal(err)
			}
			if v, err := m.bucket.get(t.Context(), "tmp123", true); err != nil || v.revision != 0 {
				t.Errorf("the temporary file has left %+v, %v", v, err)
			}
		})
	}
}

// increment is what an ordinary program does to count.
func increment(t testing.TB, r *run, key string) {
	r.with(key, files.Read|files.Write|files.Create, func(f files.File) {
		b, n := make([]byte, 32), 0
		read, _ := f.ReadAt(t.Context(), b, 0)
		_, _ = fmt.Sscan(string(b[:read]), &n)
		if err := f.Truncate(t.Context(), 0); err != nil {
			t.Error(err)
		}
		if _, err := f.WriteAt(t.Context(), []byte(fmt.Sprint(n+1)), 0); err != nil {
			t.Error(err)
		}
	})
}

// TestHammerIncrement has 16 writers count to 50 each in one key. None of them is lost.
func TestHammerIncrement(t *testing.T) {
	e := newEnv(t)
	for name, grant := range map[string]func(g *protocol.Grant){
		"from the cache":   func(*protocol.Grant) {},
		"from the server":  func(g *protocol.Grant) { g.Consistent = true },
		"as one of two":    func(g *protocol.Grant) { g.Atomic = true },
		"with a read of x": func(g *protocol.Grant) { g.Serializable = true },
	} {
		b := e.bucket(map[string]string{"x": "0"})
		m := e.grant(b, grant)
		writers, each := 16, 50
		if m.atomic || m.serial {
			each = 1 // a batch takes some milliseconds, and more on a busy disk
		}
		var all sync.WaitGroup
		var again atomic.Int64
		began := time.Now()
		for w := range writers {
			all.Go(func() {
				for range each {
					for try := 0; ; try++ {
						r := begin(t, m, try)
						increment(t, r, "n")
						if m.atomic {
							increment(t, r, fmt.Sprint("own-", w))
						}
						if m.serial {
							r.read("x")
						}
						err := r.commit()
						r.session.End()
						var c *backend.Conflict
						if errors.As(err, &c) {
							again.Add(1)
							<-time.After(time.Duration(rand.Int64N(int64(min(try+1, 16)) * int64(2*time.Millisecond))))
							continue
						}
						if err != nil {
							t.Error(err)
						}
						break
					}
				}
			})
		}
		all.Wait()
		if got := e.value(b, "n"); got != fmt.Sprint(writers*each) {
			t.Errorf("%s: %s of %d", name, got, writers*each)
		}
		t.Logf("%s: %d runs again for %d, %v", name, again.Load(), writers*each, time.Since(began))
	}
}

// TestMark has a mark written with the keys, once.
func TestMark(t *testing.T) {
	e := newEnv(t)
	b := e.bucket(map[string]string{"n": "1"})
	m := e.grant(b)
	for _, id := range []string{"job-1", "an id that is no key \x00", "=x", ".", strings.Repeat("x", 2000), ""} {
		mark := &backend.Mark{ID: id, Value: []byte("reply of " + id)}
		one, two := begin(t, m, 0), begin(t, m, 1)
		increment(t, one, "n")
		increment(t, two, "m")
		if _, found, err := m.Find(t.Context(), id); found || err != nil {
			t.Fatalf("%.20q: found before: %t, %v", id, found, err)
		}
		e.must(one.session.Commit(t.Context(), mark))
		if !mark.Done {
			t.Errorf("%.20q: the mark is not done", id)
		}
		value, found, err := m.Find(t.Context(), id)
		if string(value) != string(mark.Value) || !found || err != nil {
			t.Errorf("%.20q: found %q, %t, %v", id, value, found, err)
		}
		again := &backend.Mark{ID: id, Value: []byte("another")}
		var c *backend.Conflict
		if err := two.session.Commit(t.Context(), again); !errors.As(err, &c) || again.Done {
			t.Errorf("%.20q: the second commit: %v, %t", id, err, again.Done)
		}
	}
	if got := e.value(b, "n"); got != "7" {
		t.Errorf("n is %q", got)
	}
	if got := begin(t, m, 0).list("."); fmt.Sprint(got) != "[n]" {
		t.Errorf("a process sees %q", got)
	}
	big := &backend.Mark{ID: "big", Value: make([]byte, MaxMark+1)}
	r := begin(t, m, 0)
	increment(t, r, "n")
	e.must(r.session.Commit(t.Context(), big))
	if value, found, err := m.Find(t.Context(), "big"); len(value) != 0 || !found || err != nil {
		t.Errorf("a large reply: %d bytes, %t, %v", len(value), found, err)
	}
	v, err := e.js.Stream(t.Context(), "KV_"+b.Bucket())
	e.must(err)
	raw, err := v.GetLastMsgForSubject(t.Context(), "$KV."+b.Bucket()+"._fn/done/job-1")
	e.must(err)
	if ttl := raw.Header.Get("Nats-TTL"); ttl != "25200s" {
		t.Errorf("the mark lives for %q", ttl)
	}
}

// TestFoldersMove gives folders other names.
func TestFoldersMove(t *testing.T) {
	for _, atomic := range []bool{false, true} {
		e := newEnv(t)
		content := map[string]string{"other": "x"}
		for i := range 100 {
			content[fmt.Sprintf("d/%d/k", i)] = fmt.Sprint(i)
		}
		b := e.bucket(content)
		m := e.grant(b, func(g *protocol.Grant) { g.Atomic = atomic })
		r := begin(t, m, 0)
		e.must(r.Tree.Mkdir(t.Context(), "d/empty"))
		e.must(r.Tree.Rename(t.Context(), "d", "e/f"))
		if got := len(r.list("e/f")); got != 101 {
			t.Errorf("the folder has %d entries", got)
		}
		e.must(r.commit())
		next := begin(t, m, 0)
		if got := fmt.Sprint(next.list(".")); got != "[e/ other]" {
			t.Errorf("there is %s", got)
		}
		if got := e.value(b, "e/f/99/k"); got != "99" {
			t.Errorf("a key is %q", got)
		}
		if err := r.Tree.Rename(t.Context(), "other", "e"); !errors.Is(err, files.ErrIsDir) {
			t.Errorf("onto a folder: %v", err)
		}
	}
	e := newEnv(t)
	content := map[string]string{}
	for i := range maxRename + 1 {
		content[fmt.Sprintf("d/%d", i)] = ""
	}
	r := begin(t, e.grant(e.bucket(content), func(g *protocol.Grant) { g.MaxOps = 10_000 }), 0)
	if err := r.Tree.Rename(t.Context(), "d", "e"); !errors.Is(err, files.ErrNoSpace) {
		t.Errorf("a large folder: %v", err)
	}
	e.must(r.Tree.Remove(t.Context(), "d/7"))
	e.must(r.Tree.Rename(t.Context(), "d", "e"))
	e.must(r.commit())
	if got := len(begin(t, r.on, 0).list("e")); got != maxRename {
		t.Errorf("%d keys were moved", got)
	}
}

// TestPattern grants some keys, and two patterns of one bucket with different access.
func TestPattern(t *testing.T) {
	for name, mode := range modes {
		e := newEnv(t)
		e.kind.most = mode.most
		b := e.bucket(map[string]string{"eu/tea": "1", "us/tea": "2", "us/eu/x": "3", "top": "4"})
		m := e.open(&protocol.Function{Name: "f"},
			protocol.Grant{KV: b.Bucket(), Keys: "eu/*", Access: protocol.AccessWrite},
			protocol.Grant{KV: b.Bucket(), Keys: "t*"})
		r := begin(t, m, 0)
		if got := fmt.Sprint(r.list(".")); got != "[eu/ top]" {
			t.Errorf("%s: it lists %s", name, got)
		}
		for file, want := range map[string]error{"us/tea": fs.ErrNotExist, "us": fs.ErrNotExist, "us/eu/x": fs.ErrNotExist} {
			_, err := r.Tree.Open(t.Context(), file, files.Read)
			if !errors.Is(err, want) {
				t.Errorf("%s: opening %s: %v", name, file, err)
			}
			if _, err := r.Tree.Stat(t.Context(), file); !errors.Is(err, want) {
				t.Errorf("%s: describing %s: %v", name, file, err)
			}
		}
		for file, want := range map[string]error{"us/tea": syscall.EACCES, "x": syscall.EACCES, "top": files.ErrReadOnly,
			"tip": files.ErrReadOnly, "us/x": syscall.EACCES, "eu/new": nil, "eu/a/b": nil} {
			for _, how := range []files.Flags{0, files.Truncate, files.Exclusive} {
				if how.Has(files.Exclusive) && file == "top" {
					continue
				}
				_, err := r.Tree.Open(t.Context(), file+strings.TrimLeft(fmt.Sprint(how), "0"), files.Write|files.Create|how)
				if file != "top" && !errors.Is(err, want) {
					t.Errorf("%s: making %s: %v", name, file, err)
				}
			}
		}
		if _, err := r.Tree.Open(t.Context(), "top", files.Write); !errors.Is(err, files.ErrReadOnly) {
			t.Errorf("%s: writing top: %v", name, err)
		}
		const why = `top": it can only be read: its grant has no access = "rw"`
		if log := strings.Join(r.log.all, "\n"); !strings.Contains(log, why) {
			t.Errorf("%s: the log says %s", name, log)
		}
		if err := r.Tree.Rename(t.Context(), "eu/tea", "us/tea"); !errors.Is(err, syscall.EACCES) {
			t.Errorf("%s: moving it out: %v", name, err)
		}
		if err := r.Tree.Mkdir(t.Context(), "us"); !errors.Is(err, syscall.EACCES) {
			t.Errorf("%s: making us: %v", name, err)
		}
		if len(r.log.all) == 0 {
			t.Errorf("%s: nothing was logged", name)
		}
	}
}

// TestOwnKeys checks that what polyvoke keeps in a bucket does not exist.
func TestOwnKeys(t *testing.T) {
	for name, mode := range modes {
		e := newEnv(t)
		e.kind.most = mode.most
		b := e.bucket(map[string]string{"_fn/done/x": "secret", "_fn": "a file", "a": "1"})
		r := begin(t, e.grant(b), 0)
		if got := fmt.Sprint(r.list(".")); got != "[_fn a]" && got != "[a]" {
			t.Errorf("%s: it lists %s", name, got)
		}
		if _, err := r.Tree.Open(t.Context(), "_fn/done/x", files.Read); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
		for _, file := range []string{"_fn/done/x", "_fn/y"} {
			if _, err := r.Tree.Open(t.Context(), file, files.Write|files.Create|files.Truncate); err == nil {
				t.Errorf("%s: %s was made", name, file)
			}
			if err := r.Tree.Rename(t.Context(), "a", file); err == nil {
				t.Errorf("%s: a has become %s", name, file)
			}
			if err := r.Tree.Remove(t.Context(), file); err == nil {
				t.Errorf("%s: %s was removed", name, file)
			}
		}
		if err := r.Tree.Rename(t.Context(), "_fn", "b"); err == nil && name == "" {
			t.Errorf("%s: it was moved", name)
		}
	}
}

func TestHostileNames(t *testing.T) {
	e := newEnv(t)
	b := e.bucket(map[string]string{"a": "1", "d/.hidden": "2", "d//x": "3", "/abs": "4", "d/./y": "5"})
	r := begin(t, e.grant(b), 0)
	if got := fmt.Sprint(r.list("."), r.list("d")); got != "[a d/] [.hidden]" {
		t.Errorf("it lists %s", got)
	}
	for _, name := range []string{"", "..", "../a", "a/../a", "/a", "a/", ".x", "x.", "a..b", "x y", "x\ty", "x\x00y",
		"x\r\ny", "*", ">", "x.*", "x.>", "d/*", "$KV", "ünï", "\xff", "a:b", "a\\b", "~", "x,y", "#",
		strings.Repeat("x", MaxKey+1)} {
		if f, err := r.Tree.Open(t.Context(), name, files.Read); err == nil {
			t.Errorf("%q opens: %v", name, f)
		}
		if _, err := r.Tree.Open(t.Context(), name, files.Write|files.Create|files.Truncate); err == nil ||
			errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EIO) {
			t.Errorf("%q: making it: %v", name, err)
		}
		if err := r.Tree.Rename(t.Context(), "a", name); err == nil {
			t.Errorf("a has become %q", name)
		}
		if _, err := r.Tree.Stat(t.Context(), name); err == nil {
			t.Errorf("%q is there", name)
		}
		if err := r.Tree.Mkdir(t.Context(), name); err == nil && name != "x." { // x./y is a key
			t.Errorf("the folder %q was made", name)
		}
	}
	if r.Changed() {
		t.Errorf("something is to be written: %v", r.writes())
	}
	for _, name := range []string{"fn_functions", "FN_x", "_x", "a.b", "a b", "", "*", ">", "ü",
		strings.Repeat("x", 300)} {
		_, err := e.kind.Open(t.Context(), &protocol.Function{Name: "f"}, []protocol.Grant{{KV: name}})
		if protocol.CodeOf(err) != protocol.CodeRefused {
			t.Errorf("bucket %.20q: %v", name, err)
		}
	}
}

func TestOpen(t *testing.T) {
	e := newEnv(t)
	f := &protocol.Function{Name: "f", Version: 3}
	_, err := e.kind.Open(t.Context(), f, []protocol.Grant{{KV: "none"}})
	if protocol.CodeOf(err) != protocol.CodeRefused || !strings.Contains(err.Error(), "none") ||
		!strings.Contains(err.Error(), "create = true") {
		t.Errorf("a bucket that is not there: %v", err)
	}
	m := e.open(f, protocol.Grant{KV: "made", Create: true, Access: protocol.AccessWrite})
	s, err := e.js.Stream(t.Context(), "KV_made")
	e.must(err)
	if c := s.CachedInfo().Config; !c.AllowAtomicPublish || !c.AllowMsgTTL || !c.AllowDirect {
		t.Errorf("the bucket is %+v", c)
	}
	if again := e.open(f, protocol.Grant{KV: "made"}); again.bucket != m.bucket {
		t.Error("two versions have two caches")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.kind.Open(gone, f, []protocol.Grant{{KV: "made"}}); protocol.CodeOf(err) != protocol.CodeUnavailable {
		t.Errorf("no answer: %v", err)
	}
	_, err = e.js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "m",
		Mirror: &jetstream.StreamSource{Name: "made"}})
	e.must(err)
	_, err = e.kind.Open(t.Context(), f, []protocol.Grant{{KV: "m", Access: protocol.AccessWrite}})
	if protocol.CodeOf(err) != protocol.CodeRefused {
		t.Errorf("a mirror: %v", err)
	}
}

func TestQuotas(t *testing.T) {
	e := newEnv(t)
	for _, c := range []struct {
		name  string
		grant func(g *protocol.Grant)
		run   func(r *run) error
		want  error
	}{
		{"keys", func(g *protocol.Grant) { g.MaxKeys = 3 }, func(r *run) error {
			r.put("c", "x")
			_, err := r.Tree.Open(r.t.Context(), "d", files.Write|files.Create)
			return err
		}, files.ErrNoSpace},
		{"keys, one for another", func(g *protocol.Grant) { g.MaxKeys = 2 }, func(r *run) error {
			r.put("a", "more")
			if err := r.Tree.Remove(r.t.Context(), "a"); err != nil {
				return err
			}
			r.put("d", "x")
			return r.Tree.Rename(r.t.Context(), "d", "e")
		}, nil},
		{"bytes", func(g *protocol.Grant) { g.MaxBytes = 2000 }, func(r *run) error {
			f, err := r.Tree.Open(r.t.Context(), "c", files.Write|files.Create)
			if err == nil {
				_, err = f.WriteAt(r.t.Context(), make([]byte, 1990), 0)
			}
			return err
		}, files.ErrNoSpace},
		{"operations", func(g *protocol.Grant) { g.MaxOps = 3 }, func(r *run) error {
			r.read("a")
			r.read("b")
			r.put("a", "x")
			_, err := r.Tree.Stat(r.t.Context(), "c")
			return err
		}, files.ErrNoSpace},
		{"value", func(*protocol.Grant) {}, func(r *run) error {
			f, err := r.Tree.Open(r.t.Context(), "c", files.Write|files.Create)
			if err == nil {
				err = f.Truncate(r.t.Context(), 1<<20)
			}
			return err
		}, files.ErrTooLarge},
	} {
		r := begin(t, e.grant(e.bucket(map[string]string{"a": "1", "b": "2"}), c.grant), 0)
		if err := c.run(r); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.want != nil && (len(r.log.all) != 1 || !strings.Contains(r.log.all[0], "/kv/")) {
			t.Errorf("%s: the log has %q", c.name, r.log.all)
		}
		e.must(r.commit())
	}
	m := e.grant(e.bucket(nil), func(g *protocol.Grant) { g.MaxKeys = 1 })
	one, two := begin(t, m, 0), begin(t, m, 0)
	one.put("a", "x")
	two.put("b", "x")
	e.must(one.commit())
	if err := two.commit(); protocol.CodeOf(err) != protocol.CodeMemory {
		t.Errorf("over a quota at the commit: %v", err)
	}
	full := e.bucket(nil)
	s, err := e.js.Stream(t.Context(), "KV_"+full.Bucket())
	e.must(err)
	config := s.CachedInfo().Config
	config.MaxBytes = 100
	_, err = e.js.UpdateStream(t.Context(), config)
	e.must(err)
	r := begin(t, e.grant(full), 0)
	r.put("a", strings.Repeat("x", 200))
	if err := r.commit(); protocol.CodeOf(err) != protocol.CodeMemory {
		t.Errorf("a bucket that is full: %v", err)
	}
}
