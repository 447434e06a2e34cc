package unmodified_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// pathlibScript runs tests of CPython's pathlib that make files, where the place is.
const pathlibScript = `
import os, sys, unittest
os.environ["TMPDIR"] = "/kv/b"
os.chdir("/kv/b")
from test.support import os_helper
os_helper.TESTFN = os_helper.TESTFN_ASCII = "test_tmp" # instead of @test_42_tmp and a letter that is not ASCII: no key
from test.test_pathlib import test_pathlib
suite = unittest.defaultTestLoader.loadTestsFromTestCase(test_pathlib.PosixPathTest)
unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
`

// filesScript does what programs in Python do with files besides.
const filesScript = `
import csv, json, os, shelve, shutil, tempfile, zipfile, tarfile, pathlib
root = pathlib.Path("/kv/b/work")
(root / "in" / "deep").mkdir(parents=True)
for i in range(20):
    (root / "in" / f"f{i}.txt").write_text("line\n" * i)
with open(root / "table.csv", "w", newline="") as f:
    csv.writer(f).writerows([["a", 1], ["b", 2]])
with open(root / "table.csv", newline="") as f:
    assert list(csv.reader(f)) == [["a", "1"], ["b", "2"]]
(root / "doc.json").write_text(json.dumps({"x": [1, 2, 3]}))
assert json.loads((root / "doc.json").read_text())["x"][2] == 3
with tempfile.NamedTemporaryFile("w", dir=root, delete=False) as f:
    f.write("new")
os.replace(f.name, root / "replaced")
shutil.copytree(root / "in", root / "copy")
with zipfile.ZipFile(root / "all.zip", "w", zipfile.ZIP_DEFLATED) as z:
    for p in sorted((root / "in").rglob("*.txt")):
        z.write(p, p.relative_to(root))
with zipfile.ZipFile(root / "all.zip") as z:
    z.extractall(root / "unzipped")
    assert z.testzip() is None
with tarfile.open(root / "all.tgz", "w:gz") as t:
    t.add(root / "in", "in")
with tarfile.open(root / "all.tgz") as t:
    t.extractall(root / "untarred", filter="data")
shutil.rmtree(root / "copy")
print(sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()))
`

// pythonDiffers are the tests of pathlib that end otherwise than on a folder, and why.
var pythonDiffers = map[string]string{}

// pythonVerdict finds what came of a test.
var pythonVerdict = regexp.MustCompile(`(?m)^(test_\w+) \([^)]*\)(?:\n.*?)? \.\.\. (ok|FAIL|ERROR|skipped)`)

// TestPython runs CPython's tests of pathlib, and a script that uses files in many ways, on each place. PYTHON_WASM is
// the module of the runtime python, and PYTHON_LIB the folder Lib of its source with what the recipe adds.
func TestPython(t *testing.T) {
	file, lib := os.Getenv("PYTHON_WASM"), os.Getenv("PYTHON_LIB")
	if file == "" || lib == "" {
		t.Skip("PYTHON_WASM and PYTHON_LIB are not set")
	}
	module, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	program := func(script string) job {
		return job{at: "/kv/b", args: []string{"python"}, time: 10 * time.Minute, program: w.compile(module, "/kv/b",
			runtimes.Mount{Path: "/runtime/lib", Tree: files.FS(os.DirFS(lib))},
			runtimes.Mount{Path: "/script", Tree: files.Static(
				files.Map{".polyvoke/entry": []byte("main.py\n"), "main.py": []byte(script)})})}
	}
	uses, tests := program(filesScript), program(pathlibScript)
	var listed string
	var want map[string]string
	for _, p := range places() {
		s := w.scene(p)
		o := s.run(uses)
		if o.exit != 0 || o.err != nil {
			t.Errorf("%s: %v", p.name, o)
		}
		if p.name == folder {
			listed = o.stdout
		} else if o.stdout != listed {
			t.Errorf("%s: there are %s, on a folder %s", p.name, o.stdout, listed)
		}
		s = w.scene(p)
		o = s.run(tests)
		got := map[string]string{}
		for _, m := range pythonVerdict.FindAllStringSubmatch(o.stdout, -1) {
			got[m[1]] = m[2]
		}
		if len(got) < 50 {
			t.Errorf("%s: %v: %s", p.name, o, lastLines(o.stdout))
			continue
		}
		if p.name == folder {
			want = got
			t.Logf("%d tests of pathlib, on a folder %v", len(got), count(got))
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if why := pythonDiffers[name]; (got[name] != want[name]) != (why != "") {
				t.Errorf("%s: %s: %s, on a folder %s, expected because %q", p.name, name, got[name], want[name], why)
			}
		}
	}
}
