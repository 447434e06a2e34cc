package interpreters

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/runtimes/script"
)

// Read reads the runtime that was named: one that was built here, a folder, or a module, which info describes. The
// error is an *exit.Error.
func Read(what string, info script.Info) ([]byte, error) {
	bundle, err := func() ([]byte, error) {
		if filepath.Ext(what) == ".wasm" {
			return wrapModule(what, info)
		}
		if d, err := os.Stat(what); err == nil && d.IsDir() {
			return script.PackBundle(os.DirFS(what))
		}
		folder, err := Default()
		if err != nil {
			return nil, err
		}
		b, err := folder.Get(what)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("it is neither a file nor a folder, and was not built here: polyvoke runtime build %s", what)
		}
		return b, err
	}()
	if err != nil {
		return nil, &exit.Error{Code: exit.Failed, Msg: fmt.Sprintf("%s: %v", what, err), Err: err}
	}
	return bundle, nil
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
