package source_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/cmd/internal/source"
	"github.com/polyvoke/polyvoke/runtimes/script"
)

// record is the RECORD of a package with two modules, a part in machine code, and what pip adds.
const record = `fast-1.0.dist-info/RECORD,,
fast-1.0.dist-info/METADATA,sha256=x,1
fast/__init__.py,sha256=x,1
fast/__pycache__/__init__.cpython-311.pyc,,
fast/_speedups.cpython-311-x86_64-linux-gnu.so,sha256=x,1
../../bin/fast,sha256=x,1
/etc/passwd,sha256=x,1
`

// fastPackage has its files below a folder.
func fastPackage(below string) map[string]string {
	files := map[string]string{}
	for name, text := range map[string]string{
		"fast-1.0.dist-info/RECORD": record, "fast-1.0.dist-info/METADATA": "m", "fast/__init__.py": "x = 1",
		"fast/other.txt": "not in RECORD",
		"fast/__pycache__/__init__.cpython-311.pyc": "c", "fast/_speedups.cpython-311-x86_64-linux-gnu.so": "elf",
	} {
		files[below+name] = text
	}
	return files
}

// packaged is a script with packages, and what is deployed of them.
type packaged struct {
	about    string
	path     string // that is deployed
	below    string // where the package is
	more     map[string]string
	have     []string // files of the script
	lack     []string
	warnings []string // each in one warning, and no others
}

func TestPackages(t *testing.T) {
	for _, c := range []packaged{
		{
			about: "a script alone, its packages beside it", path: "main.py",
			more: map[string]string{"private.txt": "p", "other.py": "o"},
			have: []string{"main.py", "fast/__init__.py", "fast-1.0.dist-info/METADATA"},
			lack: []string{"private.txt", "other.py", "fast/other.txt", "fast/__pycache__/__init__.cpython-311.pyc",
				"fast/_speedups.cpython-311-x86_64-linux-gnu.so"},
			warnings: []string{"fast/_speedups.cpython-311-x86_64-linux-gnu.so: left out"},
		},
		{
			about: "a script alone, its packages in a folder", path: "main.py", below: "packages/",
			more: map[string]string{"packages/mine.txt": "m", "other/x.py": "x"},
			have: []string{"main.py", "packages/fast/__init__.py"}, lack: []string{"packages/mine.txt", "other/x.py"},
			warnings: []string{"packages/fast/_speedups."},
		},
		{
			about: "a folder that is all a script", path: ".",
			more: map[string]string{"polyvoke.toml": `script = "main.py"`, "other.py": "o"},
			have: []string{"main.py", "other.py", "fast/other.txt"},
			lack: []string{"polyvoke.toml", "fast/__pycache__/__init__.cpython-311.pyc"}, warnings: []string{"fast/_speedups."},
		},
		{
			about: "packages that are hidden", path: "main.py", below: ".venv/", have: []string{"main.py"},
			lack: []string{".venv/fast/__init__.py"},
		},
		{
			about: "another language beside the packages", path: "main.lua", more: map[string]string{"main.lua": "x"},
			have: []string{"main.lua"}, lack: []string{"fast/__init__.py"},
		},
		{
			about: "packages that are only named", path: "main.py", below: "none/deep/",
			more: map[string]string{"requirements.txt": "# my packages\n\nfast>=1\n"},
			have: []string{"main.py"}, lack: []string{"requirements.txt"},
			warnings: []string{"requirements.txt names packages, and none is installed beside the script: " +
				"pip install --target "},
		},
		{
			about: "no packages are needed", path: "main.py", below: "none/deep/",
			more: map[string]string{"requirements.txt": "# none\n--index-url x\n"}, have: []string{"main.py"},
		},
	} {
		t.Run(c.about, c.check)
	}
}

// check reads the script, and looks at its files and warnings.
func (c packaged) check(t *testing.T) {
	dir := t.TempDir()
	files := fastPackage(c.below)
	files["main.py"] = "import fast"
	for name, text := range c.more {
		files[name] = text
	}
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	src, err := source.Read(filepath.Join(dir, c.path), "", "")
	if err != nil {
		t.Fatal(err)
	}
	packed, err := script.Parse(src.Code)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Concat(c.have, c.lack) {
		f, err := packed.Files().Open(name)
		if err == nil {
			f.Close()
		}
		if want := slices.Contains(c.have, name); (err == nil) != want {
			t.Errorf("%s is in the script: %v, want %v", name, err == nil, want)
		}
	}
	if len(src.Warnings) != len(c.warnings) {
		t.Fatalf("the warnings are %q, want %q", src.Warnings, c.warnings)
	}
	for i, w := range c.warnings {
		if !strings.Contains(src.Warnings[i], w) {
			t.Errorf("the warning is %q, want in it %q", src.Warnings[i], w)
		}
	}
}
