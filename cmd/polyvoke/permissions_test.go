package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	node "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// configuration returns a block of docs/permissions.md by the name in its first line.
func configuration(t *testing.T, name string) []byte {
	t.Helper()
	page, err := os.ReadFile("../../docs/permissions.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?s)```conf\n(.*?)```").FindAllSubmatch(page, -1) {
		if bytes.HasPrefix(block[1], []byte("# "+name+"\n")) {
			return block[1]
		}
	}
	t.Fatalf("docs/permissions.md has no %s", name)
	return nil
}

// guarded is a NATS server from docs/permissions.md, with a polyvoke.
type guarded struct {
	*node.Server
	options *node.Options
	admin   *nats.Conn // may do all
	log     *safe      // of polyvoke serve
	ended   chan int   // its exit code; of the first one, if there are several
}

// safe is a buffer that several goroutines may use.
type safe struct {
	io.Writer
	text func() string
}

// newSafe makes one.
func newSafe() *safe {
	var b bytes.Buffer
	turn := make(chan struct{}, 1)
	turn <- struct{}{}
	locked := func(do func()) { <-turn; do(); turn <- struct{}{} }
	return &safe{Writer: writer(func(p []byte) (n int, err error) { locked(func() { n, err = b.Write(p) }); return }),
		text: func() (s string) { locked(func() { s = b.String() }); return }}
}

// writer is an io.Writer that is a function.
type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// guard starts a server from the named configuration, and polyvoke as it says there.
func guard(t *testing.T, name string, more ...node.User) *guarded {
	t.Helper()
	return guardBy(t, configuration(t, name), more...)
}

// guardBy does so from the text of a configuration.
func guardBy(t *testing.T, conf []byte, more ...node.User) *guarded {
	t.Helper()
	g := guardAlone(t, conf, more...)
	g.ended = g.serve(t)
	return g
}

// guardAlone starts a server from the text of a configuration, and no polyvoke.
func guardAlone(t *testing.T, conf []byte, more ...node.User) *guarded {
	t.Helper()
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, conf, 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := node.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	o.Host, o.Port, o.StoreDir, o.NoLog, o.NoSigs = "127.0.0.1", node.RANDOM_PORT, t.TempDir(), true, true
	o.Users = append(o.Users, &node.User{Username: "admin", Password: "x"})
	for i := range more {
		o.Users = append(o.Users, &more[i])
	}
	s, err := node.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("the NATS server does not get ready")
	}
	g := &guarded{Server: s, options: o, log: newSafe()}
	g.admin = g.connect(t, "admin", "x", "deployer.admin")
	return g
}

// serve starts an invoker that is two users, with more flags.
func (g *guarded) serve(t *testing.T, flags ...string) (ended chan int) {
	t.Helper()
	ended = make(chan int, 1)
	ctx, stop := context.WithCancel(context.Background())
	out, ready := io.Pipe()
	go func() {
		ended <- run(ctx, append([]string{"serve", "--server", g.ClientURL(), "--user", "answers", "--password", "a",
			"--inbox-prefix", "_INBOX.answers",
			"--js-user", "store", "--js-password", "s", "--js-inbox-prefix", "_INBOX.store",
			"--cache", t.TempDir()}, flags...), nil, ready, g.log, environment(nil))
		ready.Close()
	}()
	t.Cleanup(func() {
		stop()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("polyvoke serve does not end")
		}
	})
	if url := servingURL(bufio.NewScanner(out)); url == "" {
		t.Fatalf("polyvoke serve does not serve: %s", g.log.text())
	}
	return ended
}

// environment is what commands see of it.
func environment(more map[string]string) func(string) string {
	return func(name string) string {
		if name == "NATS_TIMEOUT" {
			return "50s" // what takes no longer than half of it was told, and did not time out
		}
		return more[name]
	}
}

// connect connects as a user with an inbox prefix of its own.
func (g *guarded) connect(t *testing.T, user, password, inbox string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(g.ClientURL(), nats.UserInfo(user, password), nats.CustomInboxPrefix("_INBOX."+inbox),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// polyvoke runs a command as a user and returns its exit code and what it says.
func (g *guarded) polyvoke(t *testing.T, user, password string, words ...string) (int, string) {
	t.Helper()
	words = append(words, "--server", g.ClientURL(), "--user", user, "--password", password,
		"--inbox-prefix", "_INBOX."+user)
	said := newSafe()
	began := time.Now()
	code := run(t.Context(), words, strings.NewReader(""), said, said, environment(nil))
	if took := time.Since(began); took > 25*time.Second {
		t.Errorf("%q took %v", words, took)
	}
	return code, said.text()
}

// deployAll deploys what the attempts are about, as the deployer.
func (g *guarded) deployAll(t *testing.T) (said string) {
	t.Helper()
	dir := t.TempDir()
	for name, trigger := range map[string]string{"echo": "",
		"victim": "[[trigger]]\nsubject = \"orders.new\"\nto = \"invoices.new\"\n"} {
		manifest := fmt.Sprintf("name = %q\nmodule = %q\n%s", name, name+".wasm", trigger)
		if err := errors.Join(os.WriteFile(filepath.Join(dir, "polyvoke.toml"), []byte(manifest), 0o600),
			os.WriteFile(filepath.Join(dir, name+".wasm"), runtimestest.Wasm(), 0o600)); err != nil {
			t.Fatal(err)
		}
		code, text := g.polyvoke(t, "deployer", "d", "deploy", dir)
		if code != 0 {
			t.Fatalf("deploy %s: %d: %s\n%s", name, code, text, g.log.text())
		}
		said += text
	}
	return said
}

// state returns what callers must not be able to change: functions, streams, and how often each function has been
// called.
func (g *guarded) state(t *testing.T) string {
	t.Helper()
	js, err := jetstream.New(g.admin)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for info := range js.ListStreams(t.Context()).Info() {
		if info.Config.Name != protocol.StreamLog { // functions that callers may call write there
			all = append(all, fmt.Sprint(info.Config.Name, " ", info.State.Msgs, " ", info.State.LastSeq))
		}
	}
	for _, name := range []string{"echo", "victim"} {
		m, err := g.admin.Request(protocol.APIInfo.Subject(), []byte(`{"name":"`+name+`"}`), patience)
		if err != nil {
			t.Fatal(err)
		}
		var i protocol.InfoReply
		if err := json.Unmarshal(m.Data, &i); err != nil {
			t.Fatalf("%s: %s", name, m.Data)
		}
		if name == "victim" {
			all = append(all, fmt.Sprint("calls of victim ", i.Stats.Requests))
		}
		all = append(all, fmt.Sprint(name, " ", len(i.Versions), " ", i.Function.Created))
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// foreign are subjects that a caller must not be able to have anything published on, with the permissions of
// strict.conf.
var foreign = []string{"polyvoke.api.remove", "polyvoke.api.deploy", "polyvoke.api.runtime-pin", "polyvoke.event.x",
	"fn.victim", "fn.victim.exit.1", "job.victim", "dead.victim", "log.victim", "later.x", "due.x",
	"ws.x.1", "$SRV.PING", "$SRV.PING.victim", "$JS.API.STREAM.DELETE.KV_fn_functions", "$JS.API.STREAM.PURGE.audit",
	"$JS.API.STREAM.DELETE.audit", "$KV.fn_functions.victim", "$KV.fn_functions.new",
	"$O.fn_modules.M.eA==", "$O.fn_bodies.C.x"}

// yours are such subjects that only NATS can keep a caller from.
var yours = []string{"orders.new", "audit.x", "invoices.new", "_INBOX.store.x", "_INBOX.answers.x", "elsewhere"}

// TestPermissions tries what docs/permissions.md says a caller cannot do, with the configurations that stand there.
func TestPermissions(t *testing.T) {
	for _, name := range []string{"strict.conf", "responses.conf"} {
		t.Run(name, func(t *testing.T) {
			g := guard(t, name)
			js, err := jetstream.New(g.admin)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "audit",
				Subjects: []string{"audit.>"}}); err != nil {
				t.Fatal(err)
			}
			g.deployAll(t)
			t.Run("beside another invoker", func(t *testing.T) { // which ends with it
				g.serve(t)
				if said := g.deployAll(t); strings.Contains(said, "confirm") {
					t.Errorf("a deployment says %s", said)
				}
				if log := strings.ToLower(g.log.text()); strings.Contains(log, "permissions violation") {
					t.Errorf("the invokers may not do what they must:\n%s", log)
				}
			})
			for _, user := range [][2]string{{"caller", "c"}, {"deployer", "d"}} {
				if code, said := g.polyvoke(t, user[0], user[1], "call", "echo", "hi"); code != 0 ||
					!strings.Contains(said, "hi") {
					t.Errorf("a call by %s: %d: %s\n%s", user[0], code, said, g.log.text())
				}
			}
			if name == "strict.conf" { // of the other, an invoker sends one message for each that it gets
				g.stream(t)
			}
			if code, said := g.polyvoke(t, "deployer", "d", "ls"); code != 0 || !strings.Contains(said, "victim") {
				t.Errorf("ls by the deployer: %d: %s", code, said)
			}
			replies := foreign
			if name == "strict.conf" {
				replies = slices.Concat(foreign, yours)
			}
			before := g.state(t)
			g.attempt(t, replies)
			if after := g.state(t); after != before {
				t.Errorf("a caller has changed something. Before:\n%s\nAfter:\n%s", before, after)
			}
			if m, err := g.admin.Request("orders.new", []byte("order"), patience); err != nil ||
				string(m.Data) != "order" {
				t.Errorf("the route serves no more: %v, %v", m, err)
			}
			g.runJobs(t)
		})
	}
}

// runJobs has the deployer run jobs, one of which waits, dies and is redriven, and the caller none.
func (g *guarded) runJobs(t *testing.T) {
	t.Helper()
	before := len(g.log.text())
	for _, step := range []struct {
		words string
		code  int
		want  string
	}{
		{"job run echo hi --wait", 0, "hi"},
		{"job run echo.exit.65 --id bad --wait", 65, "exit code 65"},
		{"dead ls", 0, "echo.bad"},
		{"dead redrive echo.bad", 0, "redriven 1 job"},
		{"job run echo --id waits --delay 1h", 0, "echo.waits"},
		{"job cancel echo.waits", 0, "cancelled"},
	} {
		if code, said := g.polyvoke(t, "deployer", "d", strings.Fields(step.words)...); code != step.code ||
			!strings.Contains(said, step.want) {
			t.Errorf("%s by the deployer: %d: %s\n%s", step.words, code, said, g.log.text()[before:])
		}
	}
	if code, said := g.polyvoke(t, "caller", "c", "job", "run", "echo"); code != exit.Failed && code != 125 {
		t.Errorf("a job by the caller: %d: %s", code, said)
	}
	if log := strings.ToLower(g.log.text()[before:]); strings.Contains(log, "permissions violation") {
		t.Errorf("the invoker may not do what jobs need:\n%s", log)
	}
}

// attempt has a caller try everything.
func (g *guarded) attempt(t *testing.T, replies []string) {
	caller := g.connect(t, "caller", "c", "caller")
	heard, err := g.admin.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"name":"victim"}`)
	for _, subject := range append(foreign, yours...) {
		if strings.HasPrefix(subject, "fn.") {
			continue // that it may call
		}
		_ = caller.PublishMsg(&nats.Msg{Subject: subject, Data: body,
			Header: nats.Header{protocol.HeaderManifest: {string(body)}}})
	}
	for _, reply := range replies {
		for _, subject := range []string{"fn.echo", "fn.echo.exit.1", "fn.echo@1", "fn.echo@1.a"} {
			_ = caller.PublishMsg(&nats.Msg{Subject: subject, Reply: reply, Data: body,
				Header: nats.Header{protocol.HeaderID: {"deputy"}}})
		}
	}
	for _, subject := range []string{"fn.>", "fn.echo", "log.>", "_INBOX.>", "_INBOX.deployer.>", "orders.>", "$SRV.>",
		"$KV.>", ">"} {
		if _, err := caller.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // what comes behind on the same way has been dealt with, and its answer is behind what came of that
		for _, subject := range []string{"fn.echo", "fn.echo@1"} {
			if _, err := caller.Request(subject, nil, patience); err != nil {
				t.Fatalf("%s: %v\n%s", subject, err, g.log.text())
			}
		}
	}
	if err := errors.Join(caller.Flush(), g.admin.Flush()); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := heard.NextMsg(time.Millisecond)
		if errors.Is(err, nats.ErrTimeout) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		// The invoker itself says that it is there, and asks JetStream, at any time.
		tried := slices.Contains(foreign, m.Subject) || slices.Contains(yours, m.Subject) || bytes.Equal(m.Data, body)
		if tried && !strings.HasPrefix(m.Subject, "fn.echo") && !strings.HasPrefix(m.Subject, "_INBOX.caller.") &&
			!strings.HasPrefix(m.Subject, "log.echo") && !strings.HasPrefix(m.Subject, "$") {
			t.Errorf("a caller had something published on %s: %.80q", m.Subject, m.Data)
		}
	}
	_ = heard.Unsubscribe()
	if strings.Count(g.log.text(), `"id":"deputy"`) < len(foreign) {
		t.Errorf("the log does not name the calls that were refused: %.2000s", g.log.text())
	}
}

// TestDenied runs every command as a user who may do nothing, and as one whose inbox is denied: an error names the
// subject, soon.
// stream has a caller send a body, and get it back, in more chunks than go without its being heard.
func (g *guarded) stream(t *testing.T) {
	t.Helper()
	large := filepath.Join(t.TempDir(), "large")
	body := strings.Repeat("0123456789abcde\n", 3<<16)
	if err := os.WriteFile(large, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, said := g.polyvoke(t, "caller", "c", "call", "echo", "@"+large, "--stream"); code != 0 ||
		!strings.Contains(said, body) {
		t.Errorf("a stream of a caller: %d, %d bytes: %.200s", code, len(said), said)
	}
}

func TestDenied(t *testing.T) {
	none := &node.Permissions{Publish: &node.SubjectPermission{Deny: []string{">"}}}
	mute := &node.Permissions{Subscribe: &node.SubjectPermission{Deny: []string{">"}}}
	g := guard(t, "strict.conf", node.User{Username: "none", Password: "n", Permissions: none},
		node.User{Username: "mute", Password: "n", Permissions: mute})
	g.deployAll(t)
	dir := t.TempDir()
	module := filepath.Join(dir, "echo.wasm")
	large := filepath.Join(dir, "large")
	if err := errors.Join(os.WriteFile(module, runtimestest.Wasm(), 0o600),
		os.WriteFile(large, make([]byte, 3<<20), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		subject string
		words   []string
	}{
		{"polyvoke.api.list", []string{"ls"}},
		{"polyvoke.api.info", []string{"info", "echo"}},
		{"polyvoke.api.remove", []string{"rm", "echo"}},
		{"polyvoke.api.deploy", []string{"deploy", module}},
		{"fn.echo", []string{"call", "echo", "x"}},
		{"$JS.API.STREAM.INFO.OBJ_fn_bodies", []string{"call", "echo", "@" + large}},
		{"polyvoke.api.info", []string{"logs", "echo"}},
		{"$JS.API", []string{"logs"}},
		{"polyvoke.api.runtimes", []string{"runtime", "ls"}},
		{"polyvoke.api.runtime-pin", []string{"runtime", "pin", "x@1"}},
		{"$JS.API", []string{"serve", "--cache", t.TempDir()}},
	} {
		if code, said := g.polyvoke(t, "none", "n", c.words...); code != exit.Platform ||
			!strings.Contains(said, c.subject) || !strings.Contains(said, "permit") {
			t.Errorf("%q: %d: %s", c.words, code, said)
		}
		if code, said := g.polyvoke(t, "mute", "n", c.words...); code != exit.Platform ||
			!strings.Contains(said, "_INBOX.mute") || !strings.Contains(said, "permit") {
			t.Errorf("%q without an inbox: %d: %s", c.words, code, said)
		}
	}
	if code, said := g.polyvoke(t, "mute", "n", "logs", "-f"); code != exit.Platform ||
		!strings.Contains(said, "log.>") && !strings.Contains(said, "_INBOX.mute") {
		t.Errorf("logs -f: %d: %s", code, said)
	}
	if err := os.WriteFile(filepath.Join(dir, "polyvoke.toml"),
		[]byte("name = \"mail\"\nmodule = \"echo.wasm\"\n[[trigger]]\nsubject = \"mail.*.x\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, said := g.polyvoke(t, "deployer", "d", "deploy", dir); code != exit.Platform ||
		!strings.Contains(said, "mail.*.x") || !strings.Contains(said, "permit") {
		t.Errorf("deploy with a trigger that the invoker may not have: %d: %s", code, said)
	}
	if code, said := g.polyvoke(t, "deployer", "d", "deploy", module, "--name", "other"); code != 0 {
		t.Errorf("deploy: %d: %s", code, said)
	}
}

// TestRevoked takes a user away while polyvoke serves with it: it ends, with a code that a supervisor acts upon.
func TestRevoked(t *testing.T) {
	g := guard(t, "strict.conf")
	o := g.options.Clone()
	o.Users = slices.DeleteFunc(o.Users, func(u *node.User) bool { return u.Username == "answers" })
	if err := g.ReloadOptions(o); err != nil {
		t.Fatal(err)
	}
	select {
	case code := <-g.ended:
		if code != exit.Platform || !strings.Contains(g.log.text(), "closed the connection for good") {
			t.Errorf("polyvoke serve ended with %d: %s", code, g.log.text())
		}
		g.ended <- code
	case <-time.After(patience):
		t.Fatalf("polyvoke serve lives on without a connection: %s", g.log.text())
	}
}
