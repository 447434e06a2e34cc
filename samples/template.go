package samples

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Template returns the sources of the greeting in a language, by their paths, to begin a function with: all that its folder
// below greet has but what is made of them, how, and the tests. Script is how: a shell script that takes the name of the
// module and, if they are not its own, the main source; it is nil for a language that is not compiled. The error is
// fs.ErrNotExist if the language has no sample here. The caller owns what it gets.
func Template(lang string) (sources map[string][]byte, script []byte, err error) {
	dir := path.Join("greet", lang)
	if path.Dir(dir) != "greet" {
		return nil, nil, fmt.Errorf("sample %q: %w", lang, fs.ErrNotExist)
	}
	sources = map[string][]byte{}
	err = fs.WalkDir(files, dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		switch base := path.Base(name); {
		case base == "build.sh":
			script, err = files.ReadFile(name)
		case path.Ext(base) != ".wasm" && !strings.HasSuffix(base, "_test.go"):
			sources[strings.TrimPrefix(name, dir+"/")], err = files.ReadFile(name)
		}
		return err
	})
	if err != nil || len(sources) == 0 {
		return nil, nil, fmt.Errorf("sample %q: %w", lang, fs.ErrNotExist)
	}
	return sources, script, nil
}
