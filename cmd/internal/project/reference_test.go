package project

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/protocol"
)

var update = flag.Bool("update", false, "write what is generated into docs")

// What is generated is what is in docs.
func TestReference(t *testing.T) {
	for name, want := range map[string][]byte{"manifest.schema.json": Schema(), "manifest.md": Reference()} {
		path := filepath.Join("..", "..", "..", "docs", name)
		if *update {
			check(t, os.WriteFile(path, want, 0o644))
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != string(want) {
			t.Errorf("docs/%s is not what go generate ./cmd/internal/project makes (error %v): run that, and commit it",
				name, err)
		}
	}
}

// The page says what is so: its example is a manifest, its mistakes are found, and its keys have texts.
func TestReferenceIsTrue(t *testing.T) {
	m, err := ParseManifest(ManifestName, "", referenceExample)
	if err != nil || m.Function.Name != "price" || m.Source != "main.rs" || len(m.Function.Triggers) != 1 {
		t.Errorf("the example: %+v, %v", m, err)
	}
	if _, err := ParseManifest(ManifestName, "", referenceWrong); err == nil || err.Error()+"\n" != referenceMistakes {
		t.Errorf("the mistakes:\n%v", err)
	}
	m, err = ParseManifest(ManifestName, "", referenceTriggers)
	var sources []string
	for _, trigger := range m.Function.Triggers {
		sources = append(sources, trigger.Source())
	}
	if all := protocol.Sources(); err != nil || !slices.Equal(sources, all) {
		t.Errorf("the triggers of the example are of %q, and not of %q: %v", sources, all, err)
	}
	m, err = ParseManifest(ManifestName, "", referenceGrants)
	var kinds []string
	for _, grant := range m.Function.Grants {
		kinds = append(kinds, grant.Kind())
	}
	if all := protocol.GrantKinds(); err != nil || !slices.Equal(kinds, all) {
		t.Errorf("the grants of the example are of %q, and not of %q: %v", kinds, all, err)
	}
	for _, k := range ManifestKeys() {
		if k.Text == "" || k.Example == "" || strings.Contains(k.Text+k.Range+k.Default, "|") || k.Values != nil &&
			k.Default != k.Values[0] {
			t.Errorf("%s: no text, no example, or one that a table cannot have: %+v", k.Path, k)
		}
		if _, err := regexp.Compile(k.Pattern); err != nil {
			t.Errorf("%s: %v", k.Path, err)
		}
		text := "module = \"a.wasm\"\n"
		switch table, key := split(k.Path); {
		case k.Path == "script":
			text = "script = " + k.Example
		case k.Path == "module":
		case table == "trigger":
			text += "[[trigger]]\n" + triggerBeside(key) + key + " = " + k.Example
		case table == "http":
			text += "[[http]]\n" + httpBeside(key) + key + " = " + k.Example
		case table == "http.cors":
			text += "[[http]]\nroute = \"/a\"\n[http.cors]\n" + corsBeside(key) + key + " = " + k.Example
		case table == "websocket":
			text += "[[websocket]]\n" + socketBeside(key) + key + " = " + k.Example
		case table == "grant":
			text += "[[grant]]\n" + grantBeside(key) + key + " = " + k.Example
		case table != "":
			text += "[" + table + "]\n" + key + " = " + k.Example
		default:
			text += key + " = " + k.Example
		}
		if _, err := ParseManifest(ManifestName, "", text+"\n"); err != nil {
			t.Errorf("the example of %s: %v", k.Path, err)
		}
	}
}

// triggerBeside returns the keys that a trigger must have beside another one.
func triggerBeside(key string) string {
	switch key {
	case "queue", "to", "events":
		return "subject = \"orders.*.new\"\n"
	case "window":
		return "stream = \"ORDERS\"\nbatch = 50\n"
	case "create":
		return "stream = \"ORDERS\"\nfilter = \"orders.>\"\n"
	case "filter", "batch", "ordered", "start":
		return "stream = \"ORDERS\"\n"
	case "zone", "missed", "overlap":
		return "schedule = \"*/5 * * * *\"\n"
	}
	return ""
}

// grantBeside returns the keys that a grant must have beside another one.
func grantBeside(key string) string {
	switch key {
	case "access", "keys", "create", "consistent", "serializable", "max_ops":
		return "kv = \"stock\"\n"
	case "atomic", "max_keys", "max_bytes":
		return "kv = \"stock\"\naccess = \"rw\"\n"
	case "methods":
		return "http = \"api.example.com\"\n"
	}
	return ""
}

// corsBeside returns the keys that rules for other origins must have beside another one.
func corsBeside(key string) string {
	if key == "origins" {
		return ""
	}
	return "origins = [\"https://example.org\"]\n"
}

// httpBeside returns the keys that a route must have beside another one.
func httpBeside(key string) string {
	switch key {
	case "route":
		return ""
	case "idle":
		return "route = \"/a\"\nstream = true\n"
	}
	return "route = \"/a\"\n"
}

// socketBeside returns the keys that a route of WebSockets must have beside another one.
func socketBeside(key string) string {
	if key == "route" {
		return ""
	}
	return "route = \"/{room}\"\n"
}

// Every field that an author can write has a key, and the registry's have none.
func TestKeysAreComplete(t *testing.T) {
	paths := map[string]bool{}
	for _, k := range protocol.Keys() {
		paths[k.Path] = true
	}
	for prefix, v := range map[string]any{"": protocol.Function{}, "limits.": protocol.Limits{},
		"job.": protocol.Job{}, "trigger.": protocol.Trigger{},
		"http.": protocol.HTTPRoute{}, "http.cors.": protocol.CORS{}, "websocket.": protocol.WebSocketRoute{},
		"grant.": protocol.Grant{}} {
		for f := range reflect.TypeOf(v).Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if paths[prefix+name] == given[name] {
				t.Errorf("%s%s: key %v, the registry's %v", prefix, name, paths[prefix+name], given[name])
			}
			delete(paths, prefix+name)
		}
	}
	if len(paths) > 0 {
		t.Errorf("keys without a field: %v", paths)
	}
}

// The schema lets pass what is right and nothing whose key or type is wrong, as far as it is used.
func TestSchema(t *testing.T) {
	var root map[string]any
	check(t, json.Unmarshal(Schema(), &root))
	properties := root["properties"].(map[string]any)
	if root["additionalProperties"] != false || len(properties) < 12 {
		t.Errorf("the schema is %v", root)
	}
	trigger := properties["trigger"].(map[string]any)["items"].(map[string]any)
	if trigger["additionalProperties"] != false || len(trigger["oneOf"].([]any)) != len(protocol.Sources()) {
		t.Errorf("trigger: %v", trigger)
	}
	grant := properties["grant"].(map[string]any)["items"].(map[string]any)
	if grant["additionalProperties"] != false || len(grant["oneOf"].([]any)) != len(protocol.GrantKinds()) {
		t.Errorf("grant: %v", grant)
	}
	limits := properties["limits"].(map[string]any)["properties"].(map[string]any)
	timeout := regexp.MustCompile(limits["timeout"].(map[string]any)["pattern"].(string))
	memory := regexp.MustCompile(limits["memory"].(map[string]any)["pattern"].(string))
	for _, s := range []string{"500ms", "1m30s", "1.5s", ".5s", "5", "s", "five", "", "-1s", "1h", "3us"} {
		if _, err := protocol.ParseDuration(s); err == nil && !timeout.MatchString(s) || err != nil &&
			timeout.MatchString(s) {
			t.Errorf("%q: the schema and the parser (%v) do not agree", s, err)
		}
	}
	for _, s := range []string{"64MiB", "64", "1 GB", "64M", "lots", "", "-1B", "1.5MiB", "7B"} {
		if _, err := protocol.ParseSize(s); err == nil && !memory.MatchString(s) || err != nil &&
			memory.MatchString(s) {
			t.Errorf("%q: the schema and the parser (%v) do not agree", s, err)
		}
	}
}
