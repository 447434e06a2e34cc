//go:build portable

package native

import (
	"unsafe"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// A build with the tag portable uses the engine's public interface only. It is what package wasi does when a new
// version of the engine has other names inside than private.go knows.

// callStack is as in private.go.
func callStack(api.Function) (stack *[]byte, sp *unsafe.Pointer) { return nil, nil }

// snapshotStack is as in private.go.
func snapshotStack(experimental.Snapshot) (stack, live []byte, ok bool) { return nil, nil, false }

// contents is as in private.go.
func contents(api.Module) []uint64 { return nil }

// executable is as in private.go.
func executable(api.Module) []byte { return nil }

// bodies is as in private.go.
func bodies(wazero.CompiledModule) []*[]byte { return nil }
