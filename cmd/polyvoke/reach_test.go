package main

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
)

func TestReachOf(t *testing.T) {
	for _, tt := range []struct {
		name     string
		settings connect.Settings
		env      map[string]string
		want     string
	}{
		{"nothing", connect.Settings{}, nil, ""},
		{"the default", connect.Settings{Server: "nats://127.0.0.1:4222"}, nil, ""},
		{"flag", connect.Settings{Server: "nats://a:1"}, map[string]string{"NATS_URL": "nats://b:1"},
			"--server nats://a:1"},
		{"variable", connect.Settings{}, map[string]string{"NATS_URL": "nats://b:1,nats://c:1"},
			"--server nats://b:1,nats://c:1"},
		{"context", connect.Settings{Context: "my east"}, nil, "--context 'my east'"},
		{"both", connect.Settings{Context: "east"}, map[string]string{"NATS_URL": "nats://b:1"},
			"--server nats://b:1 --context east"},
		{"password", connect.Settings{User: "ada", Password: "sesame"}, nil, `--user ada --password "$NATS_PASSWORD"`},
		{"token", connect.Settings{Token: "sesame"}, nil, `--token "$NATS_TOKEN"`},
		{"user that is a token", connect.Settings{User: "sesame"}, nil, `--token "$NATS_TOKEN"`},
		{"password in the URL", connect.Settings{Server: "nats://ada:sesame@a:1"}, nil,
			`--server nats://a:1 --user ada --password "$NATS_PASSWORD"`},
		{"token in the URL", connect.Settings{Server: "tls://sesame@a:1"}, nil,
			`--server tls://a:1 --token "$NATS_TOKEN"`},
		{"token in one of two URLs", connect.Settings{}, map[string]string{"NATS_URL": "nats://a:1, nats://sesame@b:1"},
			`--server 'nats://a:1,nats://b:1' --token "$NATS_TOKEN"`},
		{"files", connect.Settings{Creds: "it's mine.creds", TLSFirst: true}, nil,
			`--creds 'it'\''s mine.creds' --tlsfirst`},
		{"domain", connect.Settings{Domain: "hub"}, map[string]string{"NATS_INBOX_PREFIX": "_ME"},
			"--js-domain hub --inbox-prefix _ME"},
	} {
		got := string(reachOf(&tt.settings, func(k string) string { return tt.env[k] }))
		if got != strings.ReplaceAll(tt.want, "'nats://a:1,nats://b:1'", "nats://a:1,nats://b:1") {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
		if strings.Contains(got, "sesame") {
			t.Errorf("%s: a secret is in %s", tt.name, got)
		}
	}
}

func TestPasteable(t *testing.T) {
	c := &cli{env: func(string) string { return "" }}
	c.commands = c.root()
	for _, tt := range []struct{ text, want string }{
		{"polyvoke ls lists all", "polyvoke ls @ lists all"},
		{"next: polyvoke logs hello", "next: polyvoke logs @ hello"},
		{"(polyvoke runtime ls shows it)", "(polyvoke runtime ls @ shows it)"},
		{"polyvoke delete x", "polyvoke delete @ x"},
		{"nats req fn.hello '...'", "nats @ req fn.hello '...'"},
		{"nats micro ls", "nats @ micro ls"},
		{"nats context ls lists the contexts", "nats context ls lists the contexts"},
		{"polyvoke run x.wasm", "polyvoke run x.wasm"},
		{"start one with polyvoke serve, or", "start one with polyvoke serve, or"},
		{"polyvoke serve --server nats://...@a:1", "polyvoke serve @"},
		{"polyvoke here and there", "polyvoke here and there"},
		{"the polyvoke that serves", "the polyvoke that serves"},
		{"polyvoke cache clear --unused", "polyvoke cache clear --unused"},
		{"mypolyvoke ls", "mypolyvoke ls"},
		{"", ""},
	} {
		c.reach = ""
		if got := c.pasteable(tt.text); got != tt.text {
			t.Errorf("without a server %q became %q", tt.text, got)
		}
		c.reach = "@"
		if got := c.pasteable(tt.text); got != tt.want {
			t.Errorf("%q became %q, want %q", tt.text, got, tt.want)
		}
	}
}

// FuzzShellQuote lets a real shell say what it takes a quoted word for.
func FuzzShellQuote(f *testing.F) {
	for _, s := range []string{"", "a b", "it's", `"$HOME"`, "`x`", "\n", "-n", "*", "~", "é", "a\\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, word string) {
		if strings.ContainsRune(word, 0) {
			return // no argument can have it
		}
		out, err := exec.Command("sh", "-c", "printf %s. "+shellQuote(word)).Output()
		if err != nil || string(out) != word+"." {
			t.Errorf("the shell took %q for %q, error %v", word, out, err)
		}
	})
}

// TestHelp looks at the help of each command: two examples or more, of commands and flags that there are, and the
// flags of the connection apart from the others.
func TestHelp(t *testing.T) {
	c := &cli{env: func(string) string { return "" }}
	root := c.root()
	var all func(*cobra.Command)
	all = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			if !sub.Hidden && sub.Name() != "completion" && sub.Name() != "help" {
				all(sub)
			}
		}
		lines := strings.Split(strings.TrimSpace(cmd.Example), "\n")
		if len(lines) < 2 {
			t.Errorf("%s has %d examples", cmd.CommandPath(), len(lines))
		}
		for _, line := range lines {
			checkExample(t, c.root(), line)
		}
		usage := cmd.UsageString()
		before, after, _ := strings.Cut(usage, "Connection to NATS")
		if cmd.Flags().Lookup("server") != nil && (strings.Contains(before, "--server string") ||
			!strings.Contains(after, "--server string")) {
			t.Errorf("%s: --server is not below its heading:\n%s", cmd.CommandPath(), usage)
		}
	}
	all(root)
	for _, g := range groups {
		for _, name := range g.commands {
			if cmd, _, err := root.Find([]string{name}); name != "help" && (err != nil || cmd == root) {
				t.Errorf("the group %q names a command %q, which is none", g.title, name)
			}
		}
	}
}

// checkExample parses a line of an example.
func checkExample(t *testing.T, root *cobra.Command, line string) {
	t.Helper()
	line, _, _ = strings.Cut(line, " #")
	_, line, ok := strings.Cut(line, "polyvoke ")
	if !ok {
		if line != "polyvoke" {
			t.Errorf("%q has no command", line)
		}
		return
	}
	line, _, _ = strings.Cut(line, " < ")
	line, _, _ = strings.Cut(line, " > ")
	out, err := exec.Command("sh", "-c", `for w in `+line+`; do printf '%s\n' "$w"; done`).Output()
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	cmd, rest, err := root.Find(strings.Split(strings.TrimSpace(string(out)), "\n"))
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err == nil {
		err = cmd.ValidateArgs(cmd.Flags().Args())
	}
	if err != nil {
		t.Errorf("polyvoke %s: %v", line, err)
	}
	cmd.SetContext(context.Background())
}
