package guest

import "os"

// buildQuickJS builds a JavaScript interpreter, whose script is in the environment: Debian 13's source
// of QuickJS, compiled by Debian's clang 14 with a host of our own.
func buildQuickJS(b *builder, g *Guest) (err error) {
	if _, err := b.once("quickjs/quickjs.c", func(string) error { return b.fetchQuickJS() }); err != nil {
		return err
	}
	g.Env = []string{"JS_SOURCE=write(readText());"}
	g.Wasm, err = b.once("quickjs.wasm", b.compileQuickJS, "host.c")
	return err
}

// fetchQuickJS gets the source by apt, with a configuration of its own.
func (b *builder) fetchQuickJS() error {
	if err := b.run(nil, "sh", "source.sh"); err != nil {
		return err
	}
	return os.Rename(b.path("quickjs/quickjs.c"), b.path("quickjs/quickjs.c.tmp")) // as once wants it
}

// compileQuickJS compiles interpreter and host. EMSCRIPTEN is how the source leaves out threads.
func (b *builder) compileQuickJS(out string) error {
	if err := os.MkdirAll(b.path("empty"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(b.path("empty/setjmp.h"), nil, 0o644); err != nil { // included, not used
		return err
	}
	args := []string{"--target=wasm32-wasi", "-O2", "-w", "-fwrapv", "-D_GNU_SOURCE", "-DEMSCRIPTEN",
		`-DCONFIG_VERSION="debian"`, "-Iempty", "-Iquickjs", "-Wl,-s", "-Wl,-z,stack-size=1048576", "host.c"}
	return b.run(nil, "clang-14", append(append(args, quickJSFiles()...), "-o", out)...)
}

// compileNativeQuickJS compiles them for this machine.
func (b *builder) compileNativeQuickJS(out string) error {
	args := []string{"-O2", "-w", "-fwrapv", "-D_GNU_SOURCE", `-DCONFIG_VERSION="debian"`, "-Iquickjs", "host.c"}
	return b.run(nil, "clang-14", append(append(args, quickJSFiles()...), "-lm", "-lpthread", "-o", out)...)
}

// quickJSFiles are the files of the source that make the interpreter.
func quickJSFiles() (files []string) {
	for _, f := range []string{"quickjs", "libregexp", "libunicode", "cutils", "dtoa"} {
		files = append(files, "quickjs/"+f+".c")
	}
	return files
}
