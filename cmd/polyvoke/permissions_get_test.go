package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	node "github.com/nats-io/nats-server/v2/server"

	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// TestPermissionsOfRuntimeGet holds docs/permissions.md to what it says a user needs who takes runtimes from NATS.
func TestPermissionsOfRuntimeGet(t *testing.T) {
	page, err := os.ReadFile("../../docs/permissions.md")
	if err != nil {
		t.Fatal(err)
	}
	_, bullet, _ := strings.Cut(string(page), "\n- `polyvoke runtime get` from NATS needs ")
	bullet, _, _ = strings.Cut(bullet, ".\n")
	var publish []string
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(bullet, -1) {
		publish = append(publish, m[1])
	}
	g := guard(t, "strict.conf", node.User{Username: "deployer.reader", Password: "r", Permissions: &node.Permissions{
		Publish:   &node.SubjectPermission{Allow: publish},
		Subscribe: &node.SubjectPermission{Allow: []string{"_INBOX.deployer.reader.>"}},
	}})
	file := filepath.Join(t.TempDir(), "toy.wasm")
	if err := os.WriteFile(file, runtimestest.Wasm(), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	if code, said := g.polyvoke(t, "deployer", "d", "runtime", "add", file, "--name", "toy", "--ext", ".toy"); code != 0 {
		t.Fatalf("runtime add ends with %d: %s", code, said)
	}
	if code, said := g.polyvoke(t, "deployer.reader", "r", "runtime", "get", "toy", "--from", "nats"); code != 0 {
		t.Errorf("runtime get ends with %d: %s", code, said)
	}
}
