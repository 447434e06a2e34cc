package keys

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/invoker/invokertest/await"
	"github.com/polyvoke/polyvoke/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open connects to a NATS server.
func open(t testing.TB, s *server.Server) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(invokertest.Connect(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// create makes a key.
func create(t testing.TB, s *Store, k Key) (Key, string) {
	t.Helper()
	k, text, err := s.Create(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	return k, text
}

// follow runs a table until the test ends, and returns it with its log.
func follow(t testing.TB, js jetstream.JetStream, now func() time.Time) (*Table, *lines) {
	t.Helper()
	log := new(lines)
	table := NewTable(js, now, slog.New(slog.NewTextHandler(log, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { table.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	select {
	case <-table.Known():
	case <-time.After(time.Minute):
		t.Fatal("the keys are not known")
	}
	return table, log
}

// lines is a log.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestStore makes, lists, describes and revokes keys.
func TestStore(t *testing.T) {
	js := open(t, invokertest.StartNATS(t))
	s := NewStore(js)
	if list, err := s.List(t.Context()); err != nil || len(list) != 0 {
		t.Fatalf("without a bucket: %v, %v", list, err)
	}
	if _, err := js.KeyValue(t.Context(), Bucket); err == nil {
		t.Error("to list keys makes the bucket")
	}
	if _, err := s.Find(t.Context(), "aaaaaaaaaaaa"); protocol.CodeOf(err) != protocol.CodeNotFound {
		t.Errorf("without a bucket: %v", err)
	}
	old, _ := create(t, s, Key{Note: "old", Created: time.Now().Add(-time.Hour)})
	k, text := create(t, s, Key{Note: "new", Functions: []string{"greet"}, Rate: "2/s"})
	if id, err := ID(text); err != nil || id != k.ID {
		t.Errorf("%q: %q, %v", text, id, err)
	}
	e, err := last(t.Context(), js, keyPrefix+k.ID)
	if err != nil || bytes.Contains(e.value, []byte(text[len(Prefix)+idSize+1:])) ||
		!bytes.Contains(e.value, []byte("sha256:")) {
		t.Errorf("the bucket has %s, %v", e.value, err)
	}
	list, err := s.List(t.Context())
	if err != nil || len(list) != 2 || list[0].ID != k.ID || list[1].ID != old.ID || list[0].Rate != "2/s" {
		t.Errorf("%+v, %v", list, err)
	}
	if l, err := s.Find(t.Context(), k.ID); err != nil || l.Note != "new" || !l.Used.IsZero() {
		t.Errorf("%+v, %v", l, err)
	}
	if l, err := s.Revoke(t.Context(), k.ID); err != nil || l.Note != "new" {
		t.Errorf("%+v, %v", l, err)
	}
	for _, id := range []string{k.ID, "nobody", "", "a.b", strings.Repeat("x", 5000), "key.>"} {
		if _, err := s.Revoke(t.Context(), id); protocol.CodeOf(err) != protocol.CodeNotFound {
			t.Errorf("revoking %.20q: %v", id, err)
		}
		if _, err := s.Find(t.Context(), id); protocol.CodeOf(err) != protocol.CodeNotFound {
			t.Errorf("finding %.20q: %v", id, err)
		}
	}
	if _, _, err := s.Create(t.Context(), Key{Note: "a\nb"}); protocol.CodeOf(err) != protocol.CodeBadRequest {
		t.Errorf("a note with two lines: %v", err)
	}
	if list, err := s.List(t.Context()); err != nil || len(list) != 1 || list[0].ID != old.ID {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestTable follows keys as they come and go, one whose record is damaged included.
func TestTable(t *testing.T) {
	js := open(t, invokertest.StartNATS(t))
	table, log := follow(t, js, time.Now) // there is no bucket yet
	s := NewStore(js)
	k, text := create(t, s, Key{Rate: "3/m"})
	await.Until(t, "a new key is known", func() bool { return table.Match(text) != nil })
	if e := table.Match(text); e.Principal != "key:"+k.ID || e.Rate.Count != 3 {
		t.Errorf("%+v", e)
	}
	other := Prefix + k.ID + "_" + random(secret)
	check := sum(other)
	if e := table.Match(other + string(check[:])); e != nil {
		t.Error("another secret of the same id is taken")
	}
	if table.Match("") != nil || table.Match(text[:Size-1]) != nil {
		t.Error("what is no key is taken")
	}
	kv, err := js.KeyValue(t.Context(), Bucket)
	if err != nil {
		t.Fatal(err)
	}
	hostile := "aaaaaaaaaaaa"
	for _, key := range []string{keyPrefix + hostile, keyPrefix + "x", keyPrefix + "a.b.c", "strange",
		usedPrefix + "nobody"} {
		if _, err := kv.Put(t.Context(), key, []byte("{\"note\":\"\x1b[31m\"")); err != nil {
			t.Fatal(err)
		}
	}
	await.Until(t, "the damaged record is reported", func() bool { return strings.Contains(log.String(), hostile) })
	if strings.Contains(log.String(), "\x1b") {
		t.Errorf("the log has a control character: %q", log)
	}
	_, second := create(t, s, Key{})
	await.Until(t, "keys behind the damaged record are known", func() bool { return table.Match(second) != nil })
	list, err := s.List(t.Context())
	if err != nil || len(list) != 5 || list[0].Problem != "" || list[4].Problem == "" {
		t.Errorf("%+v, %v", list, err)
	}
	if l, err := s.Revoke(t.Context(), hostile); err != nil || l.Problem == "" {
		t.Errorf("%+v, %v", l, err)
	}
	if _, err := s.Revoke(t.Context(), k.ID); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "a revoked key is forgotten", func() bool { return table.Match(text) == nil })
	if table.Match(second) == nil {
		t.Error("another key is gone too")
	}
	if err := js.DeleteKeyValue(t.Context(), Bucket); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "keys end with their bucket", func() bool { return table.Match(second) == nil })
	_, third := create(t, s, Key{})
	await.Until(t, "the bucket is seen again", func() bool { return table.Match(third) != nil })
	stream, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "keys end with the contents of their bucket", func() bool { return table.Match(third) == nil })
}

// TestRestart revokes a key while a table cannot reach NATS. Until it can, it knows what it knew.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	start := func(port int) *server.Server {
		return invokertest.StartNATS(t, func(o *server.Options) { o.StoreDir, o.Port = dir, port })
	}
	ns := start(server.RANDOM_PORT)
	port := ns.Addr().(*net.TCPAddr).Port
	js := open(t, ns)
	s := NewStore(js)
	kept, keptText := create(t, s, Key{})
	revoked, revokedText := create(t, s, Key{})
	table, _ := follow(t, js, time.Now)
	if table.Match(keptText) == nil || table.Match(revokedText) == nil {
		t.Fatalf("%s or %s is not known", kept.ID, revoked.ID)
	}
	ns.Shutdown()
	ns.WaitForShutdown()
	await.Until(t, "the connection is lost", func() bool { return !js.Conn().IsConnected() })
	if table.Match(revokedText) == nil || table.Match(keptText) == nil {
		t.Error("keys are forgotten while NATS is away")
	}
	alone := invokertest.StartNATS(t, func(o *server.Options) { o.StoreDir = dir })
	if _, err := NewStore(open(t, alone)).Revoke(t.Context(), revoked.ID); err != nil {
		t.Fatal(err)
	}
	alone.Shutdown()
	alone.WaitForShutdown()
	start(port)
	await.Until(t, "what was revoked meanwhile is forgotten", func() bool { return table.Match(revokedText) == nil })
	if table.Match(keptText) == nil {
		t.Error("the other key is forgotten")
	}
}

// TestUse writes down when keys are used, an hour as precisely, whichever table sees it.
func TestUse(t *testing.T) {
	js := open(t, invokertest.StartNATS(t))
	s := NewStore(js)
	k, text := create(t, s, Key{})
	var at atomic.Int64
	begin := time.Date(2026, 11, 30, 10, 59, 0, 0, time.UTC)
	at.Store(begin.Unix())
	now := func() time.Time { return time.Unix(at.Load(), 0) }
	table, _ := follow(t, js, now)
	used := func(want time.Time) func() bool {
		return func() bool {
			table.Touch(table.Match(text), now())
			l, err := s.Find(t.Context(), k.ID)
			return err == nil && l.Used.Equal(want)
		}
	}
	await.Until(t, "the use is written", used(begin.Truncate(time.Hour)))
	at.Store(begin.Add(30 * time.Minute).Unix())
	await.Until(t, "the next hour is written", used(begin.Truncate(time.Hour).Add(time.Hour)))
	before := revision(t, js, k.ID)
	for range 1000 {
		table.Touch(table.Match(text), now())
	}
	at.Store(begin.Add(45 * time.Minute).Unix())
	other, _ := follow(t, js, now)
	other.Touch(other.Match(text), now())
	if after := revision(t, js, k.ID); after != before {
		t.Errorf("the use was written again in the same hour: %d, %d", before, after)
	}
}

// revision returns that of a key's use.
func revision(t *testing.T, js jetstream.JetStream, id string) uint64 {
	t.Helper()
	e, err := last(t.Context(), js, usedPrefix+id)
	if err != nil {
		t.Fatal(err)
	}
	return e.revision
}

// TestReadEach reads what a watch would, from the leader.
func TestReadEach(t *testing.T) {
	js := open(t, invokertest.StartNATS(t))
	s := NewStore(js)
	var gone string
	for i := range 40 {
		k, _ := create(t, s, Key{Note: fmt.Sprint(i)})
		gone = k.ID
	}
	if _, err := s.Revoke(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	want, err := readAll(t.Context(), js)
	if err != nil {
		t.Fatal(err)
	}
	got, err := readEach(t.Context(), js)
	if err != nil || len(got) != len(want) || len(want) != 41 {
		t.Fatalf("%d, %v; want %d", len(got), err, len(want))
	}
	for key, e := range want {
		if g := got[key]; g.revision != e.revision || g.deleted != e.deleted || !bytes.Equal(g.value, e.value) {
			t.Errorf("%s: %+v, want %+v", key, g, e)
		}
	}
}

// TestHammerTable looks keys up, and uses them, while others make and revoke them.
func TestHammerTable(t *testing.T) {
	js := open(t, invokertest.StartNATS(t))
	s := NewStore(js)
	_, stays := create(t, s, Key{})
	table, _ := follow(t, js, time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	var readers, writers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				e := table.Match(stays)
				if e == nil {
					t.Error("a key that nobody revokes is gone")
					return
				}
				table.Touch(e, time.Now())
			}
		})
	}
	for range 3 {
		writers.Go(func() {
			for range 15 {
				k, text, err := s.Create(ctx, Key{})
				if err != nil {
					t.Error(err)
					return
				}
				await.Until(t, "it is known", func() bool { return table.Match(text) != nil })
				if _, err := s.Revoke(ctx, k.ID); err != nil {
					t.Error(err)
				}
				await.Until(t, "it is forgotten", func() bool { return table.Match(text) == nil })
			}
		})
	}
	writers.Wait()
	cancel()
	readers.Wait()
}

func BenchmarkMatch(b *testing.B) {
	id, text := newKey()
	table := NewTable(nil, time.Now, nil)
	table.keys[id] = &Entry{digest: digestOf(text)}
	b.ReportAllocs()
	for b.Loop() {
		if table.Match(text) == nil {
			b.Fatal("it is not there")
		}
	}
}

// TestPermissions follows keys as a user of NATS that may no more about them than docs/permissions.md says, and cannot
// make any.
func TestPermissions(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/permissions.md")
	if err != nil {
		t.Fatal(err)
	}
	var publish []string
	for _, m := range regexp.MustCompile(`"(\$[^"]*fn_keys[^"]*)"`).FindAllSubmatch(page, -1) {
		publish = append(publish, string(m[1]))
	}
	if len(publish) < 4 {
		t.Fatalf("docs/permissions.md names %q", publish)
	}
	ns := invokertest.StartNATS(t, func(o *server.Options) {
		o.Users = []*server.User{{Username: "admin", Password: "a"}, {Username: "gateway",
			Password: "g", Permissions: &server.Permissions{
				Publish:   &server.SubjectPermission{Allow: publish},
				Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}}}}}
	})
	as := func(user, password string) jetstream.JetStream {
		js, err := jetstream.New(invokertest.Connect(t, ns, nats.UserInfo(user, password)))
		if err != nil {
			t.Fatal(err)
		}
		return js
	}
	s := NewStore(as("admin", "a"))
	k, text := create(t, s, Key{})
	js := as("gateway", "g")
	table, log := follow(t, js, time.Now)
	await.Until(t, "the key is known", func() bool { return table.Match(text) != nil })
	await.Until(t, "its use is written", func() bool {
		table.Touch(table.Match(text), time.Now())
		l, err := s.Find(t.Context(), k.ID)
		return err == nil && !l.Used.IsZero()
	})
	if _, err := s.Revoke(t.Context(), k.ID); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "the key is not valid any more", func() bool { return table.Match(text) == nil })
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if k, _, err := NewStore(js).Create(ctx, Key{}); err == nil {
		t.Errorf("a gateway has made the key %s", k.ID)
	}
	if log.String() != "" {
		t.Errorf("the log: %s", log)
	}
}
