package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// compileModule is the subcommand with which serve starts this binary to have a module compiled.
const compileModule = "compile-module"

// compileModuleCommand compiles one module, on behalf of a service. It is not for people.
func (c *cli) compileModuleCommand() *cobra.Command {
	return &cobra.Command{
		Use:                compileModule,
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if code := wasi.CompileChild(cmd.Context(), args, c.stdin, c.stderr); code != 0 {
				return &exitError{code: code}
			}
			return nil
		},
	}
}

// compileLimits are what the compilation of one module may take.
type compileLimits struct {
	timeout time.Duration
	memory  string // as protocol.ParseSize reads it, or "" for the default
	module  string // size of the largest module, likewise
}

// addTo adds the flags.
func (l *compileLimits) addTo(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&l.timeout, "compile-timeout", time.Minute, "how long compiling one module may take")
	cmd.Flags().StringVar(&l.memory, "compile-memory", "1GiB", "most memory for compiling one module")
	cmd.Flags().StringVar(&l.module, "max-module", "16MiB", "size of the largest module, such as an interpreter")
}

// check refuses limits that mean nothing.
func (l *compileLimits) check(cmd *cobra.Command) error {
	if l.timeout <= 0 {
		return usageError(cmd, "--compile-timeout %s: it must be longer than zero", l.timeout)
	}
	m, err := protocol.ParseSize(l.memory)
	if err == nil && m < 64<<20 {
		err = fmt.Errorf("%s is too little for any module: 64MiB or more", m)
	}
	if err != nil {
		return usageError(cmd, "--compile-memory: %v", err)
	}
	if m, err = protocol.ParseSize(l.module); err == nil && (m < 1<<10 || m > protocol.MaxModule) {
		err = fmt.Errorf("%s is not between 1KiB and %s", m, protocol.MaxModule)
	}
	if err != nil {
		return usageError(cmd, "--max-module: %v", err)
	}
	return nil
}

// maxModule returns the size of the largest module in bytes.
func (l *compileLimits) maxModule() int64 {
	size, _ := protocol.ParseSize(l.module) // check has read it; 0 is the default
	return int64(size)
}

// maxInterpreter is the size of the largest interpreter, in bytes. Operators add these, and few.
const maxInterpreter = 64 << 20

// sandbox returns a runtime with a configuration, whose modules are compiled by children, into the folder that is
// named or the user's or, if there is none, one that close removes.
func (c *cli) sandbox(ctx context.Context, cache string, l compileLimits, config wasi.Config) (rt *wasi.Runtime, close func(), err error) {
	self, err := thisProgram()
	if err != nil {
		return nil, nil, fmt.Errorf("find this program, which compiles modules: %w", err)
	}
	dir, remove := c.cacheDir(cache), func() {}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "polyvoke-modules-"); err != nil {
			return nil, nil, err
		}
		remove = func() { os.RemoveAll(dir) }
	}
	memory, _ := protocol.ParseSize(l.memory) // check has read it; 0 is the default
	config.CacheDir, config.MaxMemory, config.MaxModule = dir, uint64(protocol.MaxMemory), int(max(l.maxModule(), maxInterpreter))
	config.Compiler, config.CompileTimeout, config.CompileMemory = []string{self, compileModule}, l.timeout, uint64(memory)
	if rt, err = wasi.New(ctx, config); err != nil {
		remove()
		return nil, nil, fmt.Errorf("sandbox: %w: is the folder of --cache writable?", err)
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
