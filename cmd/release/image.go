package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

const (
	imageFile = "polyvoke-image.tar"
	imageName = "ghcr.io/polyvoke/polyvoke"
	imageUser = 65532 // nobody's by custom: distroless images run as it
	dataDir   = "/var/lib/polyvoke"
)

// image writes the container image, an index of those for Linux, as the archive of an OCI image layout
// (https://github.com/opencontainers/image-spec/blob/main/image-layout.md): podman load and docker load take it, and
// skopeo copies it to a registry. It needs no container engine to be made. Without a binary for Linux there is none.
func (r *release) image(context.Context) error {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, b := range r.binaries {
		if b.os != "linux" {
			continue
		}
		img, err := r.imageOf(b)
		if err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: b.os, Architecture: b.arch}}})
	}
	if !slices.ContainsFunc(r.binaries, func(b *binary) bool { return b.os == "linux" }) {
		return nil // there is nothing to be in it
	}
	index = mutate.Annotations(index, r.labels()).(v1.ImageIndex)
	dir, err := os.MkdirTemp("", "polyvoke-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	tag := r.version[1:]
	if err := path.AppendIndex(index, layout.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": tag, "io.containerd.image.name": imageName + ":" + tag})); err != nil {
		return err
	}
	data, err := r.folder(dir)
	if err != nil {
		return err
	}
	return r.publish(imageFile, data)
}

// folder returns a tar archive of a folder.
func (r *release) folder(dir string) ([]byte, error) {
	var entries []entry
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || path == ".":
			return err
		case d.IsDir():
			entries = append(entries, entry{name: path + "/", mode: 0o755})
			return nil
		}
		b, err := os.ReadFile(filepath.Join(dir, path))
		entries = append(entries, entry{name: path, mode: 0o644, data: b})
		return err
	})
	if err != nil {
		return nil, err
	}
	return tarred(entries, r.date)
}

// imageOf returns the image of one platform: the command, and nothing else but what it reads.
func (r *release) imageOf(b *binary) (v1.Image, error) {
	program, err := os.ReadFile(b.path)
	if err != nil {
		return nil, err
	}
	system, err := r.layer(systemFiles())
	if err != nil {
		return nil, err
	}
	command, err := r.layer([]entry{
		{name: "usr/", mode: 0o755}, {name: "usr/local/", mode: 0o755}, {name: "usr/local/bin/", mode: 0o755},
		{name: "usr/local/bin/polyvoke", mode: 0o755, data: program},
		{name: "licenses/", mode: 0o755}, {name: "licenses/" + noticesFile, mode: 0o644, data: noticesOf(r.modulesIn(b))}})
	if err != nil {
		return nil, err
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	history := func(l v1.Layer, what string) mutate.Addendum {
		return mutate.Addendum{Layer: l, MediaType: types.OCILayer,
			History: v1.History{Created: v1.Time{Time: r.date}, CreatedBy: what}}
	}
	img, err = mutate.Append(img,
		history(system, "certificates, a user, folders"), history(command, "polyvoke "+r.version))
	if err != nil {
		return nil, err
	}
	return r.configure(img, b.platform)
}

// layer returns a layer with some files.
func (r *release) layer(entries []entry) (v1.Layer, error) {
	plain, err := tarred(entries, r.date)
	if err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(plain)), nil },
		tarball.WithMediaType(types.OCILayer))
}

// configure says how the image is run. What polyvoke writes is in one volume, so that all else can be read only.
func (r *release) configure(img v1.Image, p platform) (v1.Image, error) {
	c, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	c = c.DeepCopy()
	c.OS, c.Architecture, c.Created = p.os, p.arch, v1.Time{Time: r.date}
	c.Config = v1.Config{
		User:       "65532:65532",
		Entrypoint: []string{"/usr/local/bin/polyvoke"},
		// Without credentials it says that it needs some: what is reached from outside must not be open to all by default.
		Cmd: []string{"serve", "--listen", "0.0.0.0:4222"},
		Env: []string{"PATH=/usr/local/bin", "HOME=" + dataDir,
			"XDG_DATA_HOME=" + dataDir + "/data", "XDG_CACHE_HOME=" + dataDir + "/cache"},
		WorkingDir:   dataDir,
		Volumes:      map[string]struct{}{dataDir: {}},
		ExposedPorts: map[string]struct{}{"4222/tcp": {}, "8080/tcp": {}},
		StopSignal:   "SIGTERM",
		Labels:       r.labels(),
	}
	return mutate.ConfigFile(img, c)
}

// labels returns what the image says of itself
// (https://github.com/opencontainers/image-spec/blob/main/annotations.md).
func (r *release) labels() map[string]string {
	labels := map[string]string{
		"title":         "polyvoke",
		"description":   "Serverless functions on NATS: any WebAssembly program answers messages",
		"url":           "https://github.com/polyvoke/polyvoke",
		"source":        "https://github.com/polyvoke/polyvoke",
		"documentation": "https://github.com/polyvoke/polyvoke#readme",
		"version":       r.version[1:],
		"revision":      r.commit,
		"created":       r.date.Format(time.RFC3339),
		"licenses":      "Apache-2.0",
	}
	all := map[string]string{}
	for key, value := range maps.All(labels) {
		all["org.opencontainers.image."+key] = value
	}
	return all
}

// systemFiles returns what a program expects of a system: who it is, whom to trust, where to write.
func systemFiles() []entry {
	const users = "root:x:0:0:root:/:/sbin/nologin\npolyvoke:x:65532:65532:polyvoke:" + dataDir + ":/sbin/nologin\n"
	folder := func(name string) entry { return entry{name: name, mode: 0o755} }
	return []entry{
		folder("etc/"),
		{name: "etc/passwd", mode: 0o644, data: []byte(users)},
		{name: "etc/group", mode: 0o644, data: []byte("root:x:0:\npolyvoke:x:65532:\n")},
		folder("etc/ssl/"), folder("etc/ssl/certs/"),
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, data: certificates()},
		{name: "tmp/", mode: 0o1777},
		folder("var/"), folder("var/lib/"),
		{name: dataDir[1:] + "/", mode: 0o700, user: imageUser},
	}
}

// certificates returns the roots that Mozilla trusts without a condition: a file of certificates cannot say conditions.
func certificates() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
		}
	}
	return out.Bytes()
}
