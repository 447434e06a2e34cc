package wasi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/wasi/compiler"
	"github.com/tetratelabs/wazero"
)

// Config is what a [Runtime] is made from. The zero value works.
type Config struct {
	// CacheDir is a folder for compiled modules, made if it does not exist. Empty means that
	// they are kept in memory only. It holds native code that is run as it is: it must not be
	// writable by anybody else.
	CacheDir string

	// Compiler is the command and first arguments of a process that compiles one module with
	// [CompileChild] and ends; it must be of this very binary, such as {os.Executable(), "compile-module"}.
	// Compiled modules come through CacheDir, which must be set. Nil means that modules are compiled in this process,
	// which a hostile one can occupy for hours and fill with garbage.
	Compiler []string

	// CompileTimeout is how much processor time such a process may take for a module of 16 MiB. Others have their
	// share of it, in proportion to their size, and a thirty-second part of it besides. 0 means two minutes.
	CompileTimeout time.Duration

	// CompileMemory is how much memory in bytes it may take; exact on Linux, a hint to Go's
	// collector elsewhere. 0 means 1 GiB.
	CompileMemory uint64

	// MaxModule is the size of the largest module in bytes. 0 means 16 MiB.
	MaxModule int

	// MaxMemory is the most memory in bytes that Options.Memory may allow a process, below
	// 4 GiB. 0 means 1 GiB.
	MaxMemory uint64

	// Idle is how many memories of sandboxes that have ended are kept for the next ones. 0 means
	// four for each processor, a negative number none.
	Idle int

	// IdleMemory is how much memory in bytes idle sandboxes of all programs may take together, by estimate, besides
	// what they share. Those that are longest idle end when it is more; until they have, it can be twice as much. 0
	// means 256 MiB.
	IdleMemory int64

	// StartTime is how long a process may take until it reads stdin for programs like it to be started before they
	// are needed. It is tried when the module is compiled, which takes that much longer. 0 means 3 seconds.
	StartTime time.Duration

	// Verify is after how many runs one is looked into: whether the sandbox was put back, byte by byte. 0 means
	// 1000; 1 looks into each.
	Verify int

	// Log records what should not happen. Nil means slog.Default().
	Log *slog.Logger
}

// What fields are if they are 0.
const (
	defaultMaxMemory      = 1 << 30
	defaultCompileTimeout = 2 * time.Minute
	defaultCompileMemory  = 1 << 30
	defaultIdleMemory     = 256 << 20
	defaultStartTime      = 3 * time.Second
	defaultVerify         = 1000
)

// leastCompileMemory is what a compiler needs for a module that does nothing, with room to spare.
const leastCompileMemory = 64 << 20

// check returns an error that names a field.
func (c Config) check() error {
	if c.MaxMemory > mostMemory {
		return fmt.Errorf("MaxMemory is %d bytes, but no more than %d are possible", c.MaxMemory, uint64(mostMemory))
	}
	switch {
	case c.IdleMemory < 0:
		return fmt.Errorf("IdleMemory is %d bytes: it must be more than zero, or 0 for %d", c.IdleMemory, defaultIdleMemory)
	case c.MaxModule < 0:
		return fmt.Errorf("MaxModule is %d bytes: it must be more than zero, or 0 for 16 MiB", c.MaxModule)
	case c.StartTime < 0:
		return fmt.Errorf("StartTime is %v: it must be more than zero, or 0 for %v", c.StartTime, defaultStartTime)
	case c.Verify < 0:
		return fmt.Errorf("the field Verify is %d: it must be 1 or more, or 0 for %d", c.Verify, defaultVerify)
	case c.Compiler == nil:
		return nil
	case len(c.Compiler) == 0 || c.Compiler[0] == "":
		return errors.New("the command of Compiler is missing: it is nil or a command and its arguments")
	case c.CacheDir == "":
		return errors.New("CacheDir is empty, but it is where Compiler puts what it makes: set it, or leave Compiler nil")
	case c.CompileTimeout < 0:
		return fmt.Errorf("CompileTimeout is %v: it must be more than zero, or 0 for %v",
			c.CompileTimeout, defaultCompileTimeout)
	case c.compileMemory() < leastCompileMemory || c.compileMemory() > 1<<50:
		return fmt.Errorf("CompileMemory is %d bytes: it must be %d or more, or 0 for %d",
			c.CompileMemory, leastCompileMemory, defaultCompileMemory)
	}
	return nil
}

// compileMemory is CompileMemory or what it stands for.
func (c Config) compileMemory() uint64 { return cmp.Or(c.CompileMemory, defaultCompileMemory) }

// newCompiler returns a compiler, or nil if none is configured or needed.
func (c Config) newCompiler(ctx context.Context) (*compiler.Compiler, error) {
	if c.Compiler == nil {
		return nil, nil
	}
	p, err := compiler.New(ctx, compiler.Config{Command: c.Compiler, Dir: c.CacheDir,
		Timeout: cmp.Or(c.CompileTimeout, defaultCompileTimeout), Memory: c.compileMemory(), Log: c.log()})
	if err != nil {
		return nil, fmt.Errorf("CacheDir: %w", err)
	}
	return p, nil
}

// maxMemory is MaxMemory or what it stands for.
func (c Config) maxMemory() uint64 {
	if c.MaxMemory == 0 {
		return defaultMaxMemory
	}
	return c.MaxMemory
}

// idle is Idle or what it stands for.
func (c Config) idle() int {
	if c.Idle == 0 {
		return 4 * runtime.GOMAXPROCS(0)
	}
	return max(c.Idle, 0)
}

// idleMemory is IdleMemory or what it stands for.
func (c Config) idleMemory() int64 { return cmp.Or(c.IdleMemory, defaultIdleMemory) }

// startTime is StartTime or what it stands for.
func (c Config) startTime() time.Duration { return cmp.Or(c.StartTime, defaultStartTime) }

// verify is Verify or what it stands for.
func (c Config) verify() uint64 { return uint64(cmp.Or(c.Verify, defaultVerify)) }

// log is Log or what it stands for.
func (c Config) log() *slog.Logger { return cmp.Or(c.Log, slog.Default()) }

// openCache opens the folder, if there is to be one.
func (c Config) openCache() (wazero.CompilationCache, error) {
	if c.CacheDir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(c.CacheDir, 0o700); err != nil {
		return nil, fmt.Errorf("CacheDir: %w", err)
	}
	info, err := os.Stat(c.CacheDir)
	if err != nil {
		return nil, fmt.Errorf("CacheDir: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("CacheDir: %s can be written by others (mode %04o), who could put code into it: chmod go-w",
			c.CacheDir, mode)
	}
	cache, err := wazero.NewCompilationCacheWithDir(c.CacheDir)
	if err != nil {
		return nil, fmt.Errorf("CacheDir: %w", err)
	}
	return cache, nil
}
