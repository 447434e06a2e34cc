package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"
	"github.com/spdx/tools-golang/spdxlib"
)

// made returns the folder of a release: the one that RELEASE names, which make has built, or else one for this
// machine's architecture that is built now.
var made = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("RELEASE"); dir != "" {
		return dir, nil
	}
	dir, err := os.MkdirTemp("", "polyvoke-release-")
	if err != nil {
		return "", err
	}
	var log bytes.Buffer
	args := []string{"-out", dir, "-platforms", "linux/" + runtime.GOARCH, "-pgo", "off",
		"-runtimes", filepath.Join("testdata", "runtimes")}
	if err := run(context.Background(), args, &log, &log); err != nil {
		return dir, fmt.Errorf("%w\n%s", err, log.Bytes())
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := made(); err == nil && os.Getenv("RELEASE") == "" {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// folder returns the folder of the release.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := made()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// built returns the binaries of the release, by the name of their platform.
func built(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder(t), "bin", "*", "polyvoke*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no binaries in %s: %v", folder(t), err)
	}
	all := map[string]string{}
	for _, p := range paths {
		all[filepath.Base(filepath.Dir(p))] = p
	}
	return all
}

// own returns the binary that runs here.
func own(t *testing.T) string {
	t.Helper()
	path, ok := built(t)[platform{runtime.GOOS, runtime.GOARCH}.name()]
	if !ok {
		t.Fatalf("no binary for %s/%s in %s", runtime.GOOS, runtime.GOARCH, folder(t))
	}
	return path
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string // part of the error
	}{
		{[]string{"x"}, `"x" is not a flag`},
		{[]string{"-platforms", "linux"}, `"linux" is not a platform`},
		{[]string{"-platforms", " "}, "names none"},
		{[]string{"-version", "1.2.3", "-out", t.TempDir()}, `"1.2.3" is not a version`},
		{[]string{"-version", "v1.2.3", "-source", t.TempDir(), "-out", t.TempDir()}, "a release is made in a Git work tree"},
	} {
		err := run(t.Context(), tt.args, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want ...%s...", tt.args, err, tt.want)
		}
	}
}

func TestVersionIsLinkedIn(t *testing.T) {
	head, err := exec.Command("git", "log", "-1", "--format=%H").Output()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(own(t), "version", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Version, Commit, Date, Go, OS, Arch string }
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if got.Commit != strings.TrimSpace(string(head)) || !semVer.MatchString("v"+got.Version) || got.Date == "" ||
		got.Go == "" || got.OS != runtime.GOOS || got.Arch != runtime.GOARCH {
		t.Errorf("polyvoke version says %s, of commit %s", out, head)
	}
}

func TestBinariesAreStatic(t *testing.T) {
	for name, path := range built(t) {
		if !strings.HasPrefix(name, "polyvoke-linux") {
			continue // elsewhere the system's libraries are the interface
		}
		f, err := elf.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range f.Progs {
			if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
				t.Errorf("%s is linked dynamically: it has a %s", name, p.Type)
			}
		}
		f.Close()
	}
}

func TestBinariesHaveNoPathOfTheBuilder(t *testing.T) {
	source, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range built(t) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(source+string(filepath.Separator))) {
			t.Errorf("%s holds the path %s: another folder would give other bytes", name, source)
		}
	}
}

func TestSums(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(folder(t), "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{"SHA256SUMS": true}
	for line := range strings.Lines(string(text)) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		b, err := os.ReadFile(filepath.Join(folder(t), name))
		if err != nil || !ok {
			t.Fatalf("%q: %v", line, err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(b)); got != sum {
			t.Errorf("%s has the checksum %s, and SHA256SUMS says %s", name, got, sum)
		}
		named[name] = true
	}
	files, err := os.ReadDir(folder(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !f.IsDir() && !named[f.Name()] {
			t.Errorf("SHA256SUMS does not name %s", f.Name())
		}
	}
	if !named[imageFile] || !named[billFile] {
		t.Errorf("SHA256SUMS names %v", named)
	}
}

func TestArchives(t *testing.T) {
	for name, path := range built(t) {
		t.Run(name, func(t *testing.T) {
			program, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files := unpacked(t, filepath.Join(folder(t), name))
			if !bytes.Equal(files[name+"/"+filepath.Base(path)], program) {
				t.Error("the command in the archive is not the one that was built")
			}
			parts := map[string]string{"LICENSE": "Apache License", "README.md": "# polyvoke",
				noticesFile: "tetratelabs/wazero v"}
			for file, part := range parts {
				if !bytes.Contains(files[name+"/"+file], []byte(part)) {
					t.Errorf("%s in the archive does not say %q", file, part)
				}
			}
		})
	}
}

// unpacked returns the files of an archive, which ends as is usual on its platform. A program must be executable.
func unpacked(t *testing.T, path string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	add := func(name string, mode os.FileMode, r io.Reader) {
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if files[name] = b; strings.HasPrefix(filepath.Base(name), "polyvoke") && !mode.IsDir() && mode&0o111 != 0o111 {
			t.Errorf("%s has mode %s", name, mode)
		}
	}
	if strings.Contains(path, "windows") {
		z, err := zip.OpenReader(path + ".zip")
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			add(f.Name, f.Mode(), r)
		}
		return files
	}
	packed, err := os.ReadFile(path + ".tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(plain); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		} else if err != nil {
			t.Fatal(err)
		}
		add(h.Name, h.FileInfo().Mode(), r)
	}
}

// allowed are the licences that polyvoke can be passed on with, under its own.
var allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"}

func TestBill(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(folder(t), billFile))
	if err != nil {
		t.Fatal(err)
	}
	var doc v2_3.Document
	if err := spdxjson.ReadInto(bytes.NewReader(text), &doc); err != nil {
		t.Fatal(err)
	}
	if err := spdxlib.ValidateDocument(&doc); err != nil {
		t.Fatal(err)
	}
	packages := map[string]*v2_3.Package{}
	for _, p := range doc.Packages {
		packages[string(p.PackageSPDXIdentifier)] = p
		if p.PackageDownloadLocation == "" || p.PackageVersion == "" || len(p.PackageExternalReferences) != 1 {
			t.Errorf("the package %s is not whole: %+v", p.PackageName, p)
		}
		for license := range strings.SplitSeq(p.PackageLicenseDeclared, " AND ") {
			if !slices.Contains(allowed, license) {
				t.Errorf("%s has the licence %s: may it be passed on with polyvoke?", p.PackageName, license)
			}
		}
	}
	links := map[string]bool{}
	for _, r := range doc.Relationships {
		links[string(r.RefA.ElementRefID)+" "+r.Relationship+" "+string(r.RefB.ElementRefID)] = true
	}
	for name, path := range built(t) {
		checkBill(t, name, path, packages, links)
	}
}

// checkBill checks that a bill has a binary, and each module that go version -m lists for it.
func checkBill(t *testing.T, name, path string, packages map[string]*v2_3.Package, links map[string]bool) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	id := strings.TrimPrefix(spdxID(name), "SPDXRef-")
	p := packages[id]
	if p == nil || !links["DOCUMENT DESCRIBES "+id] || p.PackageChecksums[0].Value != fmt.Sprintf("%x", sha256.Sum256(b)) {
		t.Fatalf("the bill does not describe %s: %+v", name, p)
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	modules := modulesOf(info)
	if len(modules) < 10 {
		t.Errorf("%s has only %d modules", name, len(modules))
	}
	for _, m := range modules {
		to := strings.TrimPrefix(m.id(), "SPDXRef-")
		if m := packages[to]; m == nil || !links[id+" STATIC_LINK "+to] {
			t.Errorf("the bill does not say that %s has %s", name, to)
		}
	}
}

func TestRuntimesArePublished(t *testing.T) {
	if os.Getenv("RELEASE") != "" {
		return // make may have built none
	}
	if _, err := os.Stat(filepath.Join(folder(t), "none.runtime.zip")); err != nil {
		t.Error(err)
	}
}

// TestPackagingIsReproducible packs what pretends to be the command of several platforms, twice, in two folders.
func TestPackagingIsReproducible(t *testing.T) {
	info, err := buildinfo.ReadFile(own(t))
	if err != nil {
		t.Fatal(err)
	}
	pack := func() *release {
		o, err := parse([]string{"-out", t.TempDir(), "-version", "v1.2.3"}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		r, err := newRelease(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range r.platforms {
			path := filepath.Join(t.TempDir(), "polyvoke")
			if p.os == "windows" {
				path += ".exe"
			}
			if err := os.WriteFile(path, []byte("the command for "+p.String()), 0o755); err != nil {
				t.Fatal(err)
			}
			r.binaries = append(r.binaries, &binary{p, path, info})
		}
		for _, step := range []func(context.Context) error{r.notices, r.archives, r.image, r.bill, r.sums} {
			if err := step(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		return r
	}
	a, b := pack(), pack()
	for _, name := range a.files {
		one, err1 := os.ReadFile(filepath.Join(a.out, name))
		two, err2 := os.ReadFile(filepath.Join(b.out, name))
		if err1 != nil || err2 != nil || !bytes.Equal(one, two) {
			t.Errorf("%s is not the same twice: %v, %v", name, err1, err2)
		}
	}
	if want := len(a.platforms) + 3; len(a.files) != want {
		t.Errorf("%d files were written, and not %d: %v", len(a.files), want, a.files)
	}
	files := unpacked(t, filepath.Join(a.out, "polyvoke-windows-arm64"))
	if got := files["polyvoke-windows-arm64/polyvoke.exe"]; string(got) != "the command for windows/arm64" {
		t.Errorf("the archive for Windows has %q", got)
	}
}

func TestNoImageWithoutLinux(t *testing.T) {
	r := &release{options: &options{out: t.TempDir(), version: "v1.2.3"},
		binaries: []*binary{{platform: platform{"windows", "amd64"}}}}
	if err := r.image(t.Context()); err != nil || len(r.files) > 0 {
		t.Errorf("%v was published, with the error %v", r.files, err)
	}
}
