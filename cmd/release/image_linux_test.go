package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// index returns the index of images that is in the release.
func index(t *testing.T) v1.ImageIndex {
	t.Helper()
	f, err := os.Open(filepath.Join(folder(t), imageFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dir := t.TempDir()
	untar(t, f, dir, 0o755)
	outer, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := outer.IndexManifest()
	if err != nil || len(m.Manifests) != 1 || !m.Manifests[0].MediaType.IsIndex() ||
		m.Manifests[0].Annotations["org.opencontainers.image.ref.name"] == "" {
		t.Fatalf("the layout must have one index with a name: %+v, %v", m, err)
	}
	inner, err := outer.ImageIndex(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(inner); err != nil {
		t.Fatal(err)
	}
	return inner
}

// images returns the images of the release by architecture.
func images(t *testing.T) map[string]v1.Image {
	t.Helper()
	all := index(t)
	m, err := all.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	images := map[string]v1.Image{}
	for _, d := range m.Manifests {
		img, err := all.Image(d.Digest)
		if err != nil || d.Platform == nil || d.Platform.OS != "linux" {
			t.Fatalf("%+v: %v", d, err)
		}
		images[d.Platform.Architecture] = img
	}
	return images
}

// untar unpacks an archive into a folder. Folders get a mode, if they are not open to everybody or somebody's own.
func untar(t *testing.T, from io.Reader, dir string, mode os.FileMode) {
	t.Helper()
	type later struct {
		path string
		mode os.FileMode
	}
	var folders []later
	for r := tar.NewReader(from); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o755)
			if h.Uid != 0 {
				folders = append(folders, later{path, 0o700})
				if os.Getuid() == 0 && err == nil {
					err = os.Chown(path, h.Uid, h.Gid)
				}
			} else {
				folders = append(folders, later{path, mode})
			}
		} else {
			var b []byte
			if b, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, b, h.FileInfo().Mode())
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range folders {
		if err := os.Chmod(f.path, f.mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { // what is read only cannot be removed
		for _, f := range folders {
			os.Chmod(f.path, 0o755)
		}
	})
}

func TestImageConfig(t *testing.T) {
	all := images(t)
	for arch, img := range all {
		c, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if c.OS != "linux" || c.Architecture != arch || len(c.RootFS.DiffIDs) != 2 || len(c.History) != 2 {
			t.Errorf("%s: the image is of %s/%s with %d layers and %d steps", arch,
				c.OS, c.Architecture, len(c.RootFS.DiffIDs), len(c.History))
		}
		_, nats := c.Config.ExposedPorts["4222/tcp"]
		_, http := c.Config.ExposedPorts["8080/tcp"]
		_, data := c.Config.Volumes[dataDir]
		if c.Config.User != "65532:65532" ||
			!slices.Equal(c.Config.Entrypoint, []string{"/usr/local/bin/polyvoke"}) || !nats || !http || !data {
			t.Errorf("%s: the image is run so: %+v", arch, c.Config)
		}
		for _, label := range []string{"title", "version", "revision", "created", "source", "licenses"} {
			if c.Config.Labels["org.opencontainers.image."+label] == "" {
				t.Errorf("%s: there is no label %s", arch, label)
			}
		}
	}
	for name := range built(t) {
		if arch, ok := strings.CutPrefix(name, "polyvoke-linux-"); ok && all[arch] == nil {
			t.Errorf("no image for linux/%s", arch)
		}
	}
}

// container is an image that has been unpacked, and whose command runs as a plain process: as the image's user where
// the test may do that, and else as the test's user. The paths of its environment are below the unpacked root, and of
// what is there it can write to its volume only: not even to /tmp.
type container struct {
	root string
	c    *v1.ConfigFile
	log  bytes.Buffer // what serve writes
}

// unpack returns the image for this machine as a container.
func unpack(t *testing.T) *container {
	t.Helper()
	img := images(t)[runtime.GOARCH]
	if img == nil {
		t.Fatalf("no image for linux/%s", runtime.GOARCH)
	}
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	files := mutate.Extract(img)
	defer files.Close()
	root := t.TempDir()
	for dir := root; dir != os.TempDir() && len(dir) > 1; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	untar(t, files, root, 0o555)
	return &container{root: root, c: c}
}

// command returns the image's entry point with arguments.
func (c *container) command(t *testing.T, args ...string) *exec.Cmd {
	entry := c.c.Config.Entrypoint[0]
	cmd := exec.CommandContext(t.Context(), entry, append(c.c.Config.Entrypoint[1:], args...)...)
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: imageUser, Gid: imageUser}}
	}
	cmd.Path, cmd.Dir, cmd.Err = filepath.Join(c.root, entry), filepath.Join(c.root, c.c.Config.WorkingDir), nil
	cmd.Env = nil
	for _, variable := range append(c.c.Config.Env, "TMPDIR=/tmp") {
		cmd.Env = append(cmd.Env, strings.Replace(variable, "=", "="+c.root, 1))
	}
	return cmd
}

// output returns what a command prints, which must end well.
func (c *container) output(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.command(t, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("polyvoke %s: %v\n%s\nserve says:\n%s", strings.Join(args, " "), err, out, c.log.Bytes())
	}
	return string(out)
}

var served = regexp.MustCompile(`serves 0 functions on (nats://127\.0\.0\.1:\d+)`)

// serve serves in the container until the test ends, and returns where.
func (c *container) serve(t *testing.T) string {
	t.Helper()
	cmd := c.command(t, "serve", "--listen", "127.0.0.1:0")
	cmd.Stderr, cmd.WaitDelay = &c.log, time.Minute
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // by now the context has told it to end
		if err := cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("polyvoke serve ended with %v\n%s", err, c.log.Bytes())
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	m := served.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("polyvoke serve says %q, %v", line, err)
	}
	return m[1]
}

func TestImageRuns(t *testing.T) {
	c := unpack(t)
	label := c.c.Config.Labels["org.opencontainers.image.version"]
	if got := c.output(t, "version"); !strings.HasPrefix(got, "polyvoke "+label+", commit ") {
		t.Errorf("polyvoke version says %q, and the image's label %q", got, label)
	}
	module, err := os.ReadFile("../../samples/greet/c/greet.wasm")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.root, dataDir, "greet.wasm"), module, 0o644); err != nil {
		t.Fatal(err)
	}
	url := c.serve(t)
	c.output(t, "deploy", "greet.wasm", "--server", url)
	if got := c.output(t, "call", "greet", `{"name":"Ada"}`, "--server", url); !strings.Contains(got, "Ada") {
		t.Errorf("the function answered %q", got)
	}
}

// TestImageIsNotOpen checks that what is reached from outside is not open to everybody only because nobody set
// anything.
func TestImageIsNotOpen(t *testing.T) {
	c := unpack(t)
	out, err := c.command(t, c.c.Config.Cmd...).CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("NATS_TOKEN")) && !bytes.Contains(out, []byte("--token")) {
		t.Errorf("without credentials polyvoke must say that it needs some: %v\n%s", err, out)
	}
}

func TestImageTrusts(t *testing.T) {
	c := unpack(t)
	pem, err := os.ReadFile(filepath.Join(c.root, "etc/ssl/certs/ca-certificates.crt"))
	if err != nil {
		t.Fatal(err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) || bytes.Count(pem, []byte("BEGIN CERTIFICATE")) < 80 {
		t.Errorf("the image trusts only %d certificates", bytes.Count(pem, []byte("BEGIN CERTIFICATE")))
	}
}
