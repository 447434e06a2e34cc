package invoker_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// deployVersions deploys versions of a function that differ in nothing but a variable.
func deployVersions(t testing.TB, nc *nats.Conn, name string, n int) (last protocol.DeployReply) {
	t.Helper()
	for i := range n {
		last = deploy(t, nc, protocol.Function{Name: name, Env: map[string]string{"N": strconv.Itoa(i)}},
			runtimestest.Wasm())
	}
	return last
}

// verb asks a control verb with a body in JSON.
func verb[T any](nc *nats.Conn, v protocol.APIVerb, q any) (T, error) {
	b, err := json.Marshal(q)
	if err != nil {
		panic(err)
	}
	return control[T](nc, &nats.Msg{Subject: v.Subject(), Data: b})
}

// aliasOf is an alias of one version, or of two with the weight of the newer one.
func aliasOf(version int, newer ...int) protocol.Alias {
	if len(newer) == 0 {
		return protocol.Alias{To: []protocol.Weight{{Version: version}}}
	}
	return protocol.Alias{To: []protocol.Weight{{Version: version, Weight: 100 - newer[1]},
		{Version: newer[0], Weight: newer[1]}}}
}

func setAlias(t testing.TB, nc *nats.Conn, name, alias string, a protocol.Alias) protocol.AliasReply {
	t.Helper()
	reply, err := verb[protocol.AliasReply](nc, protocol.APIAliasSet,
		protocol.AliasSetRequest{Function: name, Alias: alias, Value: a})
	if err != nil || len(reply.Warnings) > 0 {
		t.Fatalf("alias-set %s@%s: %v, warnings %q", name, alias, err, reply.Warnings)
	}
	return reply
}

// ranBy calls a subject and returns the version that has answered.
func ranBy(nc *nats.Conn, subject string, header ...string) (int, error) {
	r, err := tryCall(nc, subject, []byte("hi"), append(header, protocol.HeaderReport, "1")...)
	switch {
	case err != nil:
		return 0, err
	case r.Err != nil:
		return 0, r.Err
	case r.Report == nil:
		return 0, fmt.Errorf("no report in %+v", r)
	}
	return strconv.Atoi(r.Report.Function.Version)
}

func wantVersion(t testing.TB, nc *nats.Conn, subject string, want int, header ...string) {
	t.Helper()
	if got, err := ranBy(nc, subject, header...); err != nil || got != want {
		t.Errorf("%s is answered by version %d (%v), want %d", subject, got, err, want)
	}
}

func wantRefusal(t testing.TB, err error, code int, text string) {
	t.Helper()
	if protocol.CodeOf(err) != code || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %d with %q", err, code, text)
	}
}

func TestAlias(t *testing.T) {
	s := startServer(t)
	first, second := startInvoker(t, s), startInvoker(t, s)
	nc := connect(t, s)
	deployVersions(t, nc, "f", 3)
	wantVersion(t, nc, "fn.f.echo", 3)
	setAlias(t, nc, "f", "live", aliasOf(2))
	wantVersion(t, nc, "fn.f.echo", 2)
	wantVersion(t, nc, "fn.f@live.echo", 2)
	if held := deployVersions(t, nc, "f", 4).Held; held != "fn.f still answers with version 2 (alias live): polyvoke promote f" {
		t.Errorf("deploy says %q", held)
	}
	wantVersion(t, nc, "fn.f.echo", 2)
	wantVersion(t, nc, "fn.f@4.echo", 4)

	setAlias(t, nc, "f", "beta", aliasOf(3))
	wantVersion(t, nc, "fn.f@beta.echo", 3)
	halves := setAlias(t, nc, "f", "live", aliasOf(2, 4, 50))
	for i := range 30 {
		key, id := fmt.Sprint("key-", i), fmt.Sprint("id-", i)
		wantVersion(t, nc, "fn.f.echo", halves.Value.Choose("f", key), protocol.HeaderKey, key, protocol.HeaderID, id)
		wantVersion(t, nc, "fn.f.echo", halves.Value.Choose("f", id), protocol.HeaderID, id)
	}
	seen := map[int]int{}
	for range 60 {
		v, err := ranBy(nc, "fn.f.echo")
		if seen[v]++; err != nil {
			t.Fatal(err)
		}
	}
	if seen[2] < 5 || seen[4] < 5 || seen[2]+seen[4] != 60 {
		t.Errorf("without a key, versions got %v", seen)
	}
	byArgument := halves.Value
	byArgument.Key = "{2}"
	setAlias(t, nc, "f", "live", byArgument)
	for i := range 10 {
		key := fmt.Sprint("user-", i)
		wantVersion(t, nc, "fn.f.echo."+key, byArgument.Choose("f", key))
	}

	old := halves.Revision
	_, err := verb[protocol.AliasReply](nc, protocol.APIAliasSet,
		protocol.AliasSetRequest{Function: "f", Alias: "live", Value: aliasOf(4), Revision: &old})
	wantRefusal(t, err, protocol.CodeConflict, "decide anew")
	_, err = verb[protocol.AliasReply](nc, protocol.APIAliasSet,
		protocol.AliasSetRequest{Function: "f", Alias: "live", Value: aliasOf(9)})
	wantRefusal(t, err, protocol.CodeNotFound, "no version 9; it has 1 to 7")
	_, err = verb[protocol.AliasListReply](nc, protocol.APIAliasList, protocol.AliasListRequest{Function: "g"})
	wantRefusal(t, err, protocol.CodeNotFound, "no function g")

	for _, v := range []*service{first, second} {
		v.end(t)
	}
	startInvoker(t, s)
	for i := range 10 {
		key := fmt.Sprint("user-", i)
		wantVersion(t, nc, "fn.f.echo."+key, byArgument.Choose("f", key))
	}
	if _, err := verb[protocol.AliasReply](nc, protocol.APIAliasRemove, protocol.AliasRequest{Function: "f"}); err != nil {
		t.Fatal(err)
	}
	wantVersion(t, nc, "fn.f.echo", 7)
	if _, err := ranBy(nc, "fn.f@live.echo"); err != nats.ErrNoResponders {
		t.Errorf("the alias is gone, and a call of it is answered with %v", err)
	}
}

func TestRollback(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	nc := connect(t, s)
	deployVersions(t, nc, "f", 5)
	back := func(q protocol.RollbackRequest, want int) {
		t.Helper()
		q.Function = "f"
		if _, err := verb[protocol.AliasReply](nc, protocol.APIRollback, q); err != nil {
			t.Fatal(err)
		}
		wantVersion(t, nc, "fn.f.echo", want)
	}
	back(protocol.RollbackRequest{}, 4) // there was no alias: from the newest
	for _, a := range []protocol.Alias{aliasOf(1), aliasOf(2), aliasOf(2, 3, 10), aliasOf(3), aliasOf(3, 5, 20)} {
		setAlias(t, nc, "f", "live", a)
	}
	back(protocol.RollbackRequest{}, 3) // from the canary
	back(protocol.RollbackRequest{}, 2)
	back(protocol.RollbackRequest{}, 1)
	back(protocol.RollbackRequest{}, 4)
	_, err := verb[protocol.AliasReply](nc, protocol.APIRollback, protocol.RollbackRequest{Function: "f"})
	wantRefusal(t, err, protocol.CodeNotFound, "polyvoke history f")
	back(protocol.RollbackRequest{To: 5, By: "me", Why: "it was right\n"}, 5)
	history, err := verb[protocol.HistoryReply](nc, protocol.APIHistory, protocol.AliasRequest{Function: "f"})
	if err != nil || len(history.Entries) != 11 || history.Entries[0].Value.Why != "it was right " {
		t.Errorf("%v, %d entries, the newest %+v", err, len(history.Entries), history.Entries[0])
	}
	wantVersion(t, nc, "fn.f.echo", 5)
}

// TestHammerAliases calls a function through promotions and rollbacks on three invokers, one of which ends and is
// replaced now and then. No call fails, and each is answered by the version that its key has at some moment between its
// begin and its end. POLYVOKE_ALIAS_ROUNDS sets how many changes there are.
func TestHammerAliases(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv("POLYVOKE_ALIAS_ROUNDS"))
	if err != nil {
		rounds = 12
	}
	s := startServer(t)
	all := []*service{startInvoker(t, s), startInvoker(t, s), startInvoker(t, s)}
	nc := connect(t, s)
	deployVersions(t, nc, "f", 4)
	setAlias(t, nc, "f", "live", aliasOf(1))
	stages := make([]protocol.Alias, rounds+1)
	stages[0] = aliasOf(1)
	for i := range rounds { // 10, 40, 70, 100 %, and back at once
		base := 1 + i/5%3
		stages[i+1] = []protocol.Alias{aliasOf(base, base+1, 10), aliasOf(base, base+1, 40), aliasOf(base, base+1, 70),
			aliasOf(base + 1), aliasOf(base)}[i%5]
	}
	var begun, settled, calls atomic.Int64
	stop := make(chan struct{})
	var callers sync.WaitGroup
	for c := range 4 {
		callers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				key, from := fmt.Sprint("key-", c, "-", i%50), settled.Load()
				got, err := ranBy(nc, "fn.f.echo", protocol.HeaderKey, key)
				allowed := map[int]bool{}
				for n := from; n <= begun.Load(); n++ {
					allowed[stages[n].Choose("f", key)] = true
				}
				if calls.Add(1); err != nil || !allowed[got] {
					t.Errorf("call %d of %s: version %d, allowed %v, %v", i, key, got, allowed, err)
					return
				}
			}
		})
	}
	for i := 1; i <= rounds; i++ {
		begun.Store(int64(i))
		reply, err := verb[protocol.AliasReply](nc, protocol.APIAliasSet,
			protocol.AliasSetRequest{Function: "f", Alias: "live", Value: stages[i]})
		if err != nil || len(reply.Warnings) > 0 {
			t.Errorf("change %d: %v, %q", i, err, reply.Warnings)
		}
		settled.Store(int64(i))
		for from := calls.Load(); calls.Load() < from+40 && !t.Failed(); {
			time.Sleep(time.Millisecond) // calls go on
		}
		if i%4 == 0 {
			all[i/4%3].end(t)
			all[i/4%3] = startInvoker(t, s)
		}
	}
	close(stop)
	callers.Wait()
	t.Logf("%d calls through %d changes", calls.Load(), rounds)
}

// TestCanary has a version that fails, and one that does not, judged by the invokers themselves.
func TestCanary(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	startInvoker(t, s)
	nc := connect(t, s)
	deploy(t, nc, protocol.Function{Name: "f"}, runtimestest.Wasm())
	deploy(t, nc, protocol.Function{Name: "f", Limits: protocol.Limits{Output: 1}}, runtimestest.Wasm())
	deploy(t, nc, protocol.Function{Name: "f", Env: map[string]string{"GOOD": "1"}}, runtimestest.Wasm())
	for _, test := range []struct {
		newer, want int
		why         string
	}{{2, 1, "canary aborted by errors>2% (version 2: "}, {3, 3, "canary promoted after 100ms (version 3: "}} {
		a := aliasOf(1, test.newer, 50)
		a.Canary = &protocol.Canary{AbortOn: "errors>2%", For: protocol.Duration(100 * time.Millisecond)}
		setAlias(t, nc, "f", "live", a)
		var now protocol.AliasState
		for end := time.Now().Add(patience); len(now.Value.To) != 1; {
			if time.Now().After(end) {
				t.Fatalf("the canary of version %d does not end: %+v", test.newer, now)
			}
			_, _ = ranBy(nc, "fn.f.echo") // half of them fail
			list, err := verb[protocol.AliasListReply](nc, protocol.APIAliasList, protocol.AliasListRequest{Function: "f"})
			if err != nil || len(list.Aliases) != 1 {
				t.Fatal(err, list)
			}
			now = list.Aliases[0]
		}
		if now.Value.To[0].Version != test.want || now.Value.By != "canary" || !strings.HasPrefix(now.Value.Why, test.why) {
			t.Errorf("the canary of version %d ends as %+v", test.newer, now.Value)
		}
	}
}
