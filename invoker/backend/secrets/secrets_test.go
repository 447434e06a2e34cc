package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/backend/secrets"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// TestMain checks that nothing goes on when all runs have ended.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a Source in memory.
type memory struct {
	mu    sync.Mutex
	all   map[string]string
	err   error
	asked int
}

func (m *memory) Secret(_ context.Context, _, name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	v, ok := m.all[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(v), m.err
}

// set changes a secret, or removes it.
func (m *memory) set(name, value string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all[name] = value; value == "" {
		delete(m.all, name)
	}
}

// grant returns grants of secrets.
func grant(names ...string) (all []protocol.Grant) {
	for _, n := range names {
		all = append(all, protocol.Grant{Secret: n})
	}
	return all
}

// open opens grants of secrets.
func open(t testing.TB, s secrets.Source, names ...string) backend.Resource {
	t.Helper()
	f := &protocol.Function{Name: "f", Version: 2}
	all, err := secrets.New(secrets.Config{Source: s}).Open(t.Context(), f, grant(names...))
	if err != nil || len(all) != 1 || all[0].Mount() != "/secret" {
		t.Fatalf("%v, %v", all, err)
	}
	t.Cleanup(all[0].Close)
	return all[0]
}

// session is that of a run that hides what it logs.
type session interface {
	backend.Session
	Hide(text []byte, last bool) []byte
	HideLine(text string) string
}

// begin begins a run.
func begin(r backend.Resource, log func(string)) session {
	return r.Begin(&backend.Transaction{Call: backend.Call{Log: log}}).(session)
}

// get reads a secret.
func get(ctx context.Context, tree files.Tree, name string) (string, error) {
	f, err := tree.Open(ctx, name, files.Read)
	if err != nil {
		return "", err
	}
	b := make([]byte, secrets.MaxValue+1)
	n, err := f.ReadAt(ctx, b, 0)
	return string(b[:n]), errors.Join(err, f.Close(ctx))
}

// TestRead reads secrets as files.
func TestRead(t *testing.T) {
	m := &memory{all: map[string]string{"API_KEY": "hunter22", "b.c-d": "short", "OTHER": "not granted"}}
	s := begin(open(t, m, "b.c-d", "API_KEY", "API_KEY"), nil)
	defer s.End()
	tree := s.Tree()
	if !files.IsInline(tree) || !files.IsReadOnly(tree) {
		t.Error("the tree is not inline, or not read-only")
	}
	if got := s.HideLine("hunter22"); got != "hunter22" {
		t.Errorf("what was not read is hidden: %q", got)
	}
	for name, want := range map[string]string{"API_KEY": "hunter22", "b.c-d": "short"} {
		if got, err := get(t.Context(), tree, name); got != want || err != nil {
			t.Errorf("%s is %q, %v", name, got, err)
		}
		if info, err := tree.Stat(t.Context(), name); err != nil || info.Size != int64(len(want)) || info.IsDir() {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
		for how, want := range map[files.Flags]error{files.Write: files.ErrReadOnly, files.Write | files.Create: files.ErrReadOnly,
			files.Read | files.Create | files.Exclusive: fs.ErrExist} {
			if _, err := tree.Open(t.Context(), name, how); !errors.Is(err, want) {
				t.Errorf("%s as %b: %v", name, how, err)
			}
		}
		if _, err := tree.ReadDir(t.Context(), name); !errors.Is(err, files.ErrNotDir) {
			t.Errorf("listing %s: %v", name, err)
		}
	}
	all, err := tree.ReadDir(t.Context(), ".")
	if want := []files.Entry{{Name: "API_KEY"}, {Name: "b.c-d"}}; err != nil || !slices.Equal(all, want) {
		t.Errorf("%v, %v", all, err)
	}
	if got := s.HideLine("hunter22 short"); got != "*** short" {
		t.Errorf("the log has %q", got)
	}
	if got := string(s.Hide([]byte("hunter"), false)) + string(s.Hide([]byte("22\n"), true)); got != "***\n" {
		t.Errorf("the log has %q", got)
	}
	for _, name := range []string{"", "OTHER", "../API_KEY", "/API_KEY", "API_KEY/", "api_key", "..data", ".", "b", "b.c-d/x",
		"API_KEY\x00", "*", strings.Repeat("x", 5000), "\xff"} {
		if _, err := tree.Open(t.Context(), name, files.Read); err == nil {
			t.Errorf("%.20q opens", name)
		}
		if _, err := tree.Stat(t.Context(), name); err == nil && name != "." {
			t.Errorf("%.20q can be described", name)
		}
	}
}

// TestMissing grants what there is not.
func TestMissing(t *testing.T) {
	f := &protocol.Function{Name: "f", Version: 2}
	for name, c := range map[string]struct {
		source secrets.Source
		grants []protocol.Grant
		code   int
		words  string
	}{
		"no source":     {nil, grant("A"), 503, "--secrets"},
		"not there":     {&memory{}, grant("A"), 503, "secret A is missing"},
		"one of two":    {&memory{all: map[string]string{"A": "x"}}, grant("A", "B"), 503, "secret B is missing"},
		"not readable":  {&memory{all: map[string]string{"A": "x"}, err: errors.New("/etc/place")}, grant("A"), 503, "cannot be read"},
		"too large":     {&memory{all: map[string]string{"A": strings.Repeat("x", secrets.MaxValue+1)}}, grant("A"), 503, "65536"},
		"a folder up":   {&memory{}, grant("../A"), 422, "dot"},
		"no name":       {&memory{}, grant(""), 422, "dot"},
		"a long name":   {&memory{}, grant(strings.Repeat("a", secrets.MaxName+1)), 422, "128"},
		"hidden":        {&memory{}, grant("..data"), 422, "dot"},
		"a line's end":  {&memory{}, grant("A\n"), 422, "dot"},
		"not from here": {&memory{}, grant("É"), 422, "dot"},
	} {
		k := secrets.New(secrets.Config{Source: c.source})
		_, err := k.Open(t.Context(), f, c.grants)
		if protocol.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.words) || strings.Contains(err.Error(), "/etc") {
			t.Errorf("%s: %v", name, err)
		}
		if absent := strings.Contains(c.words, "missing") || c.source == nil; errors.Is(err, fs.ErrNotExist) != absent {
			t.Errorf("%s: whether it exists: %v", name, err)
		}
	}
}

// TestFresh exchanges a secret, and takes it away. What a run has seen stays what it is.
func TestFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{all: map[string]string{"A": "first value"}}
		r := open(t, m, "A")
		var log []string
		run := func() session { return begin(r, func(text string) { log = append(log, text) }) }
		is := func(s session, want string, wrong error) {
			t.Helper()
			if got, err := get(t.Context(), s.Tree(), "A"); got != want || !errors.Is(err, wrong) {
				t.Errorf("it is %q, %v; want %q, %v", got, err, want, wrong)
			}
		}
		old := run()
		is(old, "first value", nil)
		asked := m.asked
		for range 100 {
			is(run(), "first value", nil)
		}
		if m.asked != asked {
			t.Errorf("the source was asked %d times more", m.asked-asked)
		}
		m.set("A", "second value")
		time.Sleep(secrets.Fresh)
		next := run()
		is(next, "second value", nil)
		is(old, "first value", nil)
		if a, b := old.HideLine("first value second value"), next.HideLine("second value"); a != "*** second value" || b != "***" {
			t.Errorf("the logs have %q and %q", a, b)
		}
		m.set("A", "")
		time.Sleep(secrets.Fresh)
		gone := run()
		is(gone, "", syscall.EIO)
		is(gone, "", syscall.EIO)
		if len(log) != 1 || !strings.Contains(log[0], "/secret/A: secret A is missing") {
			t.Errorf("the log has %q", log)
		}
		m.set("A", "third value")
		time.Sleep(secrets.Fresh)
		is(run(), "third value", nil)
	})
}

// slow is a Source that answers when it may.
type slow struct {
	memory
	may chan struct{}
}

func (s *slow) Secret(ctx context.Context, function, name string) ([]byte, error) {
	select {
	case <-s.may:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return s.memory.Secret(ctx, function, name)
}

// TestSlow has runs wait for a source, together, and as long as they live.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{memory{all: map[string]string{"A": "some value"}}, make(chan struct{}, 10)}
		s.may <- struct{}{}
		r := open(t, s, "A")
		time.Sleep(secrets.Fresh)
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		if _, err := get(ctx, begin(r, nil).Tree(), "A"); !errors.Is(err, context.Canceled) {
			t.Errorf("a run that has ended: %v", err)
		}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if got, err := get(t.Context(), begin(r, nil).Tree(), "A"); got != "some value" || err != nil {
					t.Errorf("%q, %v", got, err)
				}
			})
		}
		synctest.Wait()
		s.may <- struct{}{}
		wg.Wait()
		if s.asked != 2 {
			t.Errorf("the source was asked %d times", s.asked)
		}
		time.Sleep(secrets.Fresh)
		if _, err := get(t.Context(), begin(r, nil).Tree(), "A"); !errors.Is(err, syscall.EIO) {
			t.Errorf("a source that never answers: %v", err)
		}
	})
}

// TestHammer reads secrets while they change.
func TestHammer(t *testing.T) {
	m := &memory{all: map[string]string{"A": "value 0 of A"}}
	r := open(t, m, "A")
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for i := range 500 {
				s := begin(r, nil)
				m.set("A", fmt.Sprintf("value %d of %d", i, n))
				got, err := get(t.Context(), s.Tree(), "A")
				if err != nil || !strings.HasPrefix(got, "value ") || s.HideLine(got) != "***" {
					t.Errorf("%q, %v", got, err)
				}
				s.End()
			}
		})
	}
	wg.Wait()
}

// FuzzNames opens any names: only what is granted opens.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"A", "B", "../A", "A/", ".", "..data", "A\x00"} {
		f.Add(name)
	}
	r := open(f, &memory{all: map[string]string{"A": "a", "B": "b"}}, "A")
	f.Fuzz(func(t *testing.T, name string) {
		s := begin(r, nil)
		defer s.End()
		if got, err := get(t.Context(), s.Tree(), name); (err == nil) != (name == "A") || err == nil && got != "a" {
			t.Errorf("%q: %q, %v", name, got, err)
		}
		if err := secrets.CheckName(name); err == nil && (strings.ContainsAny(name, "/\\\x00") || strings.HasPrefix(name, ".")) {
			t.Errorf("%q is a name", name)
		}
	})
}

// watched is a source in memory that says when something has changed.
type watched struct {
	memory
	changes atomic.Uint64
}

func (w *watched) Generation() uint64 { return w.changes.Load() }

// TestWatched reads secrets anew as soon as the source says so, and no sooner, also where it is one of several.
func TestWatched(t *testing.T) {
	first := &memory{all: map[string]string{"MINE": "first"}}
	second := &watched{memory: memory{all: map[string]string{"MINE": "second", "YOURS": "one"}}}
	r := open(t, secrets.Join(nil, first, second), "MINE", "YOURS")
	for _, tt := range []struct {
		value   string
		changes uint64
		want    string
	}{{"two", 0, "one"}, {"three", 1, "three"}, {"four", 2, "four"}} {
		second.set("YOURS", tt.value)
		second.changes.Store(tt.changes)
		s := begin(r, nil)
		if got, err := get(t.Context(), s.Tree(), "MINE"); got != "first" || err != nil {
			t.Errorf("MINE is %q, %v: the first source counts", got, err)
		}
		if got, err := get(t.Context(), s.Tree(), "YOURS"); got != tt.want || err != nil {
			t.Errorf("YOURS is %q, %v; want %q", got, err, tt.want)
		}
		s.End()
	}
}

// TestJoin looks no further where a source has a secret that cannot be read.
func TestJoin(t *testing.T) {
	if s := secrets.Join(nil, nil); s != nil {
		t.Errorf("no source is %v", s)
	}
	broken := &memory{all: map[string]string{"A": "x"}, err: errors.New("broken")}
	s := secrets.Join(broken, &memory{all: map[string]string{"A": "a", "B": "b"}})
	if _, err := s.Secret(t.Context(), "f", "A"); !errors.Is(err, broken.err) {
		t.Errorf("A: %v", err)
	}
	if b, err := s.Secret(t.Context(), "f", "B"); string(b) != "b" || err != nil {
		t.Errorf("B: %q, %v", b, err)
	}
	if _, err := s.Secret(t.Context(), "f", "C"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("C: %v", err)
	}
}
