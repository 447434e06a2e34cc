package source

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/polyvoke/polyvoke/cmd/internal/project"
)

// mostSource is how much of a source file is looked at, in bytes.
const mostSource = 1 << 20

// handlerForms find what other platforms call, by the extension of a source file. A program calls nobody's handler by
// itself.
var handlerForms = map[string]*regexp.Regexp{
	".py": regexp.MustCompile(
		`(?m)^(?:async )?def (lambda_handler|handler|main)\s*\(\s*event\s*(?::[^,)]*)?,\s*context\b`),
	".js":   javascriptHandler,
	".mjs":  javascriptHandler,
	".ts":   javascriptHandler,
	".rb":   regexp.MustCompile(`(?m)^\s*def (?:self\.)?(lambda_handler|handler)\s*\(\s*event:`),
	".go":   regexp.MustCompile(`\b(lambda\.Start\w*)\(`),
	".rs":   regexp.MustCompile(`\b(lambda_runtime::run)\b`),
	".java": regexp.MustCompile(`\b(Request(?:Stream)?Handler)\b`),
}

var javascriptHandler = regexp.MustCompile(
	`(?m)^\s*(?:module\.)?(exports\.\w*[hH]andler)\s*=` +
		`|^\s*export\s+(?:const|let|var|(?:async\s+)?function)\s+(\w*[hH]andler)\b`)

// readsStdin finds what a source file reads its request by, in any of the languages above.
var readsStdin = regexp.MustCompile(
	`(?i)stdin|std\.in\b|System\.in\b|\binput\(|readFileSync\(\s*0|\bgets\b|\bARGF\b|fileinput`)

// runtimeAPI is in every module that has one of AWS Lambda's own libraries.
var runtimeAPI = []byte("AWS_LAMBDA_RUNTIME_API")

// handlers warns of a handler that nobody will call, which is odd, but can be deployed all the same. It is looked for
// in the script's entry, in the file that a project builds, and in the module.
func (s *Source) handlers() []string {
	file := s.Path
	if s.Function.Runtime == "" {
		if bytes.Contains(s.Code, runtimeAPI) {
			return []string{s.uncalled("the module", "AWS Lambda's runtime library")}
		}
		if file = project.SourceOf(s.Path); file == "" {
			return nil
		}
	}
	form := handlerForms[filepath.Ext(file)]
	info, err := os.Stat(file)
	if form == nil || err != nil || info.Size() > mostSource {
		return nil
	}
	text, err := os.ReadFile(file)
	found := form.FindSubmatch(text)
	if err != nil || found == nil || readsStdin.Match(text) {
		return nil
	}
	return []string{s.uncalled(file, string(bytes.Join(found[1:], nil)))}
}

// uncalled is the warning for a handler.
func (s *Source) uncalled(file, handler string) string {
	return fmt.Sprintf("%s has %s, which nothing calls here: %s is run as a program, with the request on stdin and "+
		"the reply on stdout; "+
		"docs/coming-from-lambda.md shows both forms side by side", file, handler, s.Function.Name)
}
