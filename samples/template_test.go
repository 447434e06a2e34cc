package samples_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/polyvoke/polyvoke/samples"
)

func TestTemplate(t *testing.T) {
	for lang, want := range map[string][]string{
		"go": {"main.go"}, "c": {"greet.c"}, "cpp": {"greet.cpp"}, "rust": {"greet.rs"}, "as": {"greet.ts"}, "zig": {"greet.zig"},
		"nim": {"greet.nim", "glue.c", "setjmp.h"},
	} {
		sources, script, err := samples.Template(lang)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, name := range want {
			if len(sources[name]) == 0 {
				t.Errorf("%s: no %s", lang, name)
			}
		}
		if len(sources) != len(want) || len(script) == 0 {
			t.Errorf("%s: %d sources, want %d; a build script of %d bytes", lang, len(sources), len(want), len(script))
		}
	}
	for _, lang := range []string{"cobol", "", ".", "..", "../thumbnail", "c/greet.c", "vectors.json"} {
		if _, _, err := samples.Template(lang); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: error %v", lang, err)
		}
	}
}
