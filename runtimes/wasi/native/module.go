package native

import (
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// Strip makes the engine forget the bytes that a module was compiled from, which are as long as the module and of no
// use any more. Nobody else may use the module yet. It does nothing if they cannot be seen.
func Strip(compiled wazero.CompiledModule) {
	for _, b := range bodies(compiled) {
		*b = nil
	}
}

// Code returns the native code of an instance's module, or nil if it cannot be seen. All instances of modules with
// the same bytes have the same.
func Code(instance api.Module) []byte { return executable(instance) }
