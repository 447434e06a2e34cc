package unmodified_test

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// goTests are the tests of Go's own packages that are run, by package: all that work on files that they make.
var goTests = map[string]string{
	"os": "^Test(Stat|StatError|Fstat|Lstat|Read0|ReadClosed|ReaddirnamesOneAtATime|ReaddirNValues|ReaddirStatFailures|" +
		"ReaddirOfFile|Rename|RenameOverwriteDest|RenameFailed|RenameNotExisting|RenameToDirFailed|RenameCaseDifference|" +
		"FTruncate|Truncate|TruncateNonexistentFile|Chtimes|ChtimesOmit|ChdirAndGetwd|Seek|SeekError|OpenError|OpenNoName|" +
		"StatDirWithTrailingSlash|SameFile|ReadAt|ReadAtOffset|ReadAtNegativeOffset|WriteAt|WriteAtNegativeOffset|" +
		"WriteAtInAppendMode|Append|ReadAtEOF|MkdirAll|RemoveAll|RemoveAllDot|RemoveAllDotDot|CreateTemp|MkdirTemp|" +
		"ReadFile|WriteFile|ReadDir|DirFS|DirFSPathsValid|CopyFS|FileRDWRFlags)$",
	"io/fs": ".",
}

// goAlone are the tests that fail on a folder too, and why.
var goAlone = map[string]string{
	"os.TestStat": systemFiles, "os.TestFstat": systemFiles, "os.TestLstat": systemFiles, "os.TestRead0": systemFiles,
	"os.TestReadClosed": systemFiles, "os.TestReadFile": ownSource, "os.TestReadDir": ownSource, "os.TestDirFS": ownSource,
	"os.TestCopyFS": ownSource, "io/fs.TestGlob": ownSource,
	"os.TestChtimesOmit": "a file has one time: that of access is that of the last change",
}

// Why tests fail everywhere.
const (
	systemFiles = "it reads files of the system, of which there are none"
	ownSource   = "it reads the folder of its own source"
)

// goDiffers are the tests that pass on a folder and fail in buckets: in those of kv, or in all.
var goDiffers = map[string]struct {
	kv  bool
	why string
}{
	"os.TestChtimes": {false, noTimes},
	"os.TestCreateTemp": {false,
		"it makes a file in a folder that does not exist, and a name makes the folders that lead to it"},
	"os.TestDirFSPathsValid": {true, "it makes a file with a colon and a backslash in its name, of which no key is made"},
}

// goVerdict finds what came of a test, those within it left out.
var goVerdict = regexp.MustCompile(`(?m)^--- (PASS|FAIL|SKIP): (\S+)`)

// TestGo runs the tests of Go's packages os and io/fs, compiled for WASI, with all files that they make in each place.
func TestGo(t *testing.T) {
	w := newWorld(t)
	for pkg, tests := range goTests {
		file := filepath.Join(t.TempDir(), "test.wasm")
		build := exec.Command("go", "test", "-c", "-vet=off", "-o", file, pkg)
		build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=-pgo=off")
		if ready := os.Getenv("GO_TESTS_" + strings.ToUpper(strings.ReplaceAll(pkg, "/", ""))); ready != "" {
			file = ready
		} else if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		module, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// What they read besides they find by no name that is absolute, so it is where they work.
		j := job{program: w.compile(module, "/kv/b"), at: "/kv/b",
			args: []string{"test", "-test.v", "-test.short", "-test.run", tests},
			env:  []string{"PWD=/kv/b", "TMPDIR=/kv/b/tmp", "HOME=/kv/b"}, time: 10 * time.Minute}
		var want map[string]string
		for _, p := range places() {
			s := w.scene(p)
			s.fill(map[string]string{"testdata/hello": "Hello, Gophers!\n", "tmp/x": "x"})
			o := s.run(j)
			got := map[string]string{}
			for _, m := range goVerdict.FindAllStringSubmatch(o.stdout, -1) {
				got[m[2]] = m[1]
			}
			if len(got) < 5 || o.exit < 0 {
				t.Errorf("%s, %s: %v: %s", pkg, p.name, o, lastLines(o.stdout))
				continue
			}
			if p.name == folder {
				want = got
				t.Logf("%s: %d tests, on a folder %v", pkg, len(got), count(got))
				for name, verdict := range got {
					if why := goAlone[pkg+"."+name]; (verdict == "FAIL") != (why != "") {
						t.Errorf("%s: %s on a folder: %s, expected because %q", pkg, name, verdict, why)
					}
				}
				continue
			}
			for _, name := range slices.Sorted(maps.Keys(want)) {
				expected := want[name]
				d := goDiffers[pkg+"."+name]
				if d.why != "" && (!d.kv || p.grant.KV != "") {
					expected = "FAIL"
				}
				if got[name] != expected {
					t.Errorf("%s, %s: %s: %s, want %s (%s):\n%s", pkg, p.name, name, got[name], expected, d.why,
						linesOf(o.stdout, name))
				}
			}
		}
	}
}

// count counts what there is of each.
func count(all map[string]string) map[string]int {
	n := map[string]int{}
	for _, v := range all {
		n[v]++
	}
	return n
}

// linesOf returns what a test has said.
func linesOf(text, name string) string {
	_, rest, _ := strings.Cut(text, "=== RUN   "+name+"\n")
	said, _, _ := strings.Cut(rest, "=== RUN   Test")
	return string(bytes.TrimSpace([]byte(said[:min(len(said), 1500)])))
}
