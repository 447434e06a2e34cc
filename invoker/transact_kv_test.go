package invoker_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/backend/backendtest"
	"github.com/polyvoke/polyvoke/invoker/backend/standard"
	"github.com/polyvoke/polyvoke/protocol"
)

// granting is an invoker with all kinds of grants.
func granting(t testing.TB, s *server.Server) *service {
	t.Helper()
	nc := connect(t, s)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, nc, func(v *invoker.Invoker) {
		b, end := standard.New(standard.Config{JetStream: js, Conn: nc, Caller: v})
		t.Cleanup(end)
		v.Backend = b
	})
}

// bucket returns a bucket of a server.
func bucket(t testing.TB, s *service, name string) jetstream.KeyValue {
	t.Helper()
	js, err := jetstream.New(s.nc)
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.KeyValue(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

// clerk is a function that may write a bucket.
func clerk(name, bucket string, change ...func(*protocol.Grant)) protocol.Function {
	g := protocol.Grant{KV: bucket, Access: protocol.AccessWrite, Create: true}
	for _, c := range change {
		c(&g)
	}
	return protocol.Function{Name: name, Grants: []protocol.Grant{g}, Limits: protocol.Limits{Concurrency: 100, Queue: 1000,
		Timeout: protocol.Duration(20 * time.Second)}}
}

// TestKeyContention has callers of two invokers increment one key. No success is lost, and none was there without its
// caller having heard of it.
func TestKeyContention(t *testing.T) {
	s := startServer(t)
	first := granting(t, s)
	granting(t, s)
	nc := connect(t, s)
	deploy(t, nc, clerk("clerk", "stock"), backendtest.Clerk())
	var all sync.WaitGroup
	var mu sync.Mutex
	done, refused, runs := 0, 0, 0
	for range 16 {
		all.Go(func() {
			for range 20 {
				r, err := tryCall(nc, "fn.clerk", []byte("add /kv/stock/tea 1\n"), "Fn-Report", "1")
				mu.Lock()
				switch {
				case err != nil || r.Err != nil && r.Err.Code != protocol.CodeConflict:
					t.Error(err, r.Err)
				case r.Err != nil:
					refused++
				default:
					done++
					runs += int(r.Report.Reads)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	e, err := bucket(t, first, "stock").Get(t.Context(), "tea")
	if err != nil || string(e.Value()) != fmt.Sprint(done) || done < 160 {
		t.Errorf("%v is there (%v) after %d successes and %d conflicts", e, err, done, refused)
	}
	t.Logf("%d successes, %d conflicts", done, refused)
}

// transaction is a call that was made: what it has read and written, of keys by number.
type transaction struct {
	reads  map[int]string
	writes map[int]string
}

// keys is how many keys transactions use.
const keys = 20

// serial is the model of keys on which transactions happen one after the other, each at some moment while it runs.
var serial = porcupine.Model{
	Init: func() any { return [keys]string{} },
	Step: func(state, input, _ any) (bool, any) {
		now, tx := state.([keys]string), input.(transaction)
		for k, v := range tx.reads {
			if now[k] != v {
				return false, state
			}
		}
		for k, v := range tx.writes {
			now[k] = v
		}
		return true, now
	},
}

// TestSerializable checks a random history of concurrent calls that each read two keys and write one or two: there is
// an order in which they could have happened one after the other.
func TestSerializable(t *testing.T) {
	s := startServer(t)
	granting(t, s)
	granting(t, s)
	nc := connect(t, s)
	js, err := jetstream.New(nc)
	if err == nil { // in memory, where a batch takes no time
		_, err = js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "books", Storage: jetstream.MemoryStorage})
	}
	if err != nil {
		t.Fatal(err)
	}
	deploy(t, nc, clerk("clerk", "books", func(g *protocol.Grant) { g.Serializable, g.Consistent = true, true }),
		backendtest.Clerk())
	var all sync.WaitGroup
	var mu sync.Mutex
	var history []porcupine.Operation
	began, refused := time.Now(), 0
	for client := range 32 {
		all.Go(func() {
			for n := range 6 {
				at := rand.Perm(keys)
				tx := transaction{reads: map[int]string{}, writes: map[int]string{}}
				orders := fmt.Sprintf("get /kv/books/%d\nget /kv/books/%d\n", at[0], at[1])
				for _, k := range at[1 : 2+rand.IntN(2)] {
					tx.writes[k] = fmt.Sprintf("%d.%d", client, n)
					orders += fmt.Sprintf("put /kv/books/%d %s\n", k, tx.writes[k])
				}
				from := time.Since(began)
				r, err := tryCall(nc, "fn.clerk", []byte(orders))
				to := time.Since(began)
				mu.Lock()
				if err != nil || r.Err != nil && r.Err.Code != protocol.CodeConflict {
					t.Error(err, r.Err)
				} else if r.Err != nil {
					refused++
				} else {
					for i, v := range strings.Fields(string(r.Body)) {
						tx.reads[at[i]] = strings.TrimPrefix(v, "-")
					}
					history = append(history, porcupine.Operation{ClientId: client, Input: tx, Call: int64(from),
						Return: int64(to)})
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	t.Logf("%d calls, %d conflicts in %v", len(history), refused, time.Since(began))
	if got := porcupine.CheckOperationsTimeout(serial, history, patience); got != porcupine.Ok {
		t.Errorf("%d calls (and %d conflicts) are %s", len(history), refused, got)
	}
	if len(history) < 96 {
		t.Errorf("only %d calls have succeeded, %d had conflicts", len(history), refused)
	}
}

// TestSkew has two calls read two keys, and each write one of them, both at the same time. By default both succeed,
// though neither has seen what the other has written; with serializable = true that cannot be.
func TestSkew(t *testing.T) {
	s := startServer(t)
	v := granting(t, s)
	nc := connect(t, s)
	for _, serializable := range []bool{false, true} {
		name := fmt.Sprint("doctors-", serializable)
		deploy(t, nc, clerk(name, name, func(g *protocol.Grant) { g.Serializable, g.Consistent = serializable, true }),
			backendtest.Clerk())
		skewed := false
		for round := 0; round < 20 && !skewed; round++ {
			for _, key := range []string{"a", "b"} {
				if _, err := bucket(t, v, name).Put(t.Context(), key, []byte("on")); err != nil {
					t.Fatal(err)
				}
			}
			var both sync.WaitGroup
			var replies [2]string
			for i, key := range []string{"a", "b"} {
				both.Go(func() {
					r, err := tryCall(nc, "fn."+name, fmt.Appendf(nil,
						"get /kv/%[1]s/a\nget /kv/%[1]s/b\nnap 100\nput /kv/%[1]s/%[2]s off\n", name, key))
					if err == nil && r.Err == nil {
						replies[i] = string(r.Body)
					} else if err != nil || r.Err.Code != protocol.CodeConflict {
						t.Error(err, r.Err)
					}
				})
			}
			both.Wait()
			skewed = replies[0] == "on\non\n" && replies[1] == "on\non\n"
			if serializable && round == 5 {
				break
			}
		}
		if skewed == serializable {
			t.Errorf("serializable %t: both calls have seen that the other has not happened: %t", serializable, skewed)
		}
	}
}

// TestServerAway has NATS go while a call runs. The call fails with 503, and has written nothing; when NATS is back,
// calls succeed again.
func TestServerAway(t *testing.T) {
	options := func(o *server.Options) { o.StoreDir = t.TempDir() }
	var kept *server.Options
	s := startServer(t, options, func(o *server.Options) { kept = o })
	v := granting(t, s)
	nc := connect(t, s)
	deploy(t, nc, clerk("clerk", "stock", func(g *protocol.Grant) { g.Atomic = true }), backendtest.Clerk())
	if r := call(t, nc, "fn.clerk", []byte("put /kv/stock/a 1\nput /kv/stock/b 1\n")); r.Err != nil {
		t.Fatal(r.Err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	answered := make(chan *protocol.Reply, 1)
	go func() {
		answered <- v.Invoke(ctx, &protocol.Request{Function: protocol.Ref{Name: "clerk"},
			Body: []byte("get /kv/stock/a\nnap 1000\nput /kv/stock/a 2\nput /kv/stock/b 2\n")})
	}()
	again := *kept
	again.Port = s.Addr().(*net.TCPAddr).Port
	s.Shutdown()
	s.WaitForShutdown()
	r := <-answered
	if r.Err == nil || r.Err.Code != protocol.CodeUnavailable && r.Err.Code != protocol.CodeTimeout {
		t.Errorf("got %v without NATS", r.Err)
	}
	startServer(t, func(o *server.Options) { *o = again })
	var body string
	for limit := time.Now().Add(patience); body == "" && time.Now().Before(limit); {
		if r := v.Invoke(t.Context(), &protocol.Request{Function: protocol.Ref{Name: "clerk"},
			Body: []byte("get /kv/stock/a\nget /kv/stock/b\nput /kv/stock/c 1\n")}); r.Err == nil {
			body = string(r.Body)
		}
	}
	if body != "1\n1\n" {
		t.Errorf("there is %q", body)
	}
	v.end(t) // before the server
}

// TestServerAwayForLong has NATS away while calls begin, write, and want to be committed, until all of them are
// answered: each with 503, in its time. When NATS is back, each has written all of what it wanted to, and has said that
// nobody knew, or nothing.
func TestServerAwayForLong(t *testing.T) {
	const calls = 8
	var kept *server.Options
	s := startServer(t, func(o *server.Options) { o.StoreDir = t.TempDir(); kept = o })
	v := granting(t, s)
	nc := connect(t, s)
	deploy(t, nc, clerk("clerk", "stock", func(g *protocol.Grant) { g.Atomic = true }), backendtest.Clerk())
	var first strings.Builder
	for i := range calls {
		fmt.Fprintf(&first, "put /kv/stock/a%d 1\nput /kv/stock/b%[1]d 1\n", i)
	}
	if r := call(t, nc, "fn.clerk", []byte(first.String())); r.Err != nil {
		t.Fatal(r.Err)
	}
	away := v.nc.StatusChanged(nats.RECONNECTING, nats.DISCONNECTED)
	again := *kept
	again.Port = s.Addr().(*net.TCPAddr).Port
	s.Shutdown()
	s.WaitForShutdown()
	select {
	case <-away:
	case <-time.After(patience):
		t.Fatal("the invoker's connection is still there")
	}
	replies := make([]*protocol.Reply, calls)
	var all sync.WaitGroup
	for i := range calls {
		all.Go(func() {
			replies[i] = v.Invoke(t.Context(), &protocol.Request{Function: protocol.Ref{Name: "clerk"},
				Body: fmt.Appendf(nil, "put /kv/stock/a%d 2\nput /kv/stock/b%[1]d 2\n", i)})
		})
	}
	all.Wait()
	startServer(t, func(o *server.Options) { *o = again })
	for i, r := range replies {
		if r.Err == nil || r.Err.Code != protocol.CodeUnavailable {
			t.Errorf("call %d came to %v without NATS", i, r.Err)
			continue
		}
		got := settled(t, v, fmt.Sprintf("get /kv/stock/a%d\nget /kv/stock/b%[1]d\nput /kv/stock/c%[1]d 1\n", i))
		if got != "1\n1\n" && !(got == "2\n2\n" && errors.Is(r.Err, backend.ErrUnknown)) {
			t.Errorf("call %d came to %v, and has written %q", i, r.Err, got)
		}
	}
	v.end(t) // before the server
}

// settled returns what a call reads and is committed with, as soon as one succeeds.
func settled(t *testing.T, v *service, body string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for ctx.Err() == nil {
		if r := v.Invoke(ctx, &protocol.Request{Function: protocol.Ref{Name: "clerk"}, Body: []byte(body)}); r.Err == nil {
			return string(r.Body)
		}
	}
	t.Fatal("no call succeeds although NATS is back")
	return ""
}

// TestBucketDeleted deletes a bucket under a function. Calls fail with a word that says so, and go on by themselves when
// it is there again.
func TestBucketDeleted(t *testing.T) {
	s := startServer(t)
	v := granting(t, s)
	nc := connect(t, s)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	deploy(t, nc, clerk("clerk", "stock"), backendtest.Clerk())
	const orders = "get /kv/stock/a\nput /kv/stock/a 1\n"
	if r := call(t, nc, "fn.clerk", []byte(orders)); r.Err != nil {
		t.Fatal(r.Err)
	}
	if err := js.DeleteKeyValue(t.Context(), "stock"); err != nil {
		t.Fatal(err)
	}
	r := call(t, nc, "fn.clerk", []byte("put /kv/stock/b 1\n"))
	wantError(t, r, protocol.CodeUnavailable, "bucket stock")
	if _, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "stock"}); err != nil {
		t.Fatal(err)
	}
	settled(t, v, orders)
	if r := call(t, nc, "fn.clerk", []byte("add /kv/stock/a 1\nget /kv/stock/a\n")); string(r.Body) != "2\n2\n" {
		t.Errorf("the new bucket has %q, %v", r.Body, r.Err)
	}
}
