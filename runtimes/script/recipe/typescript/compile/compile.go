//go:build ignore

// Compile is the compile stage of the runtime "typescript": a WASI command that finds a script in /script, the entry
// named by /script/.polyvoke/entry, and writes a zip archive of the compiled script to stdout. There the entry and
// what it imports are one ES module beside its source map, other files stay as they are, and TypeScript's are gone.
//
// Types are not checked. What is wrong with the syntax, or with an import, comes on stderr as FILE:LINE:COLUMN: reason,
// and the exit code is 65.
//
// The file is not built with the module around it, whose requirements do not include esbuild: build.sh makes a module
// of it.
package main

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

const (
	root      = "/script"
	entryFile = ".polyvoke/entry"
	badData   = 65 // EX_DATAERR
	software  = 70 // EX_SOFTWARE
)

// extensions are those of TypeScript, and what they become.
var extensions = map[string]string{".ts": ".js", ".tsx": ".js", ".mts": ".mjs", ".cts": ".cjs"}

var loaders = map[string]api.Loader{
	".ts": api.LoaderTS, ".mts": api.LoaderTS, ".cts": api.LoaderTS, ".tsx": api.LoaderTSX,
	".js": api.LoaderJS, ".mjs": api.LoaderJS, ".jsx": api.LoaderJSX, ".json": api.LoaderJSON, ".txt": api.LoaderText,
}

// errScript says that the script is wrong; stderr has the reasons.
var errScript = errors.New("the script has errors")

func main() {
	err := run(os.DirFS(root), os.Stdout)
	switch {
	case errors.Is(err, errScript):
		os.Exit(badData)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(software)
	}
}

func run(script fs.FS, to io.Writer) error {
	entry, err := readEntry(script)
	if err != nil {
		return err
	}
	target := strings.TrimSuffix(entry, path.Ext(entry)) + extensions[path.Ext(entry)]
	files, err := bundle(script, entry, target)
	if err != nil {
		return err
	}
	files[entryFile] = []byte(target + "\n")
	if err := keepOthers(script, files); err != nil {
		return err
	}
	return write(files, to)
}

func readEntry(script fs.FS) (string, error) {
	line, err := fs.ReadFile(script, entryFile)
	if err != nil {
		return "", fmt.Errorf("read the name of the entry: %w", err)
	}
	entry := strings.TrimRight(string(line), "\r\n")
	if extensions[path.Ext(entry)] == "" {
		return "", fmt.Errorf("the entry %q is no TypeScript file", entry)
	}
	return entry, nil
}

// bundle compiles the entry and what it imports to target and its source map.
func bundle(script fs.FS, entry, target string) (map[string][]byte, error) {
	config, _ := fs.ReadFile(script, "tsconfig.json") // there need not be one
	result := api.Build(api.BuildOptions{
		EntryPoints:    []string{root + "/" + entry},
		Outfile:        root + "/" + target,
		AbsWorkingDir:  root,
		Bundle:         true,
		Format:         api.FormatESModule,
		Platform:       api.PlatformNeutral,
		Target:         api.ES2022,
		Charset:        api.CharsetUTF8,
		Sourcemap:      api.SourceMapExternal,
		SourcesContent: api.SourcesContentExclude,
		TsconfigRaw:    string(config),
		LogLevel:       api.LogLevelSilent,
		Plugins:        []api.Plugin{{Name: "script", Setup: func(b api.PluginBuild) { setUp(b, script) }}},
	})
	report(result.Warnings, "warning: ")
	report(result.Errors, "")
	if len(result.Errors) > 0 {
		return nil, errScript
	}
	files := map[string][]byte{}
	for _, f := range result.OutputFiles {
		files[strings.TrimPrefix(f.Path, root+"/")] = f.Contents
	}
	return files, nil
}

// setUp has esbuild find and load the files of the script by itself: its own way looks into the folders above /script,
// which are not there.
func setUp(b api.PluginBuild, script fs.FS) {
	every := api.OnResolveOptions{Filter: ".*"}
	b.OnResolve(every, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
		name, err := resolve(script, a.Importer, a.Path)
		if err != nil {
			return api.OnResolveResult{}, err
		}
		if name == a.Path {
			return api.OnResolveResult{Path: name, External: true}, nil
		}
		return api.OnResolveResult{Path: root + "/" + name, Namespace: "file"}, nil
	})
	b.OnLoad(api.OnLoadOptions{Filter: ".*"}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
		b, err := fs.ReadFile(script, strings.TrimPrefix(a.Path, root+"/"))
		contents := string(b)
		return api.OnLoadResult{Contents: &contents, Loader: loaders[path.Ext(a.Path)]}, err
	})
}

// builtin are the modules that the runtime of JavaScript has; those of Node may have node: in front.
var builtin = regexp.MustCompile(
	`^(?:std|os|(?:node:)?(?:fs|fs/promises|process|buffer|events|module|readline|stream/consumers))$`)

// outside are modules of Node about what a function has not.
var outside = regexp.MustCompile(`^(?:node:)?(?:https?|http2|net|tls|dgram|dns|child_process|cluster|worker_threads)$`)

// whyNot says why there is no module of a name. The runtime of JavaScript says the same: see its modules.c.
func whyNot(specifier string) string {
	if outside.MatchString(specifier) {
		return "this is QuickJS and not Node: a function has no sockets, processes or threads; " +
			"it reads its request from stdin and writes its reply to stdout"
	}
	return "this is QuickJS and not Node: of Node's modules there are fs, process, buffer, events, module, readline and " +
		"stream/consumers; bundle packages into one file, as esbuild --bundle --format=esm does"
}

// resolve returns the path below /script of what a file imports, or the name of a module of the runtime as it is.
func resolve(script fs.FS, importer, specifier string) (string, error) {
	if builtin.MatchString(specifier) {
		return specifier, nil
	}
	full := specifier
	switch {
	case strings.HasPrefix(specifier, "./"), strings.HasPrefix(specifier, "../"), specifier == ".", specifier == "..":
		full = path.Join(path.Dir(importer), specifier)
	case !strings.HasPrefix(specifier, "/"):
		return "", fmt.Errorf("cannot import %q: %s", specifier, whyNot(specifier))
	}
	name, inside := strings.CutPrefix(path.Clean(full), root+"/")
	if !inside {
		return "", fmt.Errorf("cannot import %q: that is outside of the script's folder", specifier)
	}
	for _, candidate := range candidates(name) {
		if info, err := fs.Stat(script, candidate); err == nil && info.Mode().IsRegular() {
			return candidate, nil
		}
	}
	return "", fmt.Errorf("cannot import %q: there is no such file", specifier)
}

// candidates are the files that an import can mean: the one of that name, the TypeScript that becomes it, the one
// with an extension more, the index of the folder.
func candidates(name string) []string {
	all := []string{name}
	switch path.Ext(name) {
	case ".js", ".jsx":
		base := strings.TrimSuffix(name, path.Ext(name))
		all = append(all, base+".ts", base+".tsx")
	case ".mjs":
		all = append(all, strings.TrimSuffix(name, ".mjs")+".mts")
	}
	for _, end := range []string{"", "/index"} {
		for _, ext := range []string{".ts", ".tsx", ".mts", ".js", ".mjs", ".json"} {
			all = append(all, name+end+ext)
		}
	}
	return all
}

// report writes a line about each message.
func report(messages []api.Message, before string) {
	for _, m := range messages {
		place := ""
		if l := m.Location; l != nil {
			place = fmt.Sprintf("%s:%d:%d: ", l.File, l.Line, l.Column+1)
		}
		fmt.Fprintf(os.Stderr, "%s%s%s\n", place, before, strings.ReplaceAll(m.Text, "\n", " "))
	}
}

// keepOthers adds the files of the script that are not TypeScript and have not been made.
func keepOthers(script fs.FS, files map[string][]byte) error {
	return fs.WalkDir(script, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if _, made := files[name]; made || extensions[path.Ext(name)] != "" {
			return nil
		}
		files[name], err = fs.ReadFile(script, name)
		return err
	})
}

// write writes an archive that depends on nothing but the files.
func write(files map[string][]byte, to io.Writer) error {
	archive := zip.NewWriter(to)
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		w, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
		if err != nil {
			return err
		}
		if _, err := w.Write(files[name]); err != nil {
			return err
		}
	}
	return archive.Close()
}
