package client

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func TestPrecedence(t *testing.T) {
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
	s := Settings{Server: "nats://flag"}
	if err := s.Resolve(func(k string) string { return env[k] }); err != nil {
		t.Fatal(err)
	}
	want := Settings{Server: "nats://flag", User: "environment", Password: "context", Creds: filepath.Join("/home/ada", "c"),
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
		{0, "", DefaultTimeout}, {0, "7s", 7 * time.Second}, {time.Second, "7s", time.Second}, {0, "soon", 0}, {time.Second, "soon", time.Second},
	} {
		s := Settings{Timeout: tt.flag}
		env := map[string]string{"NATS_TIMEOUT": tt.env, "XDG_CONFIG_HOME": t.TempDir()}
		err := s.Resolve(func(k string) string { return env[k] })
		if (err == nil) != (tt.want != 0) || err == nil && s.Timeout != tt.want {
			t.Errorf("flag %s, NATS_TIMEOUT %q: %s, %v, want %s", tt.flag, tt.env, s.Timeout, err, tt.want)
		}
	}
}
