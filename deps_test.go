package polyvoke

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/polyvoke/polyvoke"

// rule says what a package, and those below it that have no rule of their own, may import
// besides the standard library. It is a statement of policy.
type rule struct {
	pkg     string   // relative to the module
	may     []string // packages of the module by relative path, others by import path; those below are included
	because string
}

var rules = []rule{
	{"", nil, "the root holds rules, not code"},
	{"protocol/cloudevents", []string{"protocol"}, "any client can read and write events with it"},
	{"protocol", []string{"protocol"}, "every other part, and other people's clients, can read it alone"},
	{"runtimes", []string{"runtimes/files", "runtimes/recording"}, "a process must not know what carried the request"},
	{"runtimes/files", []string{"runtimes/deadline"}, "it says what can be opened, and not by whom"},
	{"runtimes/files/disk", []string{"runtimes/files"}, "it shows a folder, and does not know who looks"},
	{"runtimes/files/filestest", []string{"runtimes/files"}, "the suite judges any tree, the system's included"},
	{"runtimes/runtimestest", []string{"runtimes"}, "the suite judges any implementation, os/exec included"},
	{"runtimes/module", []string{"runtimes/module"}, "bytes from strangers are judged by code that depends on nobody"},
	{"runtimes/exhausted", nil, "it knows the system only"},
	{"runtimes/script", []string{"runtimes"}, "an interpreter is a module like any other, whatever runs it"},
	{"runtimes/tiered", []string{"runtimes", "runtimes/module"},
		"what can wait until it is compiled does not depend on the engine"},
	{"runtimes/wasi", []string{"runtimes", "runtimes/module", "github.com/tetratelabs/wazero"},
		"there is one place to change when the engine changes"},
	{"runtimes/wasi/preview1", []string{"runtimes/deadline", "runtimes/files", "runtimes/recording",
		"github.com/tetratelabs/wazero/api", "github.com/tetratelabs/wazero/sys"},
		"WASI is spoken through the engine's public interface, so that a new engine version is no new WASI"},
	{"runtimes/wasi/memory", []string{"golang.org/x/sys"}, "it knows pages, and no engine"},
	{"runtimes/wasi/fuel", []string{"golang.org/x/sys"}, "it knows a number that guests count down, and no engine"},
	{"runtimes/recording", nil, "it keeps what a process is given, and what it writes"},
	{"runtimes/deadline", nil, "it looks at contexts"},
	{"runtimes/wasi/native", []string{"github.com/tetratelabs/wazero"},
		"there is one place to change when the engine's inside does"},
	{"runtimes/wasi/idle", nil, "it keeps what is costly to make, whatever that is"},
	{"invoker", []string{"protocol", "runtimes", "invoker", "github.com/nats-io/nats.go", "github.com/google/uuid"},
		"it names steps, not engines"},
	{"invoker/jobs", []string{"protocol", "invoker/bodies", "invoker/denials", "invoker/jobs", "invoker/upkeep",
		"github.com/nats-io/nats.go", "github.com/google/uuid"},
		"it turns messages into calls, and does not know who runs them"},
	{"invoker/paths", []string{"protocol"}, "it compares patterns, and does not know who asks"},
	{"invoker/backend", []string{"protocol", "runtimes/files", "runtimes/deadline", "invoker/backend", "invoker/client",
		"invoker/denials", "github.com/nats-io/nats.go"},
		"it shows what is granted as files, and does not know who opens them"},
	{"invoker/backend/journal", []string{"protocol", "runtimes/files"}, "it keeps and plays back, whatever is behind it"},
	{"invoker/backend/objects", []string{"protocol", "runtimes/files", "invoker/backend", "invoker/bodies/objects",
		"github.com/nats-io/nats.go"},
		"it shows buckets as files, and does not know who opens them"},
	{"invoker/backend/sql", []string{"protocol", "runtimes/files", "invoker/backend", "invoker/bodies/objects",
		"github.com/nats-io/nats.go"},
		"it shows databases as files, and does not know SQLite"},
	{"invoker/backend/secrets/sealed", []string{"protocol", "invoker/backend/secrets", "invoker/bodies/objects",
		"github.com/nats-io/nats.go", "github.com/nats-io/nkeys"},
		"it seals and opens, and does not know who reads"},
	{"invoker/gateway", []string{"protocol", "invoker/client", "invoker/bodies", "invoker/gateway", "invoker/paths",
		"github.com/nats-io/nats.go", "github.com/google/uuid", "github.com/klauspost/compress"},
		"it turns requests of HTTP into calls, and does not know who runs them"},
	{"invoker/gateway/access", []string{"protocol", "invoker/gateway/access", "invoker/bodies/objects",
		"github.com/nats-io/nats.go", "github.com/golang-jwt/jwt/v5"},
		"it decides who may, and does not know what"},
	{"invoker/gateway/websocket", []string{"protocol", "invoker/denials", "github.com/nats-io/nats.go",
		"github.com/gorilla/websocket"},
		"it is given a Caller, and does not know what runs functions"},
	{"invoker/telemetry", []string{"protocol", "invoker/gateway", "invoker/jobs", "invoker/stats",
		"github.com/prometheus/client_golang"},
		"it counts what others show it"},
	{"invoker/telemetry/traces", []string{"protocol", "invoker/gateway", "invoker/jobs", "invoker/stats",
		"invoker/telemetry", "google.golang.org/protobuf/encoding/protowire"},
		"it describes what others show it, and OpenTelemetry's SDK would add 8 MB"},
	{"invoker/loadtest", nil, "it has tests only"},
	{"invoker/registry", []string{"protocol", "invoker/bodies/objects", "github.com/nats-io/nats.go",
		"github.com/google/uuid"},
		"it keeps functions and runs none"},
	{"invoker/registry/registrytest", []string{"protocol", "invoker/registry", "github.com/nats-io/nats.go",
		"github.com/nats-io/nats-server/v2", "github.com/google/go-cmp"},
		"the suite judges any registry, on a real server"},
	{"invoker/bodies", []string{"protocol", "invoker/bodies/objects", "github.com/nats-io/nats.go",
		"github.com/google/uuid"},
		"clients use it too"},
	{"invoker/client", []string{"protocol", "invoker/bodies", "invoker/denials", "invoker/streams", "github.com/nats-io/nats.go"},
		"other people's programs call functions with it, and know neither engines nor command lines"},
	{"invoker/invokertest", []string{"protocol", "runtimes", "invoker", "github.com/nats-io/nats.go",
		"github.com/nats-io/nats-server/v2"},
		"tests of functions need all of it, and only tests do"},
	{"invoker/invokertest/await", nil, "tests of every package use it, those from inside a package that invokertest needs too"},
	{"invoker/interpreters", []string{"protocol", "invoker/registry"}, "it keeps interpreters and runs none"},
	{"invoker/control", []string{"protocol", "runtimes", "runtimes/module", "invoker/registry", "invoker/interpreters",
		"invoker/bodies", "invoker/subjects", "invoker/stats", "invoker/trust", "github.com/nats-io/nats.go",
		"github.com/google/uuid"},
		"it says what comes and goes, and leaves to its host what runs"},
	{"invoker/audit", []string{"protocol", "invoker/denials", "github.com/nats-io/nats.go"},
		"it keeps entries, whoever makes them"},
	{"invoker/trust", []string{"protocol", "github.com/BurntSushi/toml", "github.com/nats-io/nkeys"},
		"it judges signatures, and does not know what is done with them"},
	{"invoker/quarantine", []string{"protocol", "runtimes"}, "it takes note of what runs, whatever runs it"},
	{"invoker/programs", []string{"protocol", "runtimes"}, "it counts who needs what"},
	{"invoker/later", []string{"protocol", "invoker/bodies/objects", "github.com/nats-io/nats.go"},
		"it keeps messages and moves them, whatever they are for"},
	{"invoker/jobs/recordings", []string{"protocol", "github.com/nats-io/nats.go"}, "it keeps recordings and runs none"},
	{"invoker/triggers/schedule", []string{"protocol", "invoker/bodies/objects", "invoker/jobs/store", "invoker/later",
		"github.com/nats-io/nats.go"},
		"it says when, and what runs is a job like any other"},
	{"invoker/stats", []string{"protocol"}, "it counts"},
	{"invoker/denials", []string{"protocol", "github.com/nats-io/nats.go"}, "clients use it too"},
	{"invoker/queue", nil, "it decides about calls, whatever they are"},
	{"invoker/streams", []string{"protocol", "runtimes", "github.com/nats-io/nats.go"}, "clients use it too"},
	{"invoker/slots", nil, "it gives turns, to whoever it is"},
	{"invoker/logs", []string{"protocol", "github.com/nats-io/nats.go"}, "it publishes lines"},
	{"invoker/subjects", []string{"protocol", "invoker/registry", "github.com/nats-io/nats.go"},
		"it knows functions by their subjects only"},
	{"invoker/triggers", []string{"protocol", "invoker/bodies", "invoker/jobs/store", "github.com/nats-io/nats.go",
		"github.com/google/uuid"},
		"it makes events jobs, and leaves to others who runs them"},
	{"samples", nil, "no SDK needed is then a test, not a claim"},
	{"runtimes/script/recipe", []string{"runtimes/script"}, "a recipe is text and a shell"},
	{"cmd/internal/interpreters", []string{"protocol", "runtimes/script", "cmd/internal/exit", "cmd/internal/terminal"},
		"it keeps files"},
	{"cmd/internal/exit", []string{"protocol"}, "it says what numbers mean"},
	{"cmd/internal/source", []string{"protocol", "runtimes", "invoker/trust", "cmd/internal/interpreters", "cmd/internal/exit",
		"cmd/internal/project", "github.com/BurntSushi/toml"},
		"it reads functions from disk and runs none"},
	{"cmd/internal/localrun", []string{"protocol", "runtimes", "invoker/programs", "invoker/backend/journal",
		"cmd/internal/interpreters", "cmd/internal/exit", "cmd/internal/source"},
		"it runs a function without NATS"},
	{"cmd/internal/replay", []string{"protocol", "cmd/internal/localrun", "cmd/internal/terminal"},
		"it compares what it is given"},
	{"cmd/internal/service", []string{"protocol", "runtimes", "invoker", "cmd/internal/interpreters",
		"cmd/internal/connect", "cmd/internal/console", "cmd/internal/exit", "cmd/internal/frontdoor", "cmd/internal/natsd",
		"github.com/nats-io/nats.go", "github.com/google/uuid"},
		"it puts the parts of a service together"},
	{"cmd/internal/console", []string{"protocol", "invoker/client", "cmd/internal/console", "cmd/internal/interpreters",
		"cmd/internal/project", "cmd/internal/source", "cmd/internal/terminal", "samples", "github.com/nats-io/nats.go"},
		"it is a client, and what it can do any client can"},
	{"cmd/internal/console/recent", []string{"protocol", "invoker/stats"}, "it keeps what an observer is told"},
	{"cmd/internal/console/figures", []string{"protocol", "github.com/nats-io/nats.go"}, "it adds up what services say"},
	{"cmd/internal/console/visible", nil, "it knows characters"},
	{"cmd/internal/frontdoor", []string{"protocol", "invoker/gateway", "github.com/fsnotify/fsnotify",
		"golang.org/x/crypto/acme"},
		"it answers HTTP, and knows neither NATS nor who runs functions"},
	{"cmd/internal/show", []string{"protocol", "invoker/client", "cmd/internal/connect", "cmd/internal/exit",
		"cmd/internal/terminal", "github.com/nats-io/nats.go"},
		"it shows what any client can read"},
	{"cmd/internal/buckets", []string{"protocol", "github.com/nats-io/nats.go"}, "it reads and writes what any client can"},
	{"cmd/internal/terminal", nil, "it shows what it is given"},
	{"cmd/internal/natsd", []string{"runtimes/exhausted", "github.com/nats-io/nats-server/v2", "golang.org/x/sys"},
		"it is a NATS server and knows of no functions"},
	{"cmd/internal/connect", []string{"protocol", "invoker/client", "invoker/denials", "github.com/nats-io/nats.go"},
		"it knows where NATS is, and what a client does there is the client's"},
	{"cmd/internal/proxy", nil, "it copies bytes, whatever they mean"},
	{"cmd/internal/lint", []string{"protocol", "runtimes", "invoker/control", "invoker/trust", "cmd/internal/exit",
		"cmd/internal/localrun", "cmd/internal/source", "cmd/internal/terminal"},
		"it asks others what they would refuse"},
	{"cmd/internal/inspect", []string{"protocol", "runtimes", "cmd/internal/terminal"},
		"it describes modules and runs none"},
	{"cmd/internal/demo", []string{"protocol", "runtimes/script", "samples", "cmd/internal/connect", "cmd/internal/exit",
		"cmd/internal/project", "cmd/internal/terminal", "github.com/nats-io/nats.go"},
		"it tries the samples as any client can"},
	{"cmd/internal/demo/orders", []string{"protocol", "samples", "cmd/internal/connect", "cmd/internal/exit",
		"cmd/internal/project", "cmd/internal/terminal", "github.com/nats-io/nats.go", "github.com/BurntSushi/toml"},
		"it sends orders and reads figures as any client can"},
	{"cmd/internal/project", []string{"protocol", "runtimes/module", "runtimes/script/recipe", "samples",
		"cmd/internal/terminal", "github.com/BurntSushi/toml"},
		"it knows folders and compilers, and neither NATS nor engines"},
	{"cmd/internal/modulecache", nil, "it looks at files"},
	{"cmd/internal/doctor", []string{"protocol", "invoker/registry", "invoker/subjects", "cmd/internal/connect",
		"cmd/internal/interpreters", "cmd/internal/modulecache", "cmd/internal/project", "cmd/internal/source",
		"cmd/internal/terminal", "github.com/nats-io/nats.go"},
		"it looks at everything, and starts nothing"},
	{"cmd/internal/watch", []string{"github.com/fsnotify/fsnotify"}, "it watches files, whatever is in them"},
	{"cmd/internal/devloop", []string{"protocol", "cmd/internal/terminal"}, "it says when, and is given what"},
	{"cmd/polyvoke", []string{"protocol", "runtimes", "invoker", "samples", "cmd/internal", "github.com/nats-io/nats.go",
		"github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/sys"},
		"it is the one place where parts are chosen"},
}

// ruleFor returns the rule with the longest path that holds for a package.
func ruleFor(pkg string) *rule {
	var best *rule
	for i, r := range rules {
		below := pkg == r.pkg || r.pkg != "" && strings.HasPrefix(pkg, r.pkg+"/")
		if below && (best == nil || len(r.pkg) > len(best.pkg)) {
			best = &rules[i]
		}
	}
	return best
}

// allows reports whether the rule lets its packages import another.
func (r *rule) allows(imported string) bool {
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
		return true // the standard library
	}
	return slices.ContainsFunc(r.may, func(m string) bool {
		if first, _, _ := strings.Cut(m, "/"); !strings.Contains(first, ".") {
			m = path.Join(module, m)
		}
		return imported == m || strings.HasPrefix(imported, m+"/")
	})
}

func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-pgo=off", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		pkg := strings.TrimPrefix(strings.TrimPrefix(words[0], module), "/")
		r := ruleFor(pkg)
		if r == nil {
			t.Errorf("%s has no rule: say in deps_test.go what it may import, and why", pkg)
			continue
		}
		seen++
		for _, imported := range words[1:] {
			if strings.HasPrefix(imported, module+"/invoker/invokertest") {
				t.Errorf("%s must not import %s, because it is for tests", pkg, imported)
			}
			if strings.HasPrefix(imported, module+"/invoker/telemetry") && !mayTell[pkg] {
				t.Errorf("%s must not import %s, because what is observed does not know by whom", pkg, imported)
			}
			if !r.allows(imported) {
				t.Errorf("%s must not import %s, because %s", pkg, imported, r.because)
			}
		}
	}
	if seen < 8 {
		t.Errorf("only %d packages were looked at", seen)
	}
}

// mayTell are the packages that may import invoker/telemetry.
var mayTell = map[string]bool{"cmd/internal/service": true, "invoker/telemetry/traces": true}

// requirements are the modules that go.mod names directly, and what each is for.
var requirements = map[string]string{
	"github.com/tetratelabs/wazero":       "the sandbox's engine",
	"github.com/nats-io/nats.go":          "the client",
	"github.com/nats-io/nkeys":            "signatures of functions, and sealed secrets",
	"github.com/google/uuid":              "ids of calls, version 7",
	"github.com/nats-io/nats-server/v2":   "the embedded server, and every test",
	"github.com/spf13/cobra":              "the command line",
	"github.com/spf13/pflag":              "its flags: groups in help, and what is near a mistyped one",
	"github.com/BurntSushi/toml":          "polyvoke.toml",
	"github.com/fsnotify/fsnotify":        "changes of files, for polyvoke dev",
	"golang.org/x/crypto":                 "certificates by ACME",
	"github.com/golang-jwt/jwt/v5":        "tokens of HTTP clients",
	"github.com/gorilla/websocket":        "WebSockets, in 7 KB each while they are idle",
	"golang.org/x/sys":                    "file locks on Windows, terminals, memory files",
	"golang.org/x/tools":                  "txtar, in tests",
	"github.com/rogpeppe/go-internal":     "testscript, in tests",
	"github.com/google/go-cmp":            "differences, in tests",
	"go.uber.org/goleak":                  "goroutines that stay, in tests",
	"github.com/anishathalye/porcupine":   "whether a history of transactions is serializable, in tests",
	"github.com/klauspost/compress":       "answers of HTTP as zstd",
	"github.com/chromedp/chromedp":        "a real browser, in tests of the console",
	"github.com/chromedp/cdproto":         "what it is told there",
	"github.com/prometheus/client_golang": "metrics for Prometheus",
	"google.golang.org/protobuf":          "how spans of traces are written",
	"go.opentelemetry.io/proto/otlp":      "how they are read, in tests",
}

func TestRequirements(t *testing.T) {
	b, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	direct := map[string]bool{}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		words := strings.Fields(strings.TrimPrefix(lines.Text(), "require "))
		if len(words) == 2 && strings.Contains(words[0], ".") && strings.HasPrefix(words[1], "v") {
			direct[words[0]] = true
		}
	}
	for m := range direct {
		if requirements[m] == "" {
			t.Errorf("go.mod requires %s: say in deps_test.go what for, or do without it", m)
		}
	}
	for m := range requirements {
		if !direct[m] {
			t.Errorf("deps_test.go knows %s, which go.mod does not require", m)
		}
	}
}
