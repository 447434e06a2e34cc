//go:build foreign

package foreigntest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// patience is how long what must happen may take.
const patience = 30 * time.Second

// clientTime is how long all cases of one client may take together.
const clientTime = 5 * time.Minute

// remedy is what to do if the foreign clients cannot run.
const remedy = "run make foreign-tools"

// cases are those that every client must report, in this order.
var cases = []string{
	"deploy", "call", "headers", "errors", "timeouts", "refusals", "nobody", "discovery", "figures",
	"routes", "logs", "claimed reply", "claimed request", "claimed module", "control", "jobs",
	"dead letters",
}

func TestForeignClients(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("%v: %s", err, remedy)
	}
	modules, err := nodeModules()
	if err != nil {
		t.Fatal(err)
	}
	if err := checkPackages("package.json", modules); err != nil {
		t.Fatal(err)
	}
	scripts := layOut(t, modules)
	for _, client := range []string{"nats", "transport-node"} {
		t.Run(client, func(t *testing.T) {
			url := serve(t)
			results := runClient(t, node, scripts, client+".mjs", url)
			for i, name := range cases {
				t.Run(name, func(t *testing.T) { results[i].check(t, name) })
			}
		})
	}
}

// TestRemedy shows that clients which are missing or of another version are a failure that says what to do.
func TestRemedy(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("POLYVOKE_FOREIGN", filepath.Join(dir, "missing"))
	if _, err := nodeModules(); err == nil || !strings.Contains(err.Error(), remedy) {
		t.Errorf("no folder: %v", err)
	}
	t.Setenv("POLYVOKE_FOREIGN", dir)
	modules, err := nodeModules()
	if err != nil || modules != dir {
		t.Fatalf("%s, %v", modules, err)
	}
	wanted := filepath.Join(dir, "package.json")
	write(t, wanted, `{"dependencies":{"@x/y":"1.2.3"}}`)
	if err := checkPackages(wanted, dir); err == nil || !strings.Contains(err.Error(), remedy) {
		t.Errorf("no package: %v", err)
	}
	installed := filepath.Join(dir, "@x", "y", "package.json")
	if err := os.MkdirAll(filepath.Dir(installed), 0o700); err != nil {
		t.Fatal(err)
	}
	for version, ok := range map[string]bool{"1.2.3": true, "1.2.4": false} {
		write(t, installed, fmt.Sprintf(`{"version":%q}`, version))
		if err := checkPackages(wanted, dir); (err == nil) != ok || !ok && !strings.Contains(err.Error(), remedy) {
			t.Errorf("version %s: %v", version, err)
		}
	}
}

// nodeModules returns the folder that has the packages of the clients.
func nodeModules() (string, error) {
	dir := os.Getenv("POLYVOKE_FOREIGN")
	if dir == "" {
		root, err := repository()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(root, "build", "foreign", "node_modules")
	}
	if _, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("the foreign clients are not installed: %w: %s", err, remedy)
	}
	return filepath.Abs(dir)
}

// repository returns the folder of go.mod, which is the working folder or above it.
func repository() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		_, err = os.Stat(filepath.Join(dir, "go.mod"))
		if err == nil {
			return dir, nil
		}
		if parent := filepath.Dir(dir); errors.Is(err, fs.ErrNotExist) && parent != dir {
			dir, err = parent, nil
		}
	}
	return "", fmt.Errorf("no go.mod above this test: %w", err)
}

// packageFile is what a package.json says of versions.
type packageFile struct {
	Version      string            `json:"version"`
	Dependencies map[string]string `json:"dependencies"`
}

func readPackage(path string) (p packageFile, err error) {
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	return p, err
}

// checkPackages returns nil if a node_modules folder has what a package.json wants, in its very versions.
func checkPackages(wanted, modules string) error {
	p, err := readPackage(wanted)
	if err != nil {
		return err
	}
	for name, version := range p.Dependencies {
		got, err := readPackage(filepath.Join(modules, filepath.FromSlash(name), "package.json"))
		if err != nil {
			return fmt.Errorf("package %s is not installed: %w: %s", name, err, remedy)
		}
		if got.Version != version {
			return fmt.Errorf("package %s is installed in version %s, not %s: %s", name, got.Version, version, remedy)
		}
	}
	return nil
}

// layOut returns a folder with the scripts and the probe, in which the scripts find their packages.
func layOut(t *testing.T, modules string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("clients")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "probe.wasm"), string(runtimestest.Wasm()))
	return dir
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// result is what a script says of a case.
type result struct {
	Case  string `json:"case"`
	Error string `json:"error"`
}

// check fails the test of a case unless the script says that it went well.
func (r result) check(t *testing.T, name string) {
	t.Helper()
	if r.Case != name {
		t.Errorf("the client reported case %q in its place", r.Case)
	}
	if r.Error != "" {
		t.Error(r.Error)
	}
}

// runClient runs a script to its end and returns what it says of each case. Whatever else it says is an error.
func runClient(t *testing.T, node, dir, script, url string) []result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clientTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, script, url, "probe.wasm")
	cmd.Dir, cmd.WaitDelay = dir, patience
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := errors.Join(cmd.Run(), ctx.Err())
	if err != nil || stderr.Len() > 0 {
		t.Errorf("node %s: %v\n%s", script, err, &stderr)
	}
	results := make([]result, 0, len(cases))
	for line := range strings.Lines(stdout.String()) {
		var r result
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Errorf("%s says %q: %v", script, line, err)
		}
		results = append(results, r)
	}
	if len(results) > len(cases) {
		t.Errorf("%s reported %d cases, not %d", script, len(results), len(cases))
	}
	return append(results, make([]result, len(cases))...)
}

// serve starts a NATS server and an invoker, and returns the server's address.
func serve(t *testing.T) string {
	t.Helper()
	return invokertest.Start(t, func(c *invokertest.Config) {
		c.Jobs = true
		c.Connect = []nats.Option{nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			t.Errorf("connection: %v", err)
		})}
	}).URL
}
