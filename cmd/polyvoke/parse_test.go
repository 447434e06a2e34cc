package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"unicode/utf8"
)

// FuzzManifest gives strangers' manifests to deploy: whatever is in one, there is a manifest, or
// an error with an exit code of its own.
func FuzzManifest(f *testing.F) {
	for _, s := range []string{
		"module = \"greet.wasm\"\nname = \"greet\"\n[limits]\ntimeout = \"1s\"\n",
		"module = \"greet.wasm\"\n[[trigger]]\nsubject = \"orders.*\"\n",
		"module = 3", "= =", "module = \"../..\"", "created = 1979-05-27T07:32:00Z\nmodule = \"a\"", "x = nan\nmodule = \"a\"",
	} {
		f.Add(s)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(dir, manifestName)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		manifest, file, err := readManifest(path)
		if err == nil {
			if file == "" {
				t.Fatal("no module and no error")
			}
			err = new(source).parseFunction(manifest, path)
		}
		var x *exitError
		if err != nil && (!errors.As(err, &x) || x.msg == "") {
			t.Fatalf("not an error for the user: %v", err)
		}
	})
}

// FuzzContext gives strangers' contexts to connect.
func FuzzContext(f *testing.F) {
	for _, s := range []string{`{"url":"nats://h:1","creds":"~/c"}`, `{"url":1}`, `{`, `[]`, `{"nsc":"nsc://x"}`, ``} {
		f.Add(s)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(dir, "context.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := parseContext(path)
		if err != nil && err.Error() == "" {
			t.Fatal("an error that says nothing")
		}
		if err == nil {
			n := connection{server: "nats://flag"}
			n.apply(c, "/home/ada")
			if n.server != "nats://flag" {
				t.Fatalf("the context won over the flag: %q", n.server)
			}
		}
	})
}

// FuzzASCII checks that an escaped document means what it did.
func FuzzASCII(f *testing.F) {
	for _, s := range []string{"", "plain", "Grüezi", "\U0001F600", "a\nb\x7f", "\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return // what encoding/json writes is valid
		}
		doc, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		header := ascii(doc)
		for _, b := range []byte(header) {
			if b < ' ' || b > '~' {
				t.Fatalf("%q cannot be a header", header)
			}
		}
		var back string
		if err := json.Unmarshal([]byte(header), &back); err != nil || back != text {
			t.Fatalf("%q became %q: %v", text, back, err)
		}
	})
}

func TestConnectionPrecedence(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "nats", "context"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"context.txt": "prod\n",
		"context/prod.json": `{"url":"nats://context","user":"context","password":"context","creds":"~/c","jetstream_domain":"context",
			"inbox_prefix":"context","tls_first":true}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, "nats", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"XDG_CONFIG_HOME": dir, "HOME": "/home/ada", "NATS_URL": "nats://environment", "NATS_USER": "environment", "NATS_TIMEOUT": "7s"}
	c := &cli{env: func(k string) string { return env[k] }}
	cmd := c.rmCommand()
	var n connection
	cmd.ResetFlags()
	n.addTo(cmd)
	if err := cmd.ParseFlags([]string{"--server", "nats://flag"}); err != nil {
		t.Fatal(err)
	}
	if err := n.resolve(cmd, c.env); err != nil {
		t.Fatal(err)
	}
	want := connection{server: "nats://flag", user: "environment", password: "context", creds: filepath.Join("/home/ada", "c"),
		domain: "context", inbox: "context", tlsFirst: true, timeout: 7e9}
	if !reflect.DeepEqual(n, want) {
		t.Errorf("got  %+v\nwant %+v", n, want)
	}
}

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"nats://h:4222":                   "nats://h:4222",
		"nats://ada:secret@h:1":           "nats://...@h:1",
		"nats://token@h:1, nats://x@h2:1": "nats://...@h:1,nats://...@h2:1",
	} {
		if got := redact(in); got != want {
			t.Errorf("redact(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestExitOfProcess(t *testing.T) {
	for in, want := range map[int]int{0: 0, 1: 1, 255: 255, 256: 255, 1 << 30: 255} {
		if got := exitOfProcess(in); got != want {
			t.Errorf("exitOfProcess(%d) = %d, want %d", in, got, want)
		}
	}
}
