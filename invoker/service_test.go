package invoker_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/bodies"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// probe returns the module that most tests deploy.
func probe() []byte { return runtimestest.Wasm() }

// gather asks a $SRV subject and returns n answers.
func gather[T any](t testing.TB, nc *nats.Conn, subject string, n int) []T {
	t.Helper()
	inbox := nc.NewRespInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	if err := nc.PublishRequest(subject, inbox, nil); err != nil {
		t.Fatal(err)
	}
	var out []T
	for range n {
		m, err := sub.NextMsg(patience)
		if err != nil {
			t.Fatalf("%s: %d answers, then %v", subject, len(out), err)
		}
		var v T
		if err := json.Unmarshal(m.Data, &v); err != nil {
			t.Fatalf("%s: %v in %s", subject, err, m.Data)
		}
		out = append(out, v)
	}
	return out
}

// statsOf returns the answers of n invokers about a function.
func statsOf(t testing.TB, nc *nats.Conn, name string, n int) []micro.Stats {
	return gather[micro.Stats](t, nc, "$SRV.STATS."+name, n)
}

// inFlight returns how many calls of a function run on the one invoker.
func inFlight(t testing.TB, nc *nats.Conn, name string) int {
	t.Helper()
	var d protocol.Stats
	if err := json.Unmarshal(statsOf(t, nc, name, 1)[0].Endpoints[0].Data, &d); err != nil {
		t.Fatal(err)
	}
	return d.InFlight
}

func TestG9MicroLists(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	nc := connect(t, s)
	deploy(t, nc, protocol.Function{Name: "a", Language: "C",
		Triggers: []protocol.Trigger{{Subject: "orders.>"}}}, probe())
	deployProbe(t, nc, "b", protocol.Limits{})

	// polyvoke itself, a and b.
	pings := gather[micro.Ping](t, nc, "$SRV.PING", 3)
	names := []string{pings[0].Name, pings[1].Name, pings[2].Name}
	slices.Sort(names)
	if want := []string{"a", "b", "polyvoke"}; !slices.Equal(names, want) {
		t.Errorf("PING: %v, want %v", names, want)
	}
	info := gather[micro.Info](t, nc, "$SRV.INFO.a", 1)[0]
	if info.Type != micro.InfoResponseType || info.Metadata["language"] != "C" ||
		info.Metadata["digest"] != protocol.Digest(probe()) || info.Version != "1.0.0" {
		t.Errorf("INFO: %+v", info)
	}
	var subjects []string
	for _, e := range info.Endpoints {
		subjects = append(subjects, e.Subject+" "+e.QueueGroup)
	}
	if want := []string{"fn.a q", "orders.> fn-a"}; !slices.Equal(subjects, want) {
		t.Errorf("endpoints %v, want %v", subjects, want)
	}
	if got := gather[micro.Ping](t, nc, "$SRV.PING.a."+info.ID, 1)[0]; got.ID != info.ID {
		t.Errorf("PING by id: %+v", got)
	}

	if _, err := nc.Request("$SRV.PING.nobody", nil, patience); !noResponders(err) {
		t.Errorf("PING of a service that does not exist: %v, want no responders", err)
	}
	wantFigures(t, nc)
}

// wantFigures calls the function a, and fails unless its figures are right although the calls ran side by side.
func wantFigures(t *testing.T, nc *nats.Conn) {
	t.Helper()
	const calls, failures = 200, 50
	var all sync.WaitGroup
	for i := range calls {
		all.Go(func() {
			subject := "fn.a"
			if i < failures {
				subject = "fn.a.exit.65"
			}
			for {
				if r, err := tryCall(nc, subject, nil); err != nil || r.Err == nil || r.Err.Code != 429 {
					break
				}
				t.Error("a call was refused")
			}
		})
		if i%20 == 19 {
			all.Wait()
		}
	}
	all.Wait()
	st := gather[micro.Stats](t, nc, "$SRV.STATS.a", 1)[0].Endpoints[0]
	if st.NumRequests != calls || st.NumErrors != failures || !strings.HasPrefix(st.LastError, "400:") {
		t.Errorf("STATS: %d requests, %d errors, last %q", st.NumRequests, st.NumErrors, st.LastError)
	}
	if st.ProcessingTime <= 0 || st.AverageProcessingTime != st.ProcessingTime/calls {
		t.Errorf("STATS: %v, average %v", st.ProcessingTime, st.AverageProcessingTime)
	}
	var data protocol.Stats
	if err := json.Unmarshal(st.Data, &data); err != nil || data.P50 <= 0 || data.P99 < data.P50 ||
		data.Start != "reset" || data.StartReason == "" || data.Version != 1 {
		t.Errorf("data %s: %v", st.Data, err)
	}
}

func TestRoutes(t *testing.T) {
	s := startServer(t)
	v := startInvoker(t, s)
	nc := connect(t, s)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	orders := jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.eu.>"}}
	if _, err := js.CreateStream(t.Context(), orders); err != nil {
		t.Fatal(err)
	}
	routed := func(name string, subjects ...string) protocol.Function {
		f := protocol.Function{Name: name, Env: map[string]string{"PROBE": "args"}}
		for _, s := range subjects {
			f.Triggers = append(f.Triggers, protocol.Trigger{Subject: s})
		}
		return f
	}
	made := deploy(t, nc, routed("one", "mail.*.sent", "orders.*.created"), probe())
	if len(made.Warnings) != 1 || !strings.Contains(made.Warnings[0], "stream ORDERS captures orders.*.created") {
		t.Errorf("warnings %q", made.Warnings)
	}
	if r := call(t, nc, "mail.args.sent", nil); string(r.Body) != "one\x00args\x00" {
		t.Errorf("route: %q %v", r.Body, r.Err)
	}
	made = deploy(t, nc, routed("two", "mail.>"), probe())
	const want = "mail.> of two overlaps mail.*.sent of one: a message of both runs each once"
	if len(made.Warnings) != 1 || made.Warnings[0] != want {
		t.Errorf("warnings %q", made.Warnings)
	}
	if err := nc.Publish("mail.args.sent", nil); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	eventually(t, "a run of each function", tick.C, func() bool {
		return statsOf(t, nc, "one", 1)[0].Endpoints[1].NumRequests == 2 &&
			statsOf(t, nc, "two", 1)[0].Endpoints[1].NumRequests == 1
	})
	if err := nc.Publish("mail.exit.sent", nil); err != nil { // nobody waits for the failure of one, so it is logged
		t.Fatal(err)
	}
	if err := nc.Publish("mail.exit.9.sent", nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a log line", tick.C, func() bool {
		return strings.Contains(v.log.String(), "message without reply subject failed")
	})
	// A new version without routes gives the subjects up.
	deploy(t, nc, routed("one"), probe())
	deploy(t, nc, routed("two"), probe())
	if _, err := tryCall(nc, "mail.args.sent", nil); !noResponders(err) {
		t.Errorf("a route that was taken away: %v", err)
	}
}

func TestClaimChecks(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	nc := connect(t, s)
	deployProbe(t, nc, "probe", protocol.Limits{Input: 4 << 20, Output: 4 << 20})
	store, err := bodies.Existing(t.Context(), registrytest.JetStream(t, nc))
	if err != nil {
		t.Fatal(err)
	}
	big := make([]byte, 3<<20)
	for i := range big {
		big[i] = byte(i * 7)
	}
	send := func(c *protocol.Claim) protocol.Reply {
		h := protocol.Header{}
		c.Put(h)
		return call(t, nc, "fn.probe", nil, protocol.HeaderObject, h.Get(protocol.HeaderObject),
			protocol.HeaderSize, h.Get(protocol.HeaderSize), protocol.HeaderDigest, h.Get(protocol.HeaderDigest))
	}
	claim, err := store.PutBytes(t.Context(), big)
	if err != nil {
		t.Fatal(err)
	}
	r := send(claim)
	if r.Err != nil || r.Claim == nil || len(r.Body) != 0 {
		t.Fatalf("%+v", r)
	}
	got, err := store.Get(t.Context(), r.Claim, 4<<20)
	if err != nil || !bytes.Equal(got, big) {
		t.Errorf("got %d bytes back, %v", len(got), err)
	}
	lie := *claim
	lie.Digest = protocol.Digest(nil)
	wantError(t, send(&lie), 400, "does not match its claim")
	gone := *claim
	gone.Object = "gone"
	wantError(t, send(&gone), 404, "expire")
	large, err := store.PutBytes(t.Context(), make([]byte, 4<<20+1))
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, send(large), 413, "limits.input")
	large.Size = 1 // the claim is small, what is behind it is not
	wantError(t, send(large), 413, "")
}

func TestBadUploads(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	nc := connect(t, s)
	wasm := probe()
	for _, c := range []struct {
		what     string
		manifest string
		module   []byte
		code     int
		text     string
	}{
		{"nothing", `{"name":"x"}`, nil, 422, "empty"},
		{"text", `{"name":"x"}`, []byte("hello"), 422, "not"},
		{"truncated", `{"name":"x"}`, wasm[:len(wasm)/2], 422, ""},
		{"component", `{"name":"x"}`, []byte("\x00asm\x0d\x00\x01\x00"), 422, "component"},
		{"no _start", `{"name":"x"}`, []byte("\x00asm\x01\x00\x00\x00"), 422, "_start"},
		{"foreign import", `{"name":"x"}`,
			[]byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x02\x0c\x01\x03env\x04nope\x00\x00"), 422, `"nope"`},
		{"name", `{"name":"x.y"}`, wasm, 422, "x.y"},
		{"key", `{"name":"x","timeot":"3s"}`, wasm, 422, `unknown key "timeot"`},
		{"timeout", `{"name":"x","limits":{"timeout":"-3s"}}`, wasm, 422, "longer than zero"},
		{"no manifest", ``, wasm, 400, "Fn-Manifest"},
		{"memory", `{"name":"x","limits":{"memory":"64KiB"}}`, wasm, 422, "memory"},
		{"stack", `{"name":"x","limits":{"stack":"1GiB"}}`, wasm, 422, "limits.stack"},
		{"more memory than there may be", `{"name":"x","limits":{"memory":"3GiB"}}`, wasm, 422, "3072 MiB"},
	} {
		m := &nats.Msg{Subject: protocol.APIDeploy.Subject(), Data: c.module,
			Header: nats.Header{protocol.HeaderManifest: {c.manifest}}}
		_, err := control[protocol.DeployReply](nc, m)
		if protocol.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want code %d with %q", c.what, err, c.code, c.text)
		}
	}
	list, err := control[protocol.ListReply](nc, &nats.Msg{Subject: protocol.APIList.Subject()})
	if err != nil || len(list.Functions) != 0 {
		t.Errorf("afterwards there are %v, %v", list.Functions, err)
	}
	deployProbe(t, nc, "good", protocol.Limits{})
	if r := call(t, nc, "fn.good", []byte("x")); string(r.Body) != "x" {
		t.Errorf("afterwards: %+v", r)
	}
}

func TestControl(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	nc := connect(t, s)
	deployProbe(t, nc, "b", protocol.Limits{})
	deployProbe(t, nc, "a", protocol.Limits{})
	deployProbe(t, nc, "a", protocol.Limits{Queue: 1})
	call(t, nc, "fn.a", nil)
	list, err := control[protocol.ListReply](nc, &nats.Msg{Subject: protocol.APIList.Subject()})
	if err != nil || len(list.Functions) != 2 || list.Functions[0].Name != "a" || list.Functions[0].Version != 2 {
		t.Errorf("list: %+v, %v", list, err)
	}
	about := func(v protocol.APIVerb, body string) *nats.Msg {
		return &nats.Msg{Subject: v.Subject(), Data: []byte(body)}
	}
	info, err := control[protocol.InfoReply](nc, about(protocol.APIInfo, `{"name":"a"}`))
	if err != nil || len(info.Versions) != 2 || info.Stats.Requests != 1 {
		t.Errorf("info: %+v, %v", info, err)
	}
	gone, err := control[protocol.RemoveReply](nc, about(protocol.APIRemove, `{"name":"a"}`))
	if err != nil || gone.Versions != 2 {
		t.Errorf("remove: %+v, %v", gone, err)
	}
	if _, err := tryCall(nc, "fn.a", nil); !noResponders(err) {
		t.Errorf("a removed function: %v", err)
	}
	for body, code := range map[string]int{`{"name":"a"}`: 404, `{"name":"."}`: 400, `nonsense`: 400} {
		for _, verb := range []protocol.APIVerb{protocol.APIInfo, protocol.APIRemove} {
			if _, err := control[any](nc, about(verb, body)); protocol.CodeOf(err) != code {
				t.Errorf("%s %s: %v, want code %d", verb, body, err, code)
			}
		}
	}
	if again := deployProbe(t, nc, "a", protocol.Limits{}); again.Function.Version != 1 {
		t.Errorf("a function that comes back has version %d", again.Function.Version)
	}
	call(t, nc, "fn.a@1", nil)
}

func TestLogs(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	nc := connect(t, s)
	lines, err := nc.SubscribeSync("log.>")
	if err != nil {
		t.Fatal(err)
	}
	deployProbe(t, nc, "probe", protocol.Limits{})
	call(t, nc, "fn.probe.lines.3", nil, "Fn-Id", "7")
	for range 3 {
		m, err := lines.NextMsg(patience)
		if err != nil {
			t.Fatal(err)
		}
		l := protocol.ParseLogLine(protocol.Header(m.Header), m.Data)
		if m.Subject != "log.probe" || l.Text != "e" || l.ID != "7" || l.Function.String() != "probe@1" || l.Platform {
			t.Errorf("%s: %+v", m.Subject, l)
		}
	}
	r := call(t, nc, "fn.probe.trap", nil)
	m, err := lines.NextMsg(patience)
	if err != nil {
		t.Fatal(err)
	}
	if l := protocol.ParseLogLine(protocol.Header(m.Header), m.Data); !l.Platform || l.ID != r.ID ||
		!strings.Contains(l.Text, "unreachable") {
		t.Errorf("%+v", l)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	st, err := js.Stream(t.Context(), protocol.StreamLog)
	if err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	eventually(t, "the line's arrival in the stream", tick.C, func() bool {
		last, err := st.GetLastMsgForSubject(t.Context(), "log.probe")
		return err == nil && bytes.Contains(last.Data, []byte("unreachable"))
	})
}

func TestTwoInvokersSeeADeployment(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	startInvoker(t, s)
	nc := connect(t, s)
	deployProbe(t, nc, "before", protocol.Limits{}) // both have compiled the module then
	awaitInvokers(t, nc, "before", 2)
	began := time.Now()
	deployProbe(t, nc, "probe", protocol.Limits{})
	awaitInvokers(t, nc, "probe", 2)
	if took := time.Since(began); took > patience/2 {
		t.Errorf("it took %v until both served it", took)
	}
}

// awaitInvokers waits until n invokers serve a function.
func awaitInvokers(t *testing.T, nc *nats.Conn, name string, n int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	inbox := nc.NewRespInbox()
	pongs, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	defer pongs.Unsubscribe()
	ids := map[string]bool{}
	eventually(t, "an answer from all", tick.C, func() bool {
		if err := nc.PublishRequest("$SRV.PING."+name, inbox, nil); err != nil {
			t.Fatal(err)
		}
		for m, err := pongs.NextMsg(time.Second); err == nil; m, err = pongs.NextMsg(10 * time.Millisecond) {
			var p micro.Ping
			if err := json.Unmarshal(m.Data, &p); err == nil && p.ID != "" {
				ids[p.ID] = true
			}
		}
		return len(ids) == n
	})
}

func TestFirstCallFromAnyServer(t *testing.T) {
	one := startServer(t, func(o *server.Options) {
		o.Cluster = server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: -1}
		o.JetStream = false
	})
	two := startServer(t, func(o *server.Options) {
		o.Cluster = server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: -1}
		o.JetStream = false
		o.Routes = server.RoutesFromStr("nats-route://" + one.ClusterAddr().String())
	})
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	eventually(t, "the cluster", tick.C, func() bool { return one.NumRoutes() > 0 && two.NumRoutes() > 0 })
	startInvoker(t, one, func(v *invoker.Invoker) { v.Registry = new(registry.Memory) })
	near, far := connect(t, one), connect(t, two)
	eventually(t, "control from afar", tick.C, func() bool {
		_, err := control[protocol.ListReply](far, &nats.Msg{Subject: protocol.APIList.Subject()})
		return err == nil
	})
	for i := range 50 {
		name := fmt.Sprint("f", i)
		deployer, caller := near, far
		if i%2 == 0 {
			deployer = far
		}
		deployProbe(t, deployer, name, protocol.Limits{})
		if r, err := tryCall(deployer, "fn."+name, []byte("x")); err != nil || string(r.Body) != "x" {
			t.Fatalf("first call of %s by who deployed it: %v", name, err)
		}
		if r, err := tryCall(caller, "fn."+name, []byte("x")); err != nil || string(r.Body) != "x" {
			t.Fatalf("first call of %s from the other server: %v", name, err)
		}
	}
}

func TestWithoutJetStream(t *testing.T) {
	s := startServer(t, func(o *server.Options) { o.JetStream = false })
	v := startInvoker(t, s, func(v *invoker.Invoker) { v.Registry = new(registry.Memory) })
	nc := connect(t, s)
	// A megabyte drips slowly under the race detector.
	deployProbe(t, nc, "probe", protocol.Limits{Timeout: protocol.Duration(patience)})
	if r := call(t, nc, "fn.probe", []byte("x")); string(r.Body) != "x" {
		t.Errorf("%+v", r)
	}
	r := call(t, nc, "fn.probe", nil, protocol.HeaderObject, "o",
		protocol.HeaderSize, "1", protocol.HeaderDigest, protocol.Digest(nil))
	wantError(t, r, 503, "JetStream")
	wantError(t, call(t, nc, "fn.probe.drip.1048600", nil), 502, "max_payload")
	if !strings.Contains(v.log.String(), "cannot be carried") {
		t.Errorf("the log does not say what is missing:\n%s", v.log)
	}
}

func TestDrainAnswersEverything(t *testing.T) {
	s := startServer(t)
	v := startInvoker(t, s)
	nc := connect(t, s)
	deployProbe(t, nc, "probe", protocol.Limits{Timeout: protocol.Duration(10 * time.Second), Concurrency: 4, Queue: 100})
	const n = 40
	answers := make(chan *nats.Msg, n)
	inbox := nc.NewRespInbox()
	sub, err := nc.ChanSubscribe(inbox, answers)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	for range n {
		if err := nc.PublishRequest("fn.probe.sleep.50", inbox, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	v.end(t)
	for i := range n {
		select {
		case m := <-answers:
			if string(m.Data) != "awake" {
				t.Errorf("answer %d: %q %v", i, m.Data, m.Header)
			}
		case <-time.After(patience):
			t.Fatalf("%d of %d answered", i, n)
		}
	}
	if _, err := tryCall(nc, "fn.probe", nil); !noResponders(err) {
		t.Errorf("after the end: %v", err)
	}
	wantError(t, *v.Invoke(t.Context(), &protocol.Request{Function: protocol.Ref{Name: "probe"}}), 503, "ending")
}

func TestDrainGivesUp(t *testing.T) {
	s := startServer(t)
	v := startInvoker(t, s, func(v *invoker.Invoker) { v.Drain = 50 * time.Millisecond })
	nc := connect(t, s)
	deployProbe(t, nc, "probe", protocol.Limits{Timeout: protocol.Duration(10 * time.Minute), Concurrency: 2})
	answers := make(chan *nats.Msg, 4)
	inbox := nc.NewRespInbox()
	sub, err := nc.ChanSubscribe(inbox, answers)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	for _, mode := range []string{"loop", "sleep.600000", "loop", "echo"} {
		if err := nc.PublishRequest("fn.probe."+mode, inbox, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	v.end(t)
	for i := range 4 {
		select {
		case m := <-answers:
			if m.Header.Get(protocol.HeaderErrorCode) != "503" {
				t.Errorf("answer %d: %v %q", i, m.Header, m.Data)
			}
		case <-time.After(patience):
			t.Fatalf("%d of 4 answered", i)
		}
	}
}

func TestServerRestart(t *testing.T) {
	dir := t.TempDir()
	start := func(port int) *server.Server {
		return startServer(t, func(o *server.Options) { o.StoreDir, o.Port = dir, port })
	}
	s := start(-1)
	port := s.Addr().(*net.TCPAddr).Port
	v := startInvoker(t, s)
	nc := connect(t, s)
	deployProbe(t, nc, "probe", protocol.Limits{})
	s.Shutdown()
	s.WaitForShutdown()
	s = start(port)
	nc = connect(t, s)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	eventually(t, "a call after the restart", tick.C, func() bool {
		r, err := tryCall(nc, "fn.probe", []byte("x"))
		return err == nil && string(r.Body) == "x"
	})
	deployProbe(t, nc, "another", protocol.Limits{})
	if r := call(t, nc, "fn.another", []byte("x")); string(r.Body) != "x" {
		t.Errorf("deployed after the restart: %+v", r)
	}
	v.end(t)
}

// TestHammer calls, deploys and removes at the same time: every request gets its answer, or
// nobody serves the function at that moment.
func TestHammer(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	startInvoker(t, s)
	control1 := connect(t, s)
	for _, n := range []string{"stays", "changes", "vanishes"} {
		deployProbe(t, control1, n, protocol.Limits{})
	}
	var stop atomic.Bool
	var changes sync.WaitGroup
	changes.Go(func() {
		for i := 0; !stop.Load(); i++ {
			f := protocol.Function{Name: "changes", Env: map[string]string{"I": strconv.Itoa(i)}}
			if _, err := tryDeploy(control1, f, probe()); err != nil {
				t.Errorf("deploy: %v", err)
			}
			remove := &nats.Msg{Subject: protocol.APIRemove.Subject(), Data: []byte(`{"name":"vanishes"}`)}
			_, err := control[protocol.RemoveReply](control1, remove)
			if err != nil {
				t.Errorf("remove: %v", err)
			}
			if _, err := tryDeploy(control1, protocol.Function{Name: "vanishes"}, probe()); err != nil {
				t.Errorf("deploy again: %v", err)
			}
		}
	})
	var callers sync.WaitGroup
	for range 8 {
		nc := connect(t, s)
		callers.Go(func() {
			for i := range 150 {
				name := []string{"stays", "changes", "vanishes"}[rand.IntN(3)]
				mode := []string{"", ".exit.65", ".trap", ".sleep.2", ".args.x", ".drip.3000"}[rand.IntN(6)]
				r, err := tryCall(nc, "fn."+name+mode, []byte("body"))
				if name == "vanishes" && (noResponders(err) || r.Err != nil && r.Err.Code == 404) {
					continue
				}
				if err != nil {
					t.Errorf("call %d of %s%s: %v", i, name, mode, err)
					return
				}
				if r.Err != nil && !slices.Contains([]int{400, 429, 500}, r.Err.Code) ||
					mode == "" && r.Err == nil && string(r.Body) != "body" {
					t.Errorf("call %d of %s%s: %+v", i, name, mode, r)
				}
			}
		})
	}
	callers.Wait()
	stop.Store(true)
	changes.Wait()
}
