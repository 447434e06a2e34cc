package source

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/cmd/internal/project"
	"github.com/polyvoke/polyvoke/protocol"
)

func TestHandlers(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"a.py", "import json\n\ndef lambda_handler(event, context):\n    return {}\n", "lambda_handler"},
		{"a.py", "def handler(event, context):\n    pass\n", "handler"},
		{"a.py", "async def handler(event: dict, context) -> dict:\n    pass\n", "handler"},
		{"a.py", "def handler(event):\n    pass\n", ""},
		{"a.py", "class A:\n    def handler(event, context): pass\n", ""},
		{"a.py", "import sys, json\ndef handler(event, context): pass\nprint(handler(json.load(sys.stdin), None))\n",
			""},
		{"a.js", "exports.handler = async (event) => {};\n", "exports.handler"},
		{"a.js", "module.exports.handler = () => 1\n", "exports.handler"},
		{"a.mjs", "export const handler = async (event) => {};\n", "handler"},
		{"a.ts", "export async function handler(event: Event) {}\n", "handler"},
		{"a.js", "// exports.handler = 1\n", ""},
		{"a.js", "import * as std from 'std';\nexports.handler = 1;\nprint(std.in.readAsString())", ""},
		{"a.rb", "def handler(event:, context:)\nend\n", "handler"},
		{"a.lua", "function handler(event, context) end\n", ""},
		{"a.py", strings.Repeat("#", mostSource) + "\ndef handler(event, context): pass\n", ""},
		{"none.py", "", ""},
	} {
		path := filepath.Join(t.TempDir(), test.name)
		if test.name != "none.py" {
			if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := &Source{Path: path, Function: protocol.Function{Name: "a", Runtime: "x"}}
		wantWarning(t, s, test.text, test.want)
	}
}

// wantWarning fails unless a source is warned of for a handler, or for none.
func wantWarning(t *testing.T, s *Source, what, want string) {
	t.Helper()
	got := strings.Join(s.handlers(), "\n")
	if (want == "") != (got == "") || want != "" && (!strings.Contains(got,
		" has "+want+", which nothing calls here") || !strings.Contains(got, "docs/coming-from-lambda.md")) {
		t.Errorf("%.100q: warnings %q, want one of %q", what, got, want)
	}
}

// Of a module the source is looked at that its folder builds it from, and the bytes themselves.
func TestHandlersOfModules(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		project.ManifestName: "module = \"a.wasm\"\n[build]\nsource = \"main.go\"\n",
		"main.go": "package main\n\nimport \"github.com/aws/aws-lambda-go/lambda\"\n\nfunc main() { " +
			"lambda.Start(handle) }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := protocol.Function{Name: "a"}
	wantWarning(t, &Source{Path: filepath.Join(dir, "a.wasm"), Function: f}, "a project", "lambda.Start")
	wantWarning(t, &Source{Path: filepath.Join(dir, "b.wasm"), Function: f}, "another module", "")
	wantWarning(t, &Source{Path: filepath.Join(t.TempDir(), "a.wasm"), Function: f}, "a module alone", "")
	wantWarning(t, &Source{Path: "a.wasm", Function: f, Code: []byte("...AWS_LAMBDA_RUNTIME_API...")},
		"a module with the library", "AWS Lambda's runtime library")
}
