package module_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/module"
)

// importing returns a module that imports one function of type () -> () and is otherwise a command.
func importing(from, name string) string {
	im := "\x01" + string([]byte{byte(len(from))}) + from + string([]byte{byte(len(name))}) + name + "\x00\x00"
	return header + types + section(2, im) + functions + memories +
		section(7, "\x02\x06_start\x00\x01\x06memory\x02\x00") + code
}

func TestCheckProcess(t *testing.T) {
	const preview1 = "wasi_snapshot_preview1"
	for _, c := range []struct {
		name, file string
		want       []string
	}{
		{"environment", importing("env", "puts"), []string{`"puts"`, `"env"`, "wasm32-wasi"}},
		{"AssemblyScript", importing("env", "abort"), []string{`"abort"`, "wasi-shim"}},
		{"wasm-bindgen", importing("wbg", "__wbg_log"), []string{`"wbg"`, "wasm-bindgen"}},
		{"wasm-bindgen placeholder", importing("__wbindgen_placeholder__", "x"), []string{"wasm-bindgen"}},
		{"Ruby", importing("rb-js-abi-host", "eval-js"), []string{`"rb-js-abi-host"`, "ruby.wasm"}},
		{"preview 0", importing("wasi_unstable", "fd_write"), []string{`"wasi_unstable"`, "preview0"}},
		{"preview 2", importing("wasi:cli/stdout@0.2.0", "get-stdout"), []string{"wasi:cli/stdout", "WASI 0.2"}},
		{"Go for JavaScript", importing("gojs", "runtime.ticks"), []string{"GOOS=wasip1"}},
		{"Extism", importing("extism:host/env", "input_length"), []string{"Extism"}},
		{"anything", importing("mine", "thing"), []string{`"thing"`, `"mine"`, preview1}},
		{"unknown function", importing(preview1, "fd_fly"), []string{`"fd_fly"`, "no such function"}},
		{"wrong type", importing(preview1, "fd_write"), []string{`"fd_write"`, "() -> ()", "(i32, i32, i32, i32) -> (i32)"}},
		{"imported memory", header + types + section(2, "\x01\x03env\x06memory\x02\x00\x01") + functions + exports + code,
			[]string{`the memory "memory"`, `"env"`}},
		{"shared memory of another name", header + types + section(2, "\x01\x03env\x01m\x02\x03\x01\x02") + functions + exports + code,
			[]string{`the memory "m"`, `"env"`}},
		{"threads of another kind", header + types + section(2, "\x01\x04wasi\x0cthread-spawn\x00\x00"), []string{`"thread-spawn"`, `"wasi"`}},
		{"another function of wasi", importing("wasi", "thread-join"), []string{`"thread-join"`, `"wasi"`}},
		{"no entry", header + types + functions + memories + section(7, "\x01\x06memory\x02\x00") + code, []string{"_start", "main"}},
		{"reactor", header + types + functions + memories + section(7, "\x02\x0b_initialize\x00\x00\x06memory\x02\x00") + code,
			[]string{"reactor", "handle", "c-shared"}},
		{"reactor with a handle of another type", header + types + functions + memories + section(7, "\x03\x0b_initialize\x00\x00\x06handle\x02\x00\x06memory\x02\x00") + code,
			[]string{"handle must be a function", "memory"}},
		{"reactor whose _initialize is none", header + types + functions + memories + section(7, "\x03\x0b_initialize\x02\x00\x06handle\x00\x00\x06memory\x02\x00") + code,
			[]string{"_initialize must be a function"}},
		{"entry with a result", header + section(1, "\x01\x60\x00\x01\x7f") + functions + memories + exports + code, []string{"_start", "() -> (i32)"}},
		{"entry that is a memory", header + memories + section(7, "\x01\x06_start\x02\x00"), []string{"_start", "memory"}},
		{"no memory", header + types + functions + section(7, "\x01\x06_start\x00\x00") + code, []string{"no memory"}},
		{"hidden memory", header + types + functions + memories + section(7, "\x01\x06_start\x00\x00") + code, []string{`"memory"`}},
		{"memory that is a function", header + types + functions + memories + section(7, "\x02\x06_start\x00\x00\x06memory\x00\x00") + code,
			[]string{`"memory"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := module.Parse([]byte(c.file))
			if err != nil {
				t.Fatal(err)
			}
			err = m.CheckProcess()
			var e *module.Error
			if !errors.As(err, &e) {
				t.Fatalf("got the error %v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

// TestPreview1 checks that functions of WASI preview1 with their types are accepted.
func TestPreview1(t *testing.T) {
	for name, signature := range map[string]string{
		"sched_yield": "\x60\x00\x01\x7f", "proc_exit": "\x60\x01\x7f\x00", "fd_seek": "\x60\x04\x7f\x7e\x7f\x7f\x01\x7f",
		"path_open": "\x60\x09\x7f\x7f\x7f\x7f\x7f\x7e\x7e\x7f\x7f\x01\x7f", "sock_accept": "\x60\x03\x7f\x7f\x7f\x01\x7f",
	} {
		const from = "wasi_snapshot_preview1"
		file := header + section(1, "\x02"+signature+"\x60\x00\x00") +
			section(2, "\x01"+string([]byte{byte(len(from))})+from+string([]byte{byte(len(name))})+name+"\x00\x00") +
			section(3, "\x01\x01") + memories + section(7, "\x02\x06_start\x00\x01\x06memory\x02\x00") + code
		m, err := module.Parse([]byte(file))
		if err == nil {
			err = m.CheckProcess()
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestThreads checks that a program that was built for threads passes with what it imports for them.
func TestThreads(t *testing.T) {
	m, err := module.Parse([]byte(header + section(1, "\x02\x60\x00\x00\x60\x01\x7f\x01\x7f") +
		section(2, "\x02\x03env\x06memory\x02\x03\x01\x02\x04wasi\x0cthread-spawn\x00\x01") + functions +
		section(7, "\x02\x06_start\x00\x01\x06memory\x02\x00") + code))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.CheckProcess(); err != nil {
		t.Error(err)
	}
	if got := m.Memories[0].String(); got != "shared memory 1..2 pages" {
		t.Errorf("got %q", got)
	}
}
