package wasi

import (
	"fmt"
	"os"
	"runtime"

	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/tetratelabs/wazero"
)

// Config is what a [Runtime] is made from. The zero value works.
type Config struct {
	// CacheDir is a folder for compiled modules, made if it does not exist. Empty means that
	// they are kept in memory only. It holds native code that is run as it is: it must not be
	// writable by anybody else.
	CacheDir string

	// MaxMemory is the most memory in bytes that Options.Memory may allow a process, below
	// 4 GiB. 0 means 1 GiB.
	MaxMemory uint64

	// Idle is how many memories of processes that have ended are kept for the next ones. 0 means
	// four for each processor, a negative number none.
	Idle int
}

// defaultMaxMemory is MaxMemory if it is 0.
const defaultMaxMemory = 1 << 30

// check returns an error that names a field.
func (c Config) check() error {
	if c.MaxMemory > enginePages*module.PageSize {
		return fmt.Errorf("MaxMemory is %d bytes, but no more than %d are possible", c.MaxMemory, uint64(enginePages)*module.PageSize)
	}
	return nil
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
		return nil, fmt.Errorf("CacheDir: %s can be written by others (mode %04o), who could put code into it: chmod go-w", c.CacheDir, mode)
	}
	cache, err := wazero.NewCompilationCacheWithDir(c.CacheDir)
	if err != nil {
		return nil, fmt.Errorf("CacheDir: %w", err)
	}
	return cache, nil
}
