package module

import (
	"fmt"
	"strings"
)

// Preview1 is the module that a process may import from.
const Preview1 = "wasi_snapshot_preview1"

// What a program that was built for threads imports besides: thread-spawn of the module wasi, as the proposal
// wasi-threads has it, and a shared memory, by the name that linkers give it. Its only thread gets a memory of its
// own, and cannot start others.
const (
	Threads      = "wasi"
	ThreadSpawn  = "thread-spawn"
	memoryModule = "env"
	memoryName   = "memory"
)

// CheckProcess returns an error unless the module can run as a process. It can if it is a WASI preview1 command: all
// its imports are functions of wasi_snapshot_preview1, with the types they have there; it exports a function _start of
// type () -> (); and it has a memory and exports it as "memory". The memory is its own, or the shared one of a program
// that was built for threads, which may import thread-spawn as well. Or the module is a reactor with an entry for
// requests: instead of _start it exports _initialize of type () -> () and handle of type () -> () or () -> (i32). The
// result of handle is the exit code.
//
// # Errors
//
// Every error is an *[Error] that names what is wrong and says how to build a command instead.
func (m *Module) CheckProcess() error {
	for _, im := range m.Imports {
		if msg := checkImport(im); msg != "" {
			return &Error{Section: "import", Offset: im.offset, Msg: msg}
		}
	}
	for _, check := range []func() string{m.checkStart, m.checkMemory} {
		if msg := check(); msg != "" {
			return &Error{Msg: msg}
		}
	}
	return nil
}

// checkImport returns what is wrong with an import, or "".
func checkImport(im Import) string {
	if forThreads(im) {
		return ""
	}
	what := fmt.Sprintf("the module imports the %v %q from %q, which polyvoke does not offer", im.Kind, im.Name, im.Module)
	if im.Module != Preview1 {
		return what + ": " + importAdvice(im)
	}
	want := preview1Type(im.Name)
	switch {
	case im.Kind != FunctionKind || want == "":
		return what + ": WASI preview1 has no such function"
	case im.Signature != want:
		return fmt.Sprintf("the module imports %q from %q with the type %s, but its type is %s: "+
			"build with a current WASI library", im.Name, im.Module, im.Signature, want)
	}
	return ""
}

// forThreads reports whether an import is one of a program that was built for threads.
func forThreads(im Import) bool {
	switch im.Kind {
	case FunctionKind:
		return im.Module == Threads && im.Name == ThreadSpawn && im.Signature == "(i32) -> (i32)"
	case MemoryKind:
		return im.Module == memoryModule && im.Name == memoryName && im.shared
	}
	return false
}

// importAdvice says where a foreign import usually comes from and what to do.
func importAdvice(im Import) string {
	switch {
	case im.Module == "wasi_unstable":
		return "that is WASI preview0; rebuild with a current compiler for wasm32-wasip1"
	case im.Module == "wbg" || strings.HasPrefix(im.Module, "__wbindgen") ||
		strings.HasPrefix(im.Module, "./") && strings.Contains(im.Module, "_bg"):
		return "that is wasm-bindgen, glue for JavaScript; build for the target wasm32-wasip1 without wasm-bindgen"
	case strings.HasPrefix(im.Module, "rb-js-abi-host"):
		return "that is ruby.wasm's bridge to JavaScript; merge a module that stubs it out, or use a build without the js gem"
	case strings.HasPrefix(im.Module, "extism:"):
		return "that is an Extism plug-in; write the function as a program that reads stdin and writes stdout"
	case strings.HasPrefix(im.Module, "canonical_abi") || strings.HasPrefix(im.Module, "wasi:") ||
		strings.Contains(im.Module, "/") && strings.Contains(im.Module, ":"):
		return "that belongs to components and WASI 0.2; build a core module for the target wasm32-wasip1"
	case im.Module == "go" || im.Module == "gojs":
		return "that is Go for JavaScript; build with GOOS=wasip1 GOARCH=wasm"
	case im.Module == "env" && im.Name == "abort":
		return "that is AssemblyScript for a browser; build with @assemblyscript/wasi-shim"
	case im.Module == "env" || im.Module == "a":
		return "a function that the linker did not find, or Emscripten's glue for JavaScript; " +
			"link everything in and build for the target wasm32-wasi"
	}
	return "a process can only import functions of " + Preview1
}

// checkStart returns what is wrong with the entry, or "".
func (m *Module) checkStart() string {
	if e, ok := m.export("_start"); ok {
		if e.Kind == FunctionKind && e.Signature == "() -> ()" {
			return ""
		}
		return fmt.Sprintf("_start must be a function of type () -> (), but is a %v of type %s", e.Kind, e.Signature)
	}
	if _, ok := m.export(Initialize); ok {
		return m.checkReactor()
	}
	return "the module exports no function _start, so there is nothing to run: " +
		"build a command, a program with a main function, for the target wasm32-wasip1"
}

// What a reactor exports in place of _start.
const (
	// Initialize is called once, before anything else.
	Initialize = "_initialize"
	// Handle is called for a request.
	Handle = "handle"
)

// Reactor reports whether the module is a reactor with an entry for requests.
func (m *Module) Reactor() bool {
	_, command := m.export("_start")
	_, setup := m.export(Initialize)
	_, entry := m.export(Handle)
	return !command && setup && entry
}

// checkReactor returns what is wrong with the entry of a reactor, or "".
func (m *Module) checkReactor() string {
	e, ok := m.export(Handle)
	if !ok {
		return "the module is a reactor, a library (it exports _initialize), without a function for requests: " +
			"export one as \"handle\", of type () -> () or () -> (i32), that reads stdin and writes stdout; " +
			"or build a command, without -mexec-model=reactor, -buildmode=c-shared or crate-type cdylib"
	}
	if i, _ := m.export(Initialize); i.Kind != FunctionKind || i.Signature != "() -> ()" {
		return fmt.Sprintf("_initialize must be a function of type () -> (), but is a %v of type %s", i.Kind, i.Signature)
	}
	if e.Kind != FunctionKind || e.Signature != "() -> ()" && e.Signature != "() -> (i32)" {
		return fmt.Sprintf("handle must be a function of type () -> () or () -> (i32), but is a %v of type %s",
			e.Kind, e.Signature)
	}
	return ""
}

// checkMemory returns what is wrong with the memory, or "".
func (m *Module) checkMemory() string {
	if len(m.Memories) == 0 {
		return "the module has no memory, so it can neither read its input nor write a reply"
	}
	if e, ok := m.export("memory"); !ok || e.Kind != MemoryKind {
		return `the module does not export its memory as "memory", which WASI needs: build for the target wasm32-wasip1`
	}
	return ""
}
