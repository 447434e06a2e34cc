package invoker_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/backend/backendtest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// shelf is a kind of grants in memory, and what is behind its only mount. Whoever commits must have seen the newest
// content of all.
type shelf struct {
	mu      sync.Mutex
	content map[string]string
	changes int
	marks   map[string][]byte
	open    int                              // resources
	begun   []backend.Call                   // runs
	sent    int                              // by runs that have committed
	before  func(s *shelf, again int)        // a commit; with the mutex
	fail    func(again int, sent bool) error // of a commit, or of what is sent after it
	effect  bool                             // each run has an effect
	refuse  bool                             // what is granted is not there
	gate    chan struct{}                    // opening a file waits until it is closed; nil: it does not
}

// backend returns a back end with the shelf as its only kind.
func (s *shelf) backend() *backend.Backend {
	return &backend.Backend{Kinds: map[string]backend.Kind{protocol.GrantKV: s}}
}

// Open implements backend.Kind.
func (s *shelf) Open(_ context.Context, f *protocol.Function, grants []protocol.Grant) ([]backend.Resource, error) {
	if f.Name == "refused" {
		return nil, protocol.Errorf(protocol.CodeRefused, "", "there is no bucket %s", grants[0].KV)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse {
		return nil, protocol.Errorf(protocol.CodeRefused, "", "there is no bucket %s any more", grants[0].KV)
	}
	s.open++
	return []backend.Resource{&shelfResource{s, grants[0].Mount()}}, nil
}

// read returns what a file has.
func (s *shelf) read(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.content[name]
}

// set changes a file, as somebody else does. The caller holds the mutex.
func (s *shelf) set(name, text string) {
	if s.content == nil {
		s.content = map[string]string{}
	}
	s.content[name] = text
	s.changes++
}

type shelfResource struct {
	*shelf
	mount string
}

// Mount implements backend.Resource.
func (r *shelfResource) Mount() string { return r.mount }

// Close implements backend.Resource.
func (r *shelfResource) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open--
}

// Find implements backend.Marker.
func (r *shelfResource) Find(_ context.Context, id string) (value []byte, found bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	value, found = r.marks[id]
	return value, found, nil
}

// Begin implements backend.Resource.
func (r *shelfResource) Begin(t *backend.Transaction) backend.Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun = append(r.begun, t.Call)
	s := &shelfSession{shelf: r.shelf, t: t, tree: files.NewMemory(1 << 20), seen: r.changes, had: maps.Clone(r.content)}
	for name, text := range r.content {
		f, err := s.tree.Open(context.Background(), name, files.Write|files.Create)
		if err == nil {
			_, err = f.WriteAt(context.Background(), []byte(text), 0)
		}
		if err != nil {
			panic(err)
		}
		f.Close(context.Background())
	}
	return s
}

type shelfSession struct {
	*shelf
	t    *backend.Transaction
	tree *files.Memory
	seen int
	had  map[string]string
}

// Tree implements backend.Session.
func (s *shelfSession) Tree() files.Tree {
	if s.gate != nil {
		return gatedTree{s.tree, s}
	}
	return s.tree
}

// gatedTree is a tree whose files take their time.
type gatedTree struct {
	*files.Memory
	s *shelfSession
}

// Open implements files.Tree.
func (g gatedTree) Open(ctx context.Context, name string, how files.Flags) (files.File, error) {
	err := g.s.t.Do(ctx, func(ctx context.Context) {
		select {
		case <-g.s.gate:
		case <-ctx.Done():
		}
	})
	if err != nil {
		return nil, err
	}
	return g.Memory.Open(ctx, name, how)
}

// End implements backend.Session.
func (s *shelfSession) End() {}

// Stage implements backend.Committer.
func (s *shelfSession) Stage() backend.Stage { return backend.StageKeys }

// Effective implements backend.Effector.
func (s *shelfSession) Effective() bool { return s.effect }

// has returns what the run sees.
func (s *shelfSession) has() map[string]string {
	all := map[string]string{}
	entries, _ := s.tree.ReadDir(context.Background(), ".")
	for _, e := range entries {
		f, err := s.tree.Open(context.Background(), e.Name, files.Read)
		if err != nil {
			continue
		}
		info, _ := f.Stat(context.Background())
		b := make([]byte, info.Size)
		if _, err := f.ReadAt(context.Background(), b, 0); err != nil && err != io.EOF {
			panic(err)
		}
		all[e.Name] = string(b)
		f.Close(context.Background())
	}
	return all
}

// Changed implements backend.Committer.
func (s *shelfSession) Changed() bool { return !maps.Equal(s.has(), s.had) }

// Commit implements backend.Committer.
func (s *shelfSession) Commit(_ context.Context, m *backend.Mark) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.before != nil {
		s.before(s.shelf, s.t.Again)
	}
	if s.fail != nil {
		if err := s.fail(s.t.Again, false); err != nil {
			return err
		}
	}
	if s.changes != s.seen {
		return &backend.Conflict{Path: "/kv/shelf/x"}
	}
	s.content = s.has()
	s.changes++
	s.t.Write()
	if m != nil {
		if s.marks == nil {
			s.marks = map[string][]byte{}
		}
		s.marks[m.ID], m.Done = m.Value, true
	}
	return nil
}

// Send implements backend.Sender.
func (s *shelfSession) Send(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent++
	if s.fail != nil {
		return s.fail(s.t.Again, true)
	}
	return nil
}

// shelves deploys the clerk with a shelf, as the function "clerk".
func shelves(t testing.TB, s *shelf, change ...func(*protocol.Function)) (*service, *nats.Conn) {
	t.Helper()
	server := startServer(t)
	v := startInvoker(t, server, func(v *invoker.Invoker) { v.Backend = s.backend() })
	nc := connect(t, server)
	f := protocol.Function{Name: "clerk", Grants: []protocol.Grant{{KV: "shelf", Access: protocol.AccessWrite}}}
	for _, c := range change {
		c(&f)
	}
	deploy(t, nc, f, backendtest.Clerk())
	return v, nc
}

// TestTransaction has runs end in all ways. Only exit 0 commits.
func TestTransaction(t *testing.T) {
	s := &shelf{}
	_, nc := shelves(t, s, func(f *protocol.Function) { f.Replies = []int{3} })
	for i, c := range []struct {
		end    string
		commit bool
		code   int
		exit   int
	}{
		{"log x", true, 0, 0}, {"exit 0", true, 0, 0}, {"exit 3", false, 0, 3}, {"exit 4", false, 500, 4}, {"trap", false, 500, -1},
		{"nap 60000", false, 504, -1}, {"flood 1\nexit 65", false, 400, 65},
	} {
		was := s.read("x")
		text := fmt.Sprint("text", i)
		r := call(t, nc, "fn.clerk", []byte("put /kv/shelf/x "+text+"\nget /kv/shelf/x\n"+c.end+"\n"), "Fn-Timeout", "3s",
			"Fn-Report", "1")
		code := 0
		if r.Err != nil {
			code = r.Err.Code
		} else if string(r.Body) != text+"\n" {
			t.Errorf("%s: the process does not see what it has written: %q", c.end, r.Body)
		}
		want, writes := was, int64(0)
		if c.commit {
			want, writes = text, 1
		}
		if got := s.read("x"); got != want || code != c.code || r.Exit != c.exit || r.Report.Writes != writes {
			t.Errorf("%s: %q is there, want %q; the reply is %+v, %v", c.end, got, want, r, r.Err)
		}
	}
	if s.sent != 2 {
		t.Errorf("%d runs have sent, want 2", s.sent)
	}
}

// TestConflict has somebody else change what a call has seen, once to five times. Nobody sees anything of the runs
// that were in vain, and the call reads all of its input in each.
func TestConflict(t *testing.T) {
	for _, conflicts := range []int{0, 1, 4, 5} {
		t.Run(fmt.Sprint(conflicts), func(t *testing.T) {
			s := &shelf{}
			s.before = func(s *shelf, again int) {
				if again < conflicts {
					s.set("x", fmt.Sprint(again+1)+"0")
				}
			}
			_, nc := shelves(t, s)
			lines := logLines(t, nc)
			r := call(t, nc, "fn.clerk", []byte("log I run\nadd /kv/shelf/x 1\nsay the end\n"))
			ended := conflicts
			if conflicts == 5 {
				wantError(t, r, protocol.CodeConflict, "/kv/shelf/x was changed meanwhile, and that has happened in 5 runs")
				ended--
			} else if want := fmt.Sprintf("%d\nthe end\n", conflicts*10+1); string(r.Body) != want {
				t.Errorf("the reply is %q, want %q", r.Body, want)
			}
			want := fmt.Sprint(conflicts*10 + 1)
			if conflicts == 5 {
				want = "50"
			}
			if got := s.read("x"); got != want || len(s.begun) != ended+1 {
				t.Errorf("%s is there, want %s; %d runs", got, want, len(s.begun))
			}
			for i, c := range s.begun {
				if c.Again != i || c.ID() != s.begun[0].ID() {
					t.Errorf("run %d: %+v", i, c)
				}
			}
			if got := lines(); !strings.HasPrefix(got, "I run\n") || strings.Count(got, "I run") != 1 ||
				strings.Contains(got, "changed meanwhile") != (conflicts == 5) {
				t.Errorf("the log is %q", got)
			}
		})
	}
}

// logLines returns what returns the log of a function so far, in lines.
func logLines(t *testing.T, nc *nats.Conn) func() string {
	t.Helper()
	sub, err := nc.SubscribeSync(protocol.LogSubject("clerk"))
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() string {
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for n, _, _ := sub.Pending(); n > 0; n-- {
			m, err := sub.NextMsg(patience)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&all, "%s\n", m.Data)
		}
		return all.String()
	}
}

// TestOneRun has calls that are not run again after a conflict.
func TestOneRun(t *testing.T) {
	for name, c := range map[string]struct {
		effect bool
		orders string
		header []string
		says   string
	}{
		"effect": {effect: true, says: "it has called others"},
		"log":    {orders: "flood 70\n", says: "it has logged more than 64 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &shelf{effect: c.effect, before: func(s *shelf, _ int) { s.set("x", "other") }}
			_, nc := shelves(t, s)
			r := call(t, nc, "fn.clerk", []byte(c.orders+"put /kv/shelf/x mine\n"), c.header...)
			wantError(t, r, protocol.CodeConflict, c.says)
			if got := s.read("x"); got != "other" || len(s.begun) != 1 {
				t.Errorf("%s is there, after %d runs", got, len(s.begun))
			}
		})
	}
}

// TestCommitFails has commits and messages that fail. The caller never hears of a success, and nothing is run again.
func TestCommitFails(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		sent bool
		code int
		text string
	}{
		"NATS is gone": {protocol.Errorf(protocol.CodeUnavailable, "", "NATS is gone"), false, 503, "NATS is gone"},
		"quota":        {protocol.Errorf(protocol.CodeMemory, "", "the bucket is full"), false, 507, "the bucket is full"},
		"unknown":      {fmt.Errorf("secret: %w", backend.ErrUnknown), false, 500, "internal error"},
		"deadline":     {context.DeadlineExceeded, false, 504, "did not end within"},
		"messages":     {protocol.Errorf(protocol.CodeBadOutput, "", "not sent"), true, 502, "not sent"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &shelf{fail: func(_ int, sent bool) error {
				if sent == c.sent {
					return c.err
				}
				return nil
			}}
			v, nc := shelves(t, s)
			r := call(t, nc, "fn.clerk", []byte("put /kv/shelf/x mine\n"))
			wantError(t, r, c.code, c.text)
			if got := s.read("x"); (got == "mine") != c.sent || len(s.begun) != 1 {
				t.Errorf("%q is there, after %d runs", got, len(s.begun))
			}
			direct := v.Invoke(t.Context(), &protocol.Request{Function: protocol.Ref{Name: "clerk"},
				Body: []byte("put /kv/shelf/x other\n")})
			wantError(t, *direct, c.code, c.text)
		})
	}
}

// TestContention has many callers increment a number at once. Each success is there, and those who have lost once come
// to their turn.
func TestContention(t *testing.T) {
	s := &shelf{}
	_, nc := shelves(t, s, func(f *protocol.Function) { f.Limits.Concurrency, f.Limits.Queue = 64, 1000 })
	var all sync.WaitGroup
	var mu sync.Mutex
	done, refused := 0, 0
	for range 32 {
		all.Go(func() {
			for range 20 {
				r, err := tryCall(nc, "fn.clerk", []byte("add /kv/shelf/x 1\n"))
				mu.Lock()
				switch {
				case err != nil || r.Err != nil && r.Err.Code != protocol.CodeConflict:
					t.Error(err, r.Err)
				case r.Err != nil:
					refused++
				default:
					done++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if got := s.read("x"); got != fmt.Sprint(done) || done < 320 {
		t.Errorf("%s is there after %d successes and %d conflicts", got, done, refused)
	}
	t.Logf("%d successes, %d conflicts, %d runs", done, refused, len(s.begun))
}

// TestOnce has a request come again. It is run once, and its reply is always the same; one that has the same id but is
// another one, and one of another function, are run.
func TestOnce(t *testing.T) {
	s := &shelf{}
	v, nc := shelves(t, s)
	deploy(t, nc, protocol.Function{Name: "other", Grants: []protocol.Grant{{KV: "shelf", Access: protocol.AccessWrite}}},
		backendtest.Clerk())
	first := time.Now()
	for i, c := range []struct {
		name     string
		once     time.Time
		repeated bool
		want     string
	}{
		{"clerk", first, false, "1\n"}, {"clerk", first, true, "1\n"}, {"clerk", first, true, "1\n"},
		{"other", first, true, "2\n"}, {"clerk", first.Add(time.Second), true, "3\n"}, {"clerk", time.Time{}, false, "4\n"},
	} {
		r := v.Invoke(t.Context(), &protocol.Request{ID: "7", Function: protocol.Ref{Name: c.name}, Once: c.once,
			Repeated: c.repeated, Report: true, Body: []byte("add /kv/shelf/x 1\n")})
		if r.Err != nil || string(r.Body) != c.want || r.Exit != 0 || r.Report == nil {
			t.Errorf("%d: got %+v", i, r)
		}
	}
	large := &protocol.Request{ID: "8", Function: protocol.Ref{Name: "clerk"}, Once: first,
		Body: []byte("put /kv/shelf/x y\nsay " + strings.Repeat("x", 60<<10) + "\n")}
	for _, size := range []int{60<<10 + 2, 0} { // its result is gone then, but it is not run again
		if r := v.Invoke(t.Context(), large); r.Err != nil || len(r.Body) != size {
			t.Errorf("got %d bytes and %v, want %d", len(r.Body), r.Err, size)
		}
		large.Repeated = true
	}
}

// TestGrantsLifetime checks that what is granted is opened with a version, and closed when nothing needs it any more.
func TestGrantsLifetime(t *testing.T) {
	s := &shelf{}
	v, nc := shelves(t, s)
	opened := func(want int, when string) {
		t.Helper()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.open != want {
			t.Errorf("%d are open %s, want %d", s.open, when, want)
		}
	}
	opened(1, "after a deployment")
	if _, err := tryDeploy(nc, protocol.Function{Name: "refused", Grants: []protocol.Grant{{KV: "none"}}},
		backendtest.Clerk()); err == nil || !strings.Contains(err.Error(), "there is no bucket none") {
		t.Errorf("deployed without a bucket: %v", err)
	}
	if _, err := tryDeploy(nc, protocol.Function{Name: "secret", Grants: []protocol.Grant{{Secret: "none"}}},
		backendtest.Clerk()); err == nil || !strings.Contains(err.Error(), "nothing that grants it") {
		t.Errorf("deployed without a kind: %v", err)
	}
	if r := call(t, nc, "fn.clerk", []byte("put /kv/shelf/x 1\n"), "Fn-Dry-Run", "1"); r.Err != nil || len(s.begun) != 0 {
		t.Errorf("a dry run has run: %v", r.Err)
	}
	if r := call(t, nc, "fn.clerk", []byte("has /kv/other/x\nhas /kv/shelf\nls /kv\n")); string(r.Body) != "0\n1\nshelf\n" {
		t.Errorf("there is %q, %v", r.Body, r.Err)
	}
	deploy(t, nc, protocol.Function{Name: "clerk", Grants: []protocol.Grant{{KV: "bottle"}}}, backendtest.Clerk())
	if r := call(t, nc, "fn.clerk", []byte("ls /kv\n")); string(r.Body) != "bottle\n" {
		t.Errorf("there is %q, %v", r.Body, r.Err)
	}
	if r := call(t, nc, "fn.clerk@1", []byte("ls /kv\n")); string(r.Body) != "shelf\n" {
		t.Errorf("there is %q, %v", r.Body, r.Err)
	}
	v.end(t)
	opened(0, "after the end")
}

// TestFilesThatWait has a thousand calls wait for a file at once. They hold no slot of the only one that there is, and
// when the file comes, all have their reply; those whose time was up before have had theirs then.
func TestFilesThatWait(t *testing.T) {
	const waiting, impatient = 1000, 50
	s := &shelf{gate: make(chan struct{})}
	v := startInvoker(t, startServer(t), func(v *invoker.Invoker) { v.Backend, v.Slots = s.backend(), 1 })
	deploy(t, v.nc, protocol.Function{Name: "clerk", Grants: []protocol.Grant{{KV: "shelf"}},
		Limits: protocol.Limits{Concurrency: waiting, Timeout: protocol.Duration(5 * time.Minute)}}, backendtest.Clerk())
	deployProbe(t, v.nc, "probe", protocol.Limits{})
	ask := func(timeout time.Duration) *protocol.Reply {
		return v.Invoke(t.Context(), &protocol.Request{Function: protocol.Ref{Name: "clerk"}, Timeout: timeout,
			Patient: true, Body: []byte("get /kv/shelf/x\nsay the end\n")})
	}
	var others, patient sync.WaitGroup
	for range impatient {
		others.Go(func() {
			if r := ask(200 * time.Millisecond); r.Err == nil || r.Err.Code != protocol.CodeTimeout {
				t.Errorf("got %q, %v, want a timeout", r.Body, r.Err)
			}
		})
	}
	others.Wait()
	before := s.runs()
	for range waiting {
		patient.Go(func() {
			if r := ask(0); r.Err != nil || string(r.Body) != "-\nthe end\n" {
				t.Errorf("got %q, %v", r.Body, r.Err)
			}
		})
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for s.runs() < before+waiting && t.Context().Err() == nil {
		<-tick.C
	}
	for range 20 { // longer than its first slice, so that it needs the slot
		if r := call(t, v.nc, "fn.probe.lines.20000", nil); r.Err != nil {
			t.Fatalf("while others wait: %v", r.Err)
		}
	}
	close(s.gate)
	patient.Wait()
}

// runs returns how many runs have begun.
func (s *shelf) runs() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.begun)
}

// TestGrantsOfOthers has two functions of one module use what each is granted, in turns and at once, with every start
// kind. Neither ever sees what the other has, nor what it had itself before, also if it looks before it reads stdin.
func TestGrantsOfOthers(t *testing.T) {
	calls := 400
	if testing.Short() {
		calls = 50
	}
	for _, kind := range []string{runtimes.StartAuto, runtimes.StartFresh, runtimes.StartReset, runtimes.StartPrefork,
		runtimes.StartCheckpoint} {
		for _, before := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s before=%t", kind, before), func(t *testing.T) {
				server := startServer(t)
				shelves := map[string]*shelf{"one": {}, "two": {}}
				v := startInvoker(t, server, func(v *invoker.Invoker) { v.Backend = apart(shelves).backend() })
				for name := range shelves {
					f := protocol.Function{Name: name, Start: kind,
						Grants: []protocol.Grant{{KV: name, Access: protocol.AccessWrite}}}
					if before {
						f.Env = map[string]string{"BEFORE": "/kv/" + name + "/x"}
					}
					_, err := tryDeploy(v.nc, f, backendtest.Clerk())
					early := before && (kind == runtimes.StartPrefork || kind == runtimes.StartCheckpoint)
					if (err != nil) != early || early && !strings.Contains(err.Error(), "before it reads stdin") {
						t.Fatalf("a function that looks before it reads stdin: %v", err)
					}
					if early {
						return
					}
				}
				var all sync.WaitGroup
				for name, other := range map[string]string{"one": "two", "two": "one"} {
					all.Go(func() {
						for n := range calls {
							orders := fmt.Sprintf("ls /kv\nhas /kv/%s/x\nget /kv/%s/x\nadd /kv/%s/x 1\n", other, name, name)
							r := v.Invoke(t.Context(), &protocol.Request{Function: protocol.Ref{Name: name}, Body: []byte(orders)})
							had := fmt.Sprintf("%s\n0\n%d\n%d\n", name, n, n+1)
							if n == 0 {
								had = fmt.Sprintf("%s\n0\n-\n1\n", name)
							} else if before {
								had = fmt.Sprintf("%d\n%s", n, had)
							}
							if r.Err != nil || string(r.Body) != had {
								t.Errorf("call %d of %s: %q, %v, want %q", n, name, r.Body, r.Err, had)
								return
							}
						}
					})
				}
				all.Wait()
			})
		}
	}
}

// apart is a kind whose mounts have a shelf each, by the bucket's name.
type apart map[string]*shelf

// backend returns a back end with this kind only.
func (a apart) backend() *backend.Backend {
	return &backend.Backend{Kinds: map[string]backend.Kind{protocol.GrantKV: a}}
}

// Open implements backend.Kind.
func (a apart) Open(ctx context.Context, f *protocol.Function, grants []protocol.Grant) ([]backend.Resource, error) {
	return a[grants[0].KV].Open(ctx, f, grants)
}
