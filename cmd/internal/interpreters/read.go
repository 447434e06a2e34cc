package interpreters

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/runtimes/script"
)

// Read reads the runtime that was named: one of this machine, a bundle, its unpacked folder, or a module, which info
// describes. The error is an *exit.Error.
func Read(what string, info script.Info) ([]byte, error) {
	bundle, err := func() ([]byte, error) {
		if filepath.Ext(what) == ".wasm" {
			return wrapModule(what, info)
		}
		if d, err := os.Stat(what); err == nil && d.IsDir() {
			return script.PackBundle(os.DirFS(what))
		}
		if filepath.Ext(what) == ".zip" {
			return readBundle(what)
		}
		b, err := Here().Get(what)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("it is neither a file, nor a folder, nor a runtime on this machine: %s", Remedy(what))
		}
		return b, err
	}()
	if err != nil {
		return nil, &exit.Error{Code: exit.Failed, Msg: fmt.Sprintf("%s: %v", what, err), Err: err}
	}
	return bundle, nil
}

// readBundle reads a file that should be a bundle, which is checked later.
func readBundle(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, script.MaxBundle)
}

// readAll reads all of r, which must not be longer than most.
func readAll(r io.Reader, most int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("it is larger than the %d MiB allowed", most>>20)
	}
	return b, err
}

// wrapModule makes a bundle of an interpreter that is only a module.
func wrapModule(path string, info script.Info) ([]byte, error) {
	module, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if info.Name == "" {
		info.Name = strings.TrimSuffix(filepath.Base(path), ".wasm")
	}
	if info.Language == "" {
		info.Language = info.Name
	}
	return script.WrapBundle(info, module)
}
