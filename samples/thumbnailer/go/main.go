// Thumbnailer makes a small picture of each picture that somebody puts into the bucket uploads, and keeps it under the
// same name in the bucket thumbnails. A change of uploads is a job, whose arguments are the object's name, and "put" or
// "delete"; pictures are files. Of a PNG comes a PNG, of a JPEG a JPEG; the longest side has at most 128 pixels, or as
// many as SIDE says. What is no picture is exit code 65: such a job is not tried again.
package main

import (
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
)

const (
	uploads    = "/obj/uploads/"
	thumbnails = "/obj/thumbnails/"

	defaultSide = 128
	quality     = 85 // of a JPEG

	failed   = 1
	badUsage = 64
	badData  = 65
)

var (
	errUsage = errors.New("usage")       // the function is called or set up in the wrong way
	errBad   = errors.New("bad picture") // that is to blame
)

func main() {
	err := run(os.Args[1:], os.Getenv("SIDE"))
	code := failed
	switch {
	case err == nil:
		return
	case errors.Is(err, errUsage):
		code = badUsage
	case errors.Is(err, errBad):
		code = badData
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(code)
}

// run does what an event asks for.
func run(args []string, setting string) error {
	side, err := parseSide(setting)
	switch {
	case err != nil:
		return err
	case len(args) == 2 && args[1] == "put":
		return shrinkUpload(args[0], side)
	case len(args) == 2 && args[1] == "delete":
		return forget(args[0])
	}
	return fmt.Errorf("%w: thumbnailer NAME put|delete", errUsage)
}

// parseSide reads the longest side in pixels.
func parseSide(s string) (int, error) {
	if s == "" {
		return defaultSide, nil
	}
	side, err := strconv.Atoi(s)
	if err != nil || side < 1 || side > maxSide {
		return 0, fmt.Errorf("%w: SIDE is %q: want 1 to %d", errUsage, s, maxSide)
	}
	return side, nil
}

// shrinkUpload writes the thumbnail of a picture. One that is gone again has none: its deletion is a job, too.
func shrinkUpload(name string, side int) error {
	from, err := os.Open(uploads + name)
	if errors.Is(err, fs.ErrNotExist) {
		return forget(name)
	}
	if err != nil {
		return err
	}
	defer from.Close()
	src, format, err := decode(&blame{ReadSeeker: from})
	if err != nil {
		var read *readError
		if errors.As(err, &read) {
			return read.err
		}
		return fmt.Errorf("%w %s: %w", errBad, name, err)
	}
	size := src.Bounds().Size()
	to := scaled(size, max(size.X, size.Y), side)
	fmt.Printf("%s: %s of %dx%d to %dx%d\n", name, format, size.X, size.Y, to.X, to.Y)
	return write(thumbnails+name, shrink(src, to), format)
}

// write writes a picture. It is seen by others when the process has ended well.
func write(name string, m image.Image, format string) error {
	if err := os.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	to, err := os.Create(name)
	if err != nil {
		return err
	}
	if format == "jpeg" {
		err = jpeg.Encode(to, m, &jpeg.Options{Quality: quality})
	} else {
		err = png.Encode(to, m)
	}
	return errors.Join(err, to.Close())
}

// forget removes a thumbnail, if there is one.
func forget(name string) error {
	err := os.Remove(thumbnails + name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	fmt.Println(name, "removed")
	return err
}

// blame tells errors of reading from what is wrong with a picture: the former may pass.
type blame struct{ io.ReadSeeker }

// readError is an error of reading.
type readError struct{ err error }

// Error implements error.
func (e *readError) Error() string { return e.err.Error() }

// Read implements io.Reader.
func (b *blame) Read(p []byte) (int, error) {
	n, err := b.ReadSeeker.Read(p)
	if err != nil && err != io.EOF {
		err = &readError{err}
	}
	return n, err
}
