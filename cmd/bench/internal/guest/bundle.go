package guest

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	bundles "github.com/polyvoke/polyvoke/runtimes/script"
)

// unpack unpacks a bundle of an interpreter into a folder, unless that holds what is in it already.
func unpack(bundle, dir string) (info bundles.Info, err error) {
	text := filepath.Join(dir, "runtime.json")
	from, err := os.Stat(bundle)
	if err != nil {
		return info, err
	}
	if made, wrong := os.Stat(text); wrong != nil || made.ModTime().Before(from.ModTime()) {
		if err := unzip(bundle, dir); err != nil {
			return info, err
		}
	}
	b, err := os.ReadFile(text)
	if err == nil {
		err = json.Unmarshal(b, &info)
	}
	return info, err
}

// unzip unpacks an archive into a folder.
func unzip(archive, dir string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer z.Close()
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") || !filepath.IsLocal(f.Name) {
			continue
		}
		in, err := f.Open()
		if err != nil {
			return err
		}
		b, err := io.ReadAll(in)
		if err = errors.Join(err, in.Close(), writeAll(dir, map[string][]byte{f.Name: b})); err != nil {
			return err
		}
	}
	return nil
}

// writeAll writes files below a folder.
func writeAll(dir string, files map[string][]byte) error {
	for name, b := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// exists reports whether there is a file or a folder.
func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
