package samples_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/polyvoke/polyvoke/samples"
)

func TestTemplate(t *testing.T) {
	jvm := []string{"src/wasi/Compiler.java", "src/wasi/Process.java", "src/wasi/Stack.java", "src/wasi/Transformer.java"}
	for lang, want := range map[string][]string{
		"go": {"main.go"}, "c": {"greet.c"}, "cpp": {"greet.cpp"}, "rust": {"greet.rs"}, "as": {"greet.ts"},
		"zig": {"greet.zig"},
		"nim": {"greet.nim", "glue.c", "setjmp.h"}, "d": {"greet.d"}, "swift": {"greet.swift", "glue.c", "glue.h"},
		"ocaml":  {"greet.ml", "wasi/main.c", "wasi/m.h", "wasi/s.h", "wasi/build_config.h", "wasi/sys/wait.h"},
		"java":   append([]string{"pom.xml", "src/Greet.java"}, jvm...),
		"kotlin": append([]string{"pom.xml", "src/Greet.kt"}, jvm...),
		"scala":  append([]string{"pom.xml", "src/Greet.scala"}, jvm...),
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
