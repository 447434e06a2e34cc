package samples

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Template returns the sources of the greeting in a language, by their paths, to begin a function with: all that its
// folder below greet has but what is made of them, how, and the tests. Script is how: a shell script that takes the
// name of the module and, if they are not its own, the main source; it is nil for a language that is not compiled.
// The error is fs.ErrNotExist if the language has no sample here. The caller owns what it gets.
func Template(lang string) (sources map[string][]byte, script []byte, err error) {
	dir := path.Join("greet", lang)
	if path.Dir(dir) != "greet" {
		return nil, nil, fmt.Errorf("sample %q: %w", lang, fs.ErrNotExist)
	}
	sources = map[string][]byte{}
	if lang == "kotlin" || lang == "scala" {
		err = add(sources, "greet/java", "greet/java/src/wasi") // what makes a process of bytecode
	}
	if err == nil {
		err = add(sources, dir, dir)
	}
	if err != nil || len(sources) == 0 {
		return nil, nil, fmt.Errorf("sample %q: %w", lang, fs.ErrNotExist)
	}
	script = sources["build.sh"]
	delete(sources, "build.sh")
	return sources, script, nil
}

// add reads what is below a folder into sources, by its path from root, but for modules and tests.
func add(sources map[string][]byte, root, dir string) error {
	return fs.WalkDir(files, dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || path.Ext(name) == ".wasm" || strings.HasSuffix(name, "_test.go") {
			return err
		}
		sources[strings.TrimPrefix(name, root+"/")], err = files.ReadFile(name)
		return err
	})
}
