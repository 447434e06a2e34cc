package contestant

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// wasmtimeVersion is that of the package of PyPI.
const wasmtimeVersion = "50.0.1"

// Ahead is the name of wasmtime as it is fastest.
const Ahead = "wasmtime"

// wasmtimeAhead is wasmtime as it is fastest. Its newest version is packaged for Python only.
func wasmtimeAhead() Contestant {
	return Contestant{
		Name: Ahead,
		About: "wasmtime " + wasmtimeVersion + " by its package for Python: Cranelift optimizing for speed, compiled " +
			"before it is measured, a store and an instance for each call; nothing counts its work or ends it",
		Worker: WasmtimeCommand,
		One:    true,
	}
}

//go:embed wasmtime.py
var wasmtimeWorker []byte

// WasmtimeCommand writes the worker in Python into a folder, installs the package there if that has not been done, and
// returns the command that runs it.
func WasmtimeCommand(dir string) (name string, args []string, err error) {
	venv := filepath.Join(dir, "wasmtime-"+wasmtimeVersion)
	file, ready := filepath.Join(dir, "worker.py"), filepath.Join(venv, "ready")
	if err := os.WriteFile(file, wasmtimeWorker, 0o644); err != nil {
		return "", nil, err
	}
	python := filepath.Join(venv, "bin", "python")
	if _, err := os.Stat(ready); err == nil {
		return python, []string{file}, nil
	}
	for _, c := range [][]string{
		{"python3", "-m", "venv", venv},
		{python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "wasmtime==" + wasmtimeVersion},
	} {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			return "", nil, fmt.Errorf("wasmtime for Python cannot be installed: %s: %w: %s", c[0], err,
				strings.TrimSpace(string(out)))
		}
	}
	return python, []string{file}, errors.Join(os.WriteFile(ready, nil, 0o644))
}
