//go:build runtimes

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/polyvoke/polyvoke/cmd/internal/interpreters"
	"github.com/polyvoke/polyvoke/cmd/internal/project"
)

// runtimesEnv names the folder with NAME.runtime.zip for each recipe, as make runtimes builds them.
const runtimesEnv = "RUNTIMES"

// TestLargeLanguages is TestLanguages for those of which the tool chains are large, with the ones that make languages
// has installed.
func TestLargeLanguages(t *testing.T) {
	testLanguages(t, func(l project.Language) bool { return slices.Contains(strings.Fields(large), l.Name) }, large)
}

// TestScriptLanguages begins, checks, runs, deploys and calls a function in each language of scripts. The first step
// is done by the binary that a user has, which compiles the interpreter in the time that it may take.
func TestScriptLanguages(t *testing.T) {
	from := os.Getenv(runtimesEnv)
	if from == "" {
		t.Fatal(runtimesEnv + " must name the folder of built runtimes: make languages does it")
	}
	from, err := filepath.Abs(from)
	if err != nil {
		t.Fatal(err)
	}
	bin := buildPolyvoke(t, t.TempDir())
	seen := 0
	for _, l := range project.Languages() {
		if l.Compiled() {
			continue
		}
		seen++
		t.Run(l.Name, func(t *testing.T) {
			name := l.Runtime
			if name == "" {
				name = interpreters.ForExtension(filepath.Ext(l.Main))
			}
			bundle, err := interpreters.Folder(from).Get(name)
			if err != nil {
				t.Fatalf("the runtime %q of %s: %v", name, l.Title, err)
			}
			scripts(t, "testdata/runtimes", func(e *testscript.Env) {
				setLanguage(e, l)
				e.Setenv("RUNTIME", name)
				e.Setenv("BUILT", bin)
				folder := interpreters.Folder(filepath.Join(e.Getenv("XDG_CACHE_HOME"), "polyvoke", "runtimes"))
				if _, err := folder.Put(bundle); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
	if seen == 0 {
		t.Error("there is no language of scripts")
	}
}
