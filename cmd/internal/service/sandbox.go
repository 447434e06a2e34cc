package service

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// CompileModule is the subcommand with which this program is started to have a module compiled, by wasi.CompileChild.
const CompileModule = "compile-module"

// maxInterpreter is the size of the largest interpreter, in bytes. Operators add these, and few.
const maxInterpreter = 64 << 20

// Limits are what the compilation of one module may take.
type Limits struct {
	Timeout time.Duration // 0: the sandbox's default
	Memory  protocol.Size // 0: the sandbox's default
	Module  protocol.Size // size of the largest module; 0: the sandbox's and the invoker's default
}

// OwnTimeout is how long compiling one module may take where a user waits for it, on the machine on which it is
// made: interpreters are large, and the machine may be busy.
const OwnTimeout = 5 * time.Minute

// module returns the size of the largest module in bytes.
func (l Limits) module() int64 { return int64(l.Module) }

// Sandbox returns a runtime with a configuration, whose modules are compiled by children, into the folder that is
// named or the user's or, if there is none, one that end removes.
func Sandbox(
	ctx context.Context, cache string, l Limits, config wasi.Config,
) (rt *wasi.Runtime, end func(), err error) {
	self, err := thisProgram()
	if err != nil {
		return nil, nil, fmt.Errorf("find this program, which compiles modules: %w", err)
	}
	dir, remove := CacheDir(cache), func() {}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "polyvoke-modules-"); err != nil {
			return nil, nil, err
		}
		remove = func() { os.RemoveAll(dir) }
	}
	config.CacheDir = dir
	config.MaxMemory, config.MaxModule = uint64(protocol.MaxMemory), int(max(l.Module, maxInterpreter))
	config.Compiler = []string{self, CompileModule}
	config.CompileTimeout, config.CompileMemory = l.Timeout, uint64(l.Memory)
	if rt, err = wasi.New(ctx, config); err != nil {
		remove()
		return nil, nil, fmt.Errorf("sandbox: %w: check that the folder of --cache is writable", err)
	}
	return rt, func() {
		rt.Close(context.WithoutCancel(ctx))
		remove()
	}, nil
}

// thisProgram returns the path of the program that runs. On Linux it is good even when the file has
// been replaced by another version meanwhile, or was removed.
func thisProgram() (string, error) {
	if runtime.GOOS == "linux" {
		const self = "/proc/self/exe"
		if _, err := os.Stat(self); err == nil {
			return self, nil
		}
	}
	return os.Executable()
}
