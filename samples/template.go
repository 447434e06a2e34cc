package samples

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"testing/fstest"
)

// Template returns the sources of the greeting in a language, to begin a function with: all that its folder
// below greet has but what is made of them, how, and the tests. Script is how: a shell script that takes the name of the module
// and, if they are not its own, the main source; it is nil for a language that is not compiled. The error is
// fs.ErrNotExist if the language has no sample here.
func Template(lang string) (sources fs.FS, script []byte, err error) {
	dir := path.Join("greet", lang)
	if !fs.ValidPath(dir) || path.Dir(dir) != "greet" {
		return nil, nil, fmt.Errorf("sample %q: %w", lang, fs.ErrNotExist)
	}
	all := fstest.MapFS{}
	err = fs.WalkDir(files, dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := files.ReadFile(name)
		switch base := path.Base(name); {
		case err != nil:
			return err
		case base == "build.sh":
			script = data
		case path.Ext(base) != ".wasm" && !strings.HasSuffix(base, "_test.go"):
			all[strings.TrimPrefix(name, dir+"/")] = &fstest.MapFile{Data: data, Mode: 0o644}
		}
		return nil
	})
	if err == nil && len(all) == 0 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, nil, fmt.Errorf("sample %q: %w", lang, err)
	}
	return all, script, nil
}
