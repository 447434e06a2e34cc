package access

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/invoker/invokertest/await"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// counting counts calls, and holds them up while it is told to.
type counting struct {
	protocol.Caller
	calls atomic.Int64
	hold  chan struct{} // nil, or calls wait until it is closed
	last  atomic.Pointer[protocol.Request]
}

func (c *counting) Call(ctx context.Context, r *protocol.Request) (*protocol.Reply, error) {
	c.calls.Add(1)
	c.last.Store(r)
	if c.hold != nil {
		select {
		case <-c.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return c.Caller.Call(ctx, r)
}

// deployed starts an invoker with authorizers: says answers with what the client's Authorization says, the others
// end in their ways.
func deployed(t *testing.T, only ...string) *invokertest.Server {
	t.Helper()
	s := invokertest.Start(t)
	for name, args := range map[string][]string{"says": {"cat", "/request/headers/authorization"},
		"no": {"exit", "77"}, "bad": {"exit", "65"}, "usage": {"exit", "64"}, "input": {"exit", "66"},
		"later": {"exit", "75"},
		"other": {"exit", "3"}, "traps": {"trap"}, "loops": {"loop"}, "floods": {"flood"}} {
		if len(only) > 0 && !slices.Contains(only, name) {
			continue
		}
		s.Deploy(name, runtimestest.Wasm(), func(f *protocol.Function) {
			f.Args = args
			f.Limits.Output = 64 << 10
			if name == "other" {
				f.Replies = []int{3} // an exit code that is no error is not an answer all the same
			}
		})
	}
	return s
}

// TestAuthorizers asks functions, which run in a sandbox, and lets nobody in unless they say so.
func TestAuthorizers(t *testing.T) {
	s := deployed(t)
	calls := &counting{Caller: s.Client}
	now := newClock()
	g := serve(t, Config{Caller: calls, Now: now.now, Authorizers: Authorizers{Timeout: 20 * time.Second}})
	says := mount(t, g, Want{Auth: "function says", Route: "GET /x", Function: "greet"})
	for answer, auth := range map[string]string{
		`{}`:                     "function:says",
		`{"principal":"ada"}`:    "function:says:ada",
		`{"principal":"a:b c"}`:  "function:says:a:b c",
		` {"principal":"ada" } `: "function:says:ada",
	} {
		if a := ask(t, says, "Authorization: "+answer).want(t, 200); a.auth["Fn-Auth"][0] != auth {
			t.Errorf("%s: %v", answer, a.auth)
		}
	}
	a := ask(t, says, `Authorization: {"principal":"ada","context":{"team":"x","n":7,"all":[1, 2]}}`).want(t, 200)
	if a.auth["Fn-Claim-team"][0] != "x" || a.auth["Fn-Claim-n"][0] != "7" || a.auth["Fn-Claim-all"][0] != "[1,2]" {
		t.Errorf("%v", a.auth)
	}
	for _, answer := range []string{`yes`, `true`, `null`, `[]`, `"ada"`, `{"isAuthorized":false}`, `{"allow":false}`,
		`{"principal":7}`, `{"principal":"a\nb"}`, `{"principal":"` + strings.Repeat("x", 300) + `"}`, `{} {}`, `{"ttl":5}`,
		`{"ttl":"-5s"}`, `{"scope":"all"}`, `{"context":{"a b":"c"}}`, `{"context":{"a":"b\r\nc"}}`,
		`{"context":{"a":1,"A":2}}`,
		`{"context":{"a":"` + strings.Repeat("x", 1025) + `"}}`, `{"principal":"ada"`,
		`{"x":"` + strings.Repeat("x", 9000) + `"}`} {
		ask(t, says, "Authorization: "+answer).want(t, 502, "the authorizer says fails")
	}
	for name, code := range map[string]int{"no": 403, "bad": 401, "usage": 401, "input": 401, "later": 503, "other": 502,
		"traps": 502, "floods": 502, "nobody": 503} {
		url := mount(t, g, Want{Auth: "function " + name, Route: "GET /x"})
		a := ask(t, url, "Authorization: me").want(t, code)
		if (code == 401 || code == 403) != (a.Get("WWW-Authenticate") != "") || code == 503 && a.Get("Retry-After") == "" {
			t.Errorf("%s: %v", name, a.Header)
		}
	}
	before := calls.calls.Load()
	ask(t, mount(t, g, Want{Auth: "function no", Route: "GET /x"}), "Authorization: me").want(t, 403)
	if calls.calls.Load() > before+1 {
		t.Errorf("%d calls for a refusal", calls.calls.Load()-before)
	}
	q := calls.last.Load()
	if q.Body != nil || q.Header.Get("Fn-Method") != "GET" || q.Header.Get("Authorization") != "me" ||
		q.Header.Get("Fn-Route") != "GET /x" {
		t.Errorf("the authorizer was asked %+v", q)
	}
	impatient := serve(t, Config{Caller: s.Client, Authorizers: Authorizers{Timeout: 100 * time.Millisecond}})
	ask(t, mount(t, impatient, Want{Auth: "function loops"}), "Authorization: me").want(t, 503, "does not answer")
}

// TestAnswersHold keeps answers for as long as they say, for whom and for what they are.
func TestAnswersHold(t *testing.T) {
	s := deployed(t, "says", "bad")
	calls := &counting{Caller: s.Client}
	now := newClock()
	g := serve(t, Config{Caller: calls, Now: now.now})
	says := mount(t, g, Want{Auth: "function says", Route: "GET /x", Function: "greet"})
	other := mount(t, g, Want{Auth: "function says", Route: "GET /y", Function: "greet"})
	asked := func(n int64, url string, headers ...string) {
		t.Helper()
		before := calls.calls.Load()
		ask(t, url, headers...).want(t, 200)
		if got := calls.calls.Load() - before; got != n {
			t.Errorf("%s %v: %d calls; want %d", url, headers, got, n)
		}
	}
	ada, bob := `Authorization: {"principal":"ada","ttl":"1m"}`, `Authorization: {"principal":"bob","ttl":"1m"}`
	once, wide := `Authorization: {"principal":"ada"}`, `Authorization: {"principal":"ada","ttl":"1m","scope":"route"}`
	asked(1, says+"/a", once)
	asked(1, says+"/a", once) // it says nothing of a time
	asked(1, says+"/a", ada)
	asked(0, says+"/a", ada)
	asked(0, says+"/a", ada, "Accept: text/plain") // that is not who the client is
	asked(1, says+"/b", ada)
	asked(1, says+"/a?x", ada)
	asked(1, other+"/a", ada)
	asked(1, says+"/a", bob)
	if a := ask(t, says+"/a", bob); a.auth["Fn-Auth"][0] != "function:says:bob" {
		t.Errorf("bob is %v", a.auth)
	}
	asked(1, says+"/a", wide)
	asked(0, says+"/b?x", wide)
	asked(1, other+"/a", wide)
	// Two values are not one with both.
	ask(t, says+"/a", ada, "Authorization: x").want(t, 502)
	now.add(time.Minute)
	asked(1, says+"/a", ada)
	asked(0, says+"/a", ada)
	g.Forget("greet")
	asked(0, says+"/a", ada)
	g.Forget("says")
	asked(1, says+"/a", ada)
	// A refusal holds for the same request, for a moment, and for no other.
	bad := mount(t, g, Want{Auth: "function bad", Route: "GET /x"})
	before := calls.calls.Load()
	ask(t, bad, "Authorization: me").want(t, 401)
	ask(t, bad, "Authorization: me").want(t, 401)
	ask(t, bad, "Authorization: me", "Cookie: a=b").want(t, 401)
	now.add(refusedFor)
	ask(t, bad, "Authorization: me").want(t, 401)
	if got := calls.calls.Load() - before; got < 3 || got > 4 { // the first two come from one connection, or two
		t.Errorf("%d calls", got)
	}
	// Without an identity nothing is kept.
	anybody := serve(t, Config{Caller: echo(`{"principal":"x","ttl":"1h"}`, calls), Now: now.now})
	path := mount(t, anybody, Want{Auth: "function x"})
	asked(1, path)
	asked(1, path)
}

// echo returns a caller that answers with a text, and counts.
func echo(text string, c *counting) protocol.Caller { return says{text, c} }

type says struct {
	text string
	*counting
}

func (s says) Call(context.Context, *protocol.Request) (*protocol.Reply, error) {
	s.calls.Add(1)
	return &protocol.Reply{Body: []byte(s.text)}, nil
}

// TestOneCallForMany asks once for many requests that are the same, however many wait, and lets each wait for as long
// as it likes.
func TestOneCallForMany(t *testing.T) {
	s := deployed(t, "says")
	calls := &counting{Caller: s.Client, hold: make(chan struct{})}
	g := serve(t, Config{Caller: calls, Authorizers: Authorizers{Calls: 2}})
	admit := func(ctx context.Context, auth string) error {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", auth)
		_, err := g.Admit(ctx, r, Want{Auth: "function says", Route: "GET /x", Client: "127.0.0.1"})
		return err
	}
	gone, leave := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := admit(gone, `{}`); protocol.CodeOf(err) != 503 || !errors.Is(err, context.Canceled) {
			t.Errorf("whoever has left gets %v", err)
		}
	})
	await.Until(t, "it is asked", func() bool { return calls.calls.Load() == 1 })
	for range 50 {
		running.Go(func() {
			if err := admit(t.Context(), `{}`); err != nil {
				t.Error(err)
			}
		})
	}
	leave() // who came first does not take the others along
	running.Go(func() {
		if err := admit(t.Context(), `{"principal":"b"}`); err != nil {
			t.Error(err)
		}
	})
	await.Until(t, "the second is asked", func() bool { return calls.calls.Load() == 2 })
	if err := admit(t.Context(), `{"principal":"c"}`); protocol.CodeOf(err) != 503 || RetryAfter(err) == 0 {
		t.Errorf("a third call: %v", err)
	}
	close(calls.hold)
	running.Wait()
	if n := calls.calls.Load(); n != 2 && n != 3 { // one of the fifty may come when the first has its answer
		t.Errorf("%d calls", n)
	}
}

// TestAuthorizerReplaced keeps no answer of an authorizer that was replaced while it was asked.
func TestAuthorizerReplaced(t *testing.T) {
	calls := &counting{hold: make(chan struct{})}
	calls.Caller = echo(`{"ttl":"1h"}`, &counting{})
	g := serve(t, Config{Caller: calls})
	url := mount(t, g, Want{Auth: "function check"})
	var running sync.WaitGroup
	running.Go(func() { ask(t, url, "Authorization: me").want(t, 200) })
	await.Until(t, "it is asked", func() bool { return calls.calls.Load() == 1 })
	g.Forget("check")
	close(calls.hold)
	running.Wait()
	ask(t, url, "Authorization: me").want(t, 200)
	if n := calls.calls.Load(); n != 2 {
		t.Errorf("%d calls; want 2", n)
	}
}

// TestAnswersBounded keeps so many answers, those that were used last.
func TestAnswersBounded(t *testing.T) {
	a, now := newAnswers(3), time.Now()
	key := func(i int) digest { return digest{byte(i)} }
	for i := range 10 {
		a.put(key(i), fmt.Sprint(i%2), answer{ttl: time.Duration(i)}, now.Add(time.Minute))
		a.put(key(0), "0", answer{}, now.Add(time.Minute))
	}
	if len(a.by) != 3 || a.recent.Len() != 3 {
		t.Errorf("%d and %d are kept", len(a.by), a.recent.Len())
	}
	for i, want := range map[int]bool{0: true, 9: true, 8: true, 7: false} {
		if _, ok := a.get(key(i), now); ok != want {
			t.Errorf("%d: %v", i, ok)
		}
	}
	a.drop("0")
	if _, ok := a.get(key(9), now); !ok || len(a.by) != 1 {
		t.Errorf("%d are left", len(a.by))
	}
	if _, ok := a.get(key(9), now.Add(time.Minute)); ok || len(a.by) != 0 || a.recent.Len() != 0 {
		t.Error("an answer holds too long")
	}
}

// TestHammerAuthorizers asks, keeps and forgets at the same time. Nobody is taken for another.
func TestHammerAuthorizers(t *testing.T) {
	g := serve(t, Config{Caller: mirror{}, Authorizers: Authorizers{Answers: 8}})
	var running sync.WaitGroup
	for i := range 8 {
		running.Go(func() {
			for n := range 200 {
				who := fmt.Sprintf("c%d", (i+n)%12)
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.Header.Set("Authorization", who)
				id, err := g.Admit(t.Context(), r, Want{Auth: "function mirror"})
				if err != nil || id.Name != who {
					t.Errorf("%s is %s, %v", who, id.Name, err)
				}
				if n%20 == 0 {
					g.Forget("mirror")
				}
			}
		})
	}
	running.Wait()
}

// mirror answers that a client is who its Authorization says.
type mirror struct{}

func (mirror) Call(_ context.Context, r *protocol.Request) (*protocol.Reply, error) {
	return &protocol.Reply{Body: fmt.Appendf(nil, `{"principal":%q,"ttl":"1m"}`, r.Header.Get("Authorization"))}, nil
}
