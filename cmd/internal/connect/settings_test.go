package connect

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

func TestPrecedence(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "nats", "context"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"context.txt": "prod\n",
		"context/prod.json": `{"url":"nats://context","user":"context","password":"context","creds":"~/c",
			"jetstream_domain":"context","inbox_prefix":"context","tls_first":true}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, "nats", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"XDG_CONFIG_HOME": dir, "HOME": "/home/ada", "NATS_URL": "nats://environment",
		"NATS_USER": "environment", "NATS_TIMEOUT": "7s"}
	s := Settings{Server: "nats://flag"}
	if err := s.Resolve(func(k string) string { return env[k] }); err != nil {
		t.Fatal(err)
	}
	want := Settings{Server: "nats://flag", User: "environment", Password: "context",
		Creds:  filepath.Join("/home/ada", "c"),
		Domain: "context", InboxPrefix: "context", TLSFirst: true, Timeout: 7e9}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got  %+v\nwant %+v", s, want)
	}
}

func TestTimeout(t *testing.T) {
	for _, tt := range []struct {
		flag time.Duration
		env  string
		want time.Duration // 0 for an error
	}{
		{0, "", DefaultTimeout}, {0, "7s", 7 * time.Second}, {time.Second, "7s", time.Second}, {0, "soon", 0},
		{time.Second, "soon", time.Second},
	} {
		s := Settings{Timeout: tt.flag}
		env := map[string]string{"NATS_TIMEOUT": tt.env, "XDG_CONFIG_HOME": t.TempDir()}
		err := s.Resolve(func(k string) string { return env[k] })
		if (err == nil) != (tt.want != 0) || err == nil && s.Timeout != tt.want {
			t.Errorf("flag %s, NATS_TIMEOUT %q: %s, %v, want %s", tt.flag, tt.env, s.Timeout, err, tt.want)
		}
	}
}

// TestJetStream looks at who says where JetStream is: a domain and a prefix stand for each other.
func TestJetStream(t *testing.T) {
	for name, tt := range map[string]struct {
		flags          Settings
		env            map[string]string
		context        string
		domain, prefix string // both "-" for an error
	}{
		"nothing":             {},
		"domain flag":         {flags: Settings{Domain: "hub"}, domain: "hub"},
		"domain variable":     {env: map[string]string{"NATS_JS_DOMAIN": "hub"}, domain: "hub"},
		"prefix variable":     {env: map[string]string{"NATS_JS_API_PREFIX": "JS.hub"}, prefix: "JS.hub"},
		"domain of a context": {context: `{"jetstream_domain":"hub"}`, domain: "hub"},
		"prefix of a context": {context: `{"jetstream_api_prefix":"JS.hub."}`, prefix: "JS.hub."},
		"flag before the context": {flags: Settings{Domain: "hub"}, context: `{"jetstream_api_prefix":"JS.hub"}`,
			domain: "hub"},
		"prefix before the context": {flags: Settings{APIPrefix: "JS.hub"}, context: `{"jetstream_domain":"hub"}`,
			prefix: "JS.hub"},
		"both flags": {flags: Settings{Domain: "hub", APIPrefix: "JS.hub"}, domain: "-", prefix: "-"},
		"both of a context": {context: `{"jetstream_domain":"hub","jetstream_api_prefix":"JS.hub"}`, domain: "-",
			prefix: "-"},
		"a domain of two tokens":     {flags: Settings{Domain: "a.b"}, domain: "-", prefix: "-"},
		"a domain with a wildcard":   {flags: Settings{Domain: ">"}, domain: "-", prefix: "-"},
		"a prefix with a blank":      {flags: Settings{APIPrefix: "JS hub"}, domain: "-", prefix: "-"},
		"polyvoke's own as inbox":    {flags: Settings{InboxPrefix: "log.me"}, domain: "-", prefix: "-"},
		"the server's as inbox":      {flags: Settings{InboxPrefix: "$KV.b"}, domain: "-", prefix: "-"},
		"an inbox of one's own":      {flags: Settings{InboxPrefix: "_INBOX.me"}},
		"a prefix with empty tokens": {flags: Settings{APIPrefix: "JS..hub"}, domain: "-", prefix: "-"},
	} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "nats", "context"), 0o700); err != nil {
			t.Fatal(err)
		}
		s := tt.flags
		if tt.context != "" {
			s.Context = "c"
			if err := os.WriteFile(filepath.Join(dir, "nats", "context", "c.json"), []byte(tt.context), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		err := s.Resolve(func(k string) string {
			if k == "XDG_CONFIG_HOME" {
				return dir
			}
			return tt.env[k]
		})
		if (err != nil) != (tt.domain == "-") || err == nil && (s.Domain != tt.domain || s.APIPrefix != tt.prefix) {
			t.Errorf("%s: domain %q, prefix %q, %v, want %q, %q", name, s.Domain, s.APIPrefix, err, tt.domain, tt.prefix)
		}
		if err != nil && protocol.CodeOf(err) != protocol.CodeBadRequest {
			t.Errorf("%s: code %d: %v", name, protocol.CodeOf(err), err)
		}
	}
}
