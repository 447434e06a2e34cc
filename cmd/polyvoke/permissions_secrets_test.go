package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	node "github.com/nats-io/nats-server/v2/server"

	"github.com/polyvoke/polyvoke/invoker/backend/secrets/sealed"
)

// secretRights returns the subjects of a row of the last table of docs/secrets.md.
func secretRights(t *testing.T, who string) (publish []string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/secrets.md")
	if err != nil {
		t.Fatal(err)
	}
	_, row, _ := strings.Cut(string(page), "\n| "+who+" | ")
	row, _, _ = strings.Cut(row, "\n")
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row, -1) {
		publish = append(publish, m[1])
	}
	if len(publish) == 0 {
		t.Fatalf("docs/secrets.md does not say what %q publishes", who)
	}
	return publish
}

// TestPermissionsOfSecrets holds docs/secrets.md to what it says that users of secrets need, and that they can do no
// more.
func TestPermissionsOfSecrets(t *testing.T) {
	user := func(name string, publish []string) node.User {
		return node.User{Username: "deployer." + name, Password: "p", Permissions: &node.Permissions{
			Publish:   &node.SubjectPermission{Allow: publish},
			Subscribe: &node.SubjectPermission{Allow: []string{"_INBOX.deployer." + name + ".>"}}}}
	}
	sets := secretRights(t, "who sets secrets of one function")
	lists := append(secretRights(t, "who lists and removes"), sets...)
	conf := strings.Replace(string(configuration(t, "strict.conf")), `"$KV.fn_functions.>"`,
		`"$KV.fn_functions.>", "`+secretRights(t, "`store` of an invoker, to rotate")[0]+`"`, 1)
	g := guardAlone(t, []byte(conf), user("sets", sets), user("lists", lists),
		user("rotates", secretRights(t, "who rotates")))
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var files []string
	var old string
	for _, name := range []string{"new.nk", "old.nk"} {
		seed, public, err := sealed.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		old = public
		files = append(files, "--secrets-key", filepath.Join(dir, name))
		if err := os.WriteFile(filepath.Join(dir, name), seed, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	value := "@" + filepath.Join(dir, "value")
	if err := os.WriteFile(value[1:], []byte("hunter22"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.ended = g.serve(t, files...)
	for _, c := range []struct {
		user, words string
		want        string // in what it says; empty: it ends with 0
	}{
		{"sets", "set API_KEY --function orders " + value, ""},
		{"sets", "set OLD --function orders --to " + old + " " + value, ""},
		{"sets", "set API_KEY --function other " + value, "$KV.fn_secrets.other.API_KEY"},
		{"sets", "set API_KEY " + value, "$KV.fn_secrets._.API_KEY"},
		{"sets", "ls", "$JS.API.STREAM.MSG.GET.KV_fn_secrets"},
		{"sets", "rotate", "polyvoke.api.secrets-rotate"},
		{"lists", "ls", ""},
		{"rotates", "rotate", ""},
		{"rotates", "ls", "$JS.API.STREAM.INFO.KV_fn_secrets"},
		{"lists", "rm OLD --function orders", ""},
	} {
		words := append([]string{"secret"}, strings.Fields(c.words)...)
		code, said := g.polyvoke(t, "deployer."+c.user, "p", words...)
		if (c.want == "") != (code == 0) || !strings.Contains(said, c.want) {
			t.Errorf("%s: %s ends with %d: %s; want %q", c.user, c.words, code, said, c.want)
		}
	}
	if said := strings.ToLower(g.log.text()); strings.Contains(said, "permi") {
		t.Errorf("the invoker may not do what it must:\n%s", said)
	}
}
