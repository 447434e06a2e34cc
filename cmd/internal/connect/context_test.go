package connect

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzContext gives strangers' contexts to connect with.
func FuzzContext(f *testing.F) {
	for _, text := range []string{`{"url":"nats://h:1","creds":"~/c"}`, `{"url":1}`, `{`, `[]`, `{"nsc":"nsc://x"}`, ``} {
		f.Add(text)
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
			s := Settings{Server: "nats://flag"}
			s.apply(c, "/home/ada")
			if s.Server != "nats://flag" {
				t.Fatalf("the context won over the flag: %q", s.Server)
			}
		}
	})
}
