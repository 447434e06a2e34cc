// Thumbnail: a PNG or JPEG image on stdin becomes a small PNG image on stdout. Its longest side has
// at most 128 pixels, or as many as the first argument says; a smaller image keeps its size. Exit
// code 64 is a bad argument, 65 a bad image. The orientation in a JPEG's EXIF data is not applied.
//
// Build it with ./build.sh, or:
//
//	GOOS=wasip1 GOARCH=wasm go build -trimpath -ldflags='-s -w' -o thumbnail.wasm .
package main

import (
	"bytes"
	"fmt"
	"image/png"
	"io"
	"os"
	"strconv"
)

const (
	defaultSide = 128

	badUsage = 64
	badData  = 65
)

func main() {
	side, err := parseSide(os.Args[1:])
	if err != nil {
		fail(badUsage, "bad argument", err)
	}
	body, err := io.ReadAll(os.Stdin)
	if err != nil {
		fail(badData, "bad input", err)
	}
	src, _, err := decode(bytes.NewReader(body))
	if err != nil {
		fail(badData, "bad input", err)
	}
	from := src.Bounds().Size()
	to := scaled(from, max(from.X, from.Y), side)
	fmt.Fprintf(os.Stderr, "thumbnail %dx%d -> %dx%d\n", from.X, from.Y, to.X, to.Y)
	if err := png.Encode(os.Stdout, shrink(src, to)); err != nil {
		fail(1, "stdout", err)
	}
}

func fail(code int, what string, err error) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
	os.Exit(code)
}

// parseSide reads the arguments behind the program's name: none, or the longest side in pixels.
func parseSide(args []string) (int, error) {
	if len(args) == 0 {
		return defaultSide, nil
	}
	side, err := strconv.Atoi(args[0])
	if err != nil || side < 1 || side > maxSide || len(args) > 1 {
		return 0, fmt.Errorf("%q: want one number, 1 to %d", args, maxSide)
	}
	return side, nil
}
