package doctor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/doctor"
	"github.com/polyvoke/polyvoke/protocol"
)

// startNATS starts a server, with JetStream unless the options say where its store is not to be.
func startNATS(t *testing.T, o *server.Options) *server.Server {
	t.Helper()
	o.Host, o.Port, o.NoSigs, o.NoLog, o.StoreDir = "127.0.0.1", -1, true, true, t.TempDir()
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the NATS server did not start")
	}
	return s
}

// config returns what to look at: a server, and folders of its own.
func config(t *testing.T, url string) doctor.Config {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := l.Addr().String()
	l.Close()
	n := &connect.Settings{Server: url, Timeout: doctor.Patience}
	none := func(string) string { return "" }
	c := doctor.Config{Version: "1", Settings: n, Origin: doctor.Origin(n, none), Cache: t.TempDir(), Data: t.TempDir(),
		Folder: t.TempDir(), Listen: free}
	c.Err = n.Resolve(none)
	c.Connect = func() (*connect.Session, error) { return connect.To(n, "doctor") }
	return c
}

// run looks, and returns the checks by name.
func run(t *testing.T, c doctor.Config) (*doctor.Report, map[string]doctor.Check) {
	t.Helper()
	r, err := doctor.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]doctor.Check{}
	for _, check := range r.Checks {
		by[check.Name] = check
		if check.Status == doctor.Problem && check.Remedy == "" {
			t.Errorf("%s has no remedy: %s", check.Name, check.Found)
		}
	}
	return r, by
}

// answerPings answers like invokers of these versions.
func answerPings(t *testing.T, url string, versions ...string) {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	for i, v := range versions {
		_, err := nc.Subscribe(protocol.APIPing.Subject(), func(m *nats.Msg) {
			me := protocol.Member{ID: "i" + string(rune('0'+i)), Host: "h", Version: v}
			b, _ := json.Marshal(protocol.Pong{Member: me}) // it can be written
			_ = m.Respond(b)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
}

func TestNATS(t *testing.T) {
	may := func(p *server.Permissions) *server.Options {
		return &server.Options{JetStream: true, Users: []*server.User{{Username: "u", Password: "p", Permissions: p}}}
	}
	for _, test := range []struct {
		name     string
		options  *server.Options
		user     string
		versions []string
		check    string
		status   doctor.Status
		found    string
	}{
		{"without JetStream", &server.Options{}, "", nil, "JetStream", doctor.Problem, "off"},
		{"with JetStream", &server.Options{JetStream: true}, "", nil, "JetStream", doctor.OK, "on, "},
		{"small messages", &server.Options{MaxPayload: 4096}, "", nil, "max_payload", doctor.Warning, "4.1 KB"},
		{"short lines", &server.Options{MaxControlLine: 1024}, "", nil, "control line", doctor.Warning, "about 10"},
		{"long lines", &server.Options{}, "", nil, "control line", doctor.OK, "4096 bytes or more"},
		{"no invoker", &server.Options{}, "", nil, "invokers", doctor.Problem, "no invoker answers"},
		{"one invoker", &server.Options{}, "", []string{"1"}, "invokers", doctor.OK, "1 invoker"},
		{"an invoker of another version", &server.Options{}, "", []string{"2"}, "invokers", doctor.Note, "1 invoker"},
		{"invokers of two versions", &server.Options{}, "", []string{"1", "2"}, "invokers", doctor.Warning,
			"2 invokers"},
		{"all permitted", may(nil), "u", nil, "permissions", doctor.OK, "may call"},
		{"calls only", may(&server.Permissions{Publish: &server.SubjectPermission{Allow: []string{"fn.>"}},
			Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}}}),
			"u", nil, "permissions", doctor.Warning,
			"may not deploy and list (publish on polyvoke.api.>), nor read logs"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := startNATS(t, test.options).ClientURL()
			if test.user != "" {
				url = strings.Replace(url, "//", "//u:p@", 1)
			}
			answerPings(t, url, test.versions...)
			report, by := run(t, config(t, url))
			if got := by[test.check]; got.Status != test.status || !strings.Contains(got.Found, test.found) {
				t.Errorf("%s: got %+v in\n%+v", test.check, got, report.Checks)
			}
			var b bytes.Buffer
			report.Print(&b, "", func(s string) string { return s })
			if strings.Contains(b.String(), "p@") || strings.Contains(by["settings"].Found, ":p") {
				t.Errorf("a secret is printed:\n%s", &b)
			}
		})
	}
}

// TestSilence bounds the time where something takes connections and says nothing.
func TestSilence(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := config(t, "nats://"+l.Addr().String())
	c.Listen = l.Addr().String()
	begun := time.Now()
	report, by := run(t, c)
	if report.Healthy || by["server"].Status != doctor.Problem || by["port"].Status != doctor.Warning {
		t.Errorf("got %+v", report.Checks)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestMachine(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	shared := filepath.Join(dir, "modules")
	if err := os.Mkdir(shared, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(shared, 0o777); err != nil {
		t.Fatal(err)
	}
	manifest := func(text string) string {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "polyvoke.toml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return folder
	}
	own := func() string { return manifest("module = \"a.wasm\"\n[build]\ncommand = [\"true\"]") }
	nats := startNATS(t, &server.Options{})
	for _, test := range []struct {
		name   string
		change func(*doctor.Config)
		check  string
		status doctor.Status
		found  string
	}{
		{"no cache", func(c *doctor.Config) { c.Cache = "" }, "cache", doctor.Warning, "no cache folder"},
		{"cache to be made", func(c *doctor.Config) { c.Cache = filepath.Join(dir, "a", "b") }, "cache", doctor.OK,
			"0 compiled modules"},
		{"cache is a file", func(c *doctor.Config) { c.Cache = file }, "cache", doctor.Problem, "is a file"},
		{"cache for all", func(c *doctor.Config) { c.Cache = shared }, "cache", doctor.Problem, "mode 0777"},
		{"no data", func(c *doctor.Config) { c.Data = "" }, "data", doctor.Warning, "no folder"},
		{"data is a file", func(c *doctor.Config) { c.Data = file }, "data", doctor.Problem, "is a file"},
		{"port is free", func(*doctor.Config) {}, "port", doctor.OK, "is free"},
		{"port has NATS", func(c *doctor.Config) { c.Listen = nats.Addr().String() }, "port", doctor.OK, "NATS 2."},
		{"no manifest", func(*doctor.Config) {}, "manifest", doctor.Note, "there is no polyvoke.toml"},
		{"manifest is wrong", func(c *doctor.Config) { c.Folder = manifest("module = 7") }, "manifest", doctor.Problem,
			"polyvoke.toml"},
		{"nothing is built", func(c *doctor.Config) { c.Folder = own() }, "manifest", doctor.Note, "not there yet"},
		{"own command", func(c *doctor.Config) { c.Folder = own() }, "tool chain", doctor.OK, "build.command"},
		{"Go", func(c *doctor.Config) { c.Folder = manifest("module = \"a.wasm\"\n[build]\nsource = \"main.go\"") },
			"tool chain", doctor.OK, "that of Go works"},
		{"settings are wrong", func(c *doctor.Config) {
			c.Err = protocol.Errorf(protocol.CodeBadRequest, "", "js-domain: no")
		}, "settings", doctor.Problem, "js-domain: no"},
	} {
		c := config(t, "nats://127.0.0.1:1")
		test.change(&c)
		c.Connect = func() (*connect.Session, error) {
			return nil, protocol.Errorf(protocol.CodeUnavailable, "", "not there: start it")
		}
		_, by := run(t, c)
		if got := by[test.check]; got.Status != test.status || !strings.Contains(got.Found, test.found) {
			t.Errorf("%s: got %+v", test.name, got)
		}
	}
}

func TestOrigin(t *testing.T) {
	home := t.TempDir()
	env := map[string]string{"HOME": home}
	get := func(k string) string { return env[k] }
	check := func(s connect.Settings, want string) {
		t.Helper()
		if got := doctor.Origin(&s, get); !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	check(connect.Settings{}, "the default")
	if err := os.MkdirAll(filepath.Join(home, ".config", "nats"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".config", "nats", "context.txt"), []byte("west\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	check(connect.Settings{}, "the selected context west")
	env["NATS_CONTEXT"] = "east"
	check(connect.Settings{}, "NATS_CONTEXT, the context east")
	check(connect.Settings{Context: "north"}, "--context north")
	env["NATS_URL"] = "nats://a:1"
	check(connect.Settings{Context: "north"}, "NATS_URL")
	check(connect.Settings{Server: "nats://b:1"}, "--server")
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := doctor.Run(ctx, config(t, startNATS(t, &server.Options{}).ClientURL())); err == nil {
		t.Error("a doctor that was interrupted has no error")
	}
}
