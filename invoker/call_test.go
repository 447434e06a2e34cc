package invoker_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

func TestCall(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	nc := connect(t, s)
	made := deployProbe(t, nc, "probe", protocol.Limits{})
	if !made.Created || made.Function.Version != 1 || made.Function.Digest != protocol.Digest(runtimestest.Wasm()) {
		t.Errorf("deployed %+v", made)
	}
	r := call(t, nc, "fn.probe", []byte("hello"))
	if r.Err != nil || string(r.Body) != "hello" || len(r.Header) != 0 {
		t.Errorf("got %q, %v, headers %v", r.Body, r.Err, r.Header)
	}
	r = call(t, nc, "fn.probe.args.a.b", nil, "fn-id", "order-7", "fn-report", "1")
	if want := "probe\x00args\x00a\x00b\x00"; string(r.Body) != want || r.ID != "order-7" {
		t.Errorf("got %q, id %q", r.Body, r.ID)
	}
	if p := r.Report; p == nil || p.Function.String() != "probe@1" || p.Start != "reset" ||
		p.Duration <= 0 || p.Memory == 0 || r.Exit != 0 {
		t.Errorf("report %+v", r.Report)
	}
	if r := call(t, nc, "fn.probe", nil, "Fn-Report", "1"); r.ID == "" || r.Report == nil {
		t.Errorf("a report without the call's id: %+v", r)
	}
	wantError(t, call(t, nc, "fn.probe.exit.65", nil), 400, "probe@1 ended with exit code 65 (bad data)")
}

func TestManifestReachesTheProcess(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	nc := connect(t, s)
	env := map[string]string{"B": "2", "A": "1"}
	deploy(t, nc, protocol.Function{Name: "env", Env: env, Args: []string{"env"}}, runtimestest.Wasm())
	if r := call(t, nc, "fn.env", nil); string(r.Body) != "A=1\x00B=2\x00" {
		t.Errorf("env %q", r.Body)
	}
	deploy(t, nc, protocol.Function{Name: "meta", Meta: protocol.MetaEnv, Args: []string{"env"}}, runtimestest.Wasm())
	got := strings.Split(string(call(t, nc, "fn.meta", nil, "Fn-Id", "7", "Content-Type", "text/plain").Body), "\x00")
	want := []string{"FN_ID=7", "FN_SUBJECT=fn.meta", "HEADER_CONTENT_TYPE=text/plain", "HEADER_FN_ID=7", ""}
	for _, w := range want {
		if !bytes.Contains([]byte(strings.Join(got, "\x00")+"\x00"), []byte(w+"\x00")) {
			t.Errorf("environment %q lacks %s", got, w)
		}
	}
	deployProbe(t, nc, "probe", protocol.Limits{})
	for file, want := range map[string]string{
		"/request/subject": "fn.files", "/request/id": "7", "/request/headers/x": "y",
	} {
		deploy(t, nc, protocol.Function{Name: "files", Args: []string{"cat", file}}, runtimestest.Wasm())
		if r := call(t, nc, "fn.files", nil, "Fn-Id", "7", "X", "y"); string(r.Body) != want || r.Err != nil {
			t.Errorf("%s: %q, %v", file, r.Body, r.Err)
		}
	}
}

func TestVersions(t *testing.T) {
	s := startServer(t)
	v := startInvoker(t, s)
	nc := connect(t, s)
	for i, mode := range []string{"a", "b", "b", "c"} {
		f := protocol.Function{Name: "f", Args: []string{mode}, Env: map[string]string{"PROBE": "args"}}
		made := deploy(t, nc, f, runtimestest.Wasm())
		if want := []int{1, 2, 2, 3}[i]; made.Function.Version != want || made.Created == (i == 2) {
			t.Errorf("deployment %d: version %d, created %v", i, made.Function.Version, made.Created)
		}
	}
	// argv[1] is the mode, so an argument of the subject's comes first.
	for subject, want := range map[string]string{
		"fn.f.args": "c", "fn.f@1.args": "a", "fn.f@2.args": "b", "fn.f@3.args": "c",
	} {
		if r := call(t, nc, subject, nil); string(r.Body) != "f\x00args\x00"+want+"\x00" {
			t.Errorf("%s: %q, %v", subject, r.Body, r.Err)
		}
	}
	for subject, want := range map[string]string{"fn.f": "f@3", "fn.f@1": "f@1"} {
		if r := call(t, nc, subject, nil, "Fn-Report", "1"); r.Report == nil || r.Report.Function.String() != want {
			t.Errorf("%s: report %+v, %v", subject, r.Report, r.Err)
		}
	}
	if _, err := tryCall(nc, "fn.f@4", nil); !noResponders(err) {
		t.Errorf("unknown version: %v, want no responders", err)
	}
	if _, err := tryCall(nc, "fn.g", nil); !noResponders(err) {
		t.Errorf("unknown function: %v, want no responders", err)
	}
	for ref, want := range map[protocol.Ref]string{
		{Name: "f", Version: "4"}: "it has 1 to 3", {Name: "g"}: "there is no function g",
	} {
		r := v.Invoke(t.Context(), &protocol.Request{Function: ref})
		wantError(t, *r, 404, want)
	}
}

func TestDryRun(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	nc := connect(t, s)
	deployProbe(t, nc, "probe", protocol.Limits{})
	r := call(t, nc, "fn.probe.loop", nil, "Fn-Dry-Run", "1", "Fn-Id", "7")
	if r.Err != nil || len(r.Body) != 0 || r.ID != "7" {
		t.Errorf("%+v", r)
	}
}

func TestInvoke(t *testing.T) {
	s := startServer(t)
	v := startInvoker(t, s)
	deployProbe(t, connect(t, s), "probe", protocol.Limits{})
	r := v.Invoke(t.Context(), &protocol.Request{Function: protocol.Ref{Name: "probe"}, Body: []byte("in process")})
	if r.Err != nil || string(r.Body) != "in process" || r.Exit != 0 {
		t.Errorf("%+v", r)
	}
	denied := &protocol.Request{Function: protocol.Ref{Name: "probe"}, Args: []string{"exit", "77"}}
	wantError(t, *v.Invoke(t.Context(), denied), 403, "77")
}

func TestStartKinds(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	nc := connect(t, s)
	for _, c := range []struct {
		start, meta  string
		args         []string
		kind, reason string // of the function
		refusal      string // of the deployment
	}{
		{"", "", nil, "reset", "its start takes only ", ""},
		{"fresh", "", nil, "fresh", "it was asked for", ""},
		{"prefork", "", nil, "prefork", "it was asked for", ""},
		{"checkpoint", "", nil, "checkpoint", "it was asked for", ""},
		{"", "env", nil, "reset", "its environment differs from call to call", ""},
		{"prefork", "env", nil, "", "",
			`the start kind "prefork" is not possible for this module: its environment differs from call to call`},
		{"checkpoint", "", []string{"exit", "3"}, "", "",
			`the start kind "checkpoint" is not possible for this module: it ends before it reads stdin: exit status 3`},
		{"spoon", "", nil, "", "", `start = "spoon": use one of auto, fresh, `},
	} {
		f := protocol.Function{Name: "started", Start: c.start, Meta: c.meta, Args: c.args}
		_, err := tryDeploy(nc, f, runtimestest.Wasm())
		if c.refusal != "" {
			if protocol.CodeOf(err) != protocol.CodeRefused || !strings.Contains(err.Error(), c.refusal) {
				t.Errorf("%+v: got %v", f, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%+v: %v", f, err)
		}
		r := call(t, nc, "fn.started", []byte("x"), "Fn-Report", "1")
		if string(r.Body) != "x" || r.Report == nil || r.Report.Start != c.kind {
			t.Errorf("%+v: got %q, %v, %+v", f, r.Body, r.Err, r.Report)
		}
		about := &nats.Msg{Subject: protocol.APIInfo.Subject(), Data: []byte(`{"name":"started"}`)}
		i, err := control[protocol.InfoReply](nc, about)
		if err != nil || i.Stats.Start != c.kind || !strings.HasPrefix(i.Stats.StartReason, c.reason) {
			t.Errorf("%+v: info says %q: %q, %v", f, i.Stats.Start, i.Stats.StartReason, err)
		}
	}
}

// TestRepliesDoNotWait checks that replies that are held back, because more messages are there, do not wait for a
// call that takes long.
func TestRepliesDoNotWait(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s, func(v *invoker.Invoker) { v.Drain = time.Millisecond })
	nc := connect(t, s)
	deployProbe(t, nc, "probe", protocol.Limits{Timeout: protocol.Duration(10 * time.Minute), Concurrency: 50})
	inbox := nats.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 20 {
		var want, got []string
		for i := range 8 {
			body := fmt.Sprintf("%d.%d", round, i)
			if err := nc.PublishRequest("fn.probe", inbox, []byte(body)); err != nil {
				t.Fatal(err)
			}
			want = append(want, body)
		}
		if err := nc.PublishRequest("fn.probe.sleep.600000", inbox, nil); err != nil {
			t.Fatal(err)
		}
		for range want {
			m, err := sub.NextMsg(patience)
			if err != nil {
				t.Fatalf("round %d: %d of %d replies came before a call that takes ten minutes: %v",
					round, len(got), len(want), err)
			}
			got = append(got, string(m.Data))
		}
		if slices.Sort(got); !slices.Equal(got, want) { // a call that a busy machine keeps waiting is overtaken
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

// TestFileNames checks that the names in /request that a runtime takes for possible are those that there are.
func TestFileNames(t *testing.T) {
	r := protocol.Request{Deadline: time.Now(), Header: protocol.Header{protocol.HeaderHTTP: {protocol.HTTPFiles}}}
	entries, err := fs.ReadDir(files.Std(t.Context(), files.Static(r.Files(func() string { return "id" }))), ".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if !slices.Equal(names, runtimes.FileNames) {
		t.Errorf("a request has %q, runtimes take %q for possible", names, runtimes.FileNames)
	}
}
