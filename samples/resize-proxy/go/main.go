// Resize-proxy answers GET /img/WIDTH/PATH with the picture at PATH of another server, ORIGIN, no wider than WIDTH. Of a
// PNG comes a PNG, of a JPEG a JPEG. The answer may be kept as long as the server says, or for a day; its ETag is that
// of its content. What is wrong is a status of HTTP: 404 for a path or a width that there is not, 502 for what the
// server says instead of a picture. Widths are few: otherwise anybody could have every picture made in a thousand sizes.
package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

const (
	quality   = 85              // of a JPEG
	unsaid    = "max-age=86400" // how long an answer may be kept if the server does not say
	unsaidBad = "max-age=60"    // the same for an answer that may soon be another

	failed = 1

	// Statuses of HTTP. The package net/http would make the module half as large again.
	ok, notFound, internal, badGateway = 200, 404, 500, 502
)

// widths are those that pages may ask for.
var widths = []int{64, 128, 320, 640, 1280, 1920}

// A reply is an answer of HTTP.
type reply struct {
	status          int
	kind, keep, tag string
	body            []byte
}

func main() {
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil { // first: the process can be started before the request
		fmt.Fprintln(os.Stderr, err)
		os.Exit(failed)
	}
	r := answer(os.Getenv("ORIGIN"), parameter("width"), parameter("path"))
	fmt.Printf("Status: %d\nContent-Type: %s\nCache-Control: %s\n", r.status, r.kind, r.keep)
	if r.tag != "" {
		fmt.Printf("ETag: %q\n", r.tag)
	}
	fmt.Println()
	if _, err := os.Stdout.Write(r.body); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(failed)
	}
}

// parameter returns what the route's wildcard stands for, or "".
func parameter(name string) string {
	b, err := os.ReadFile("/request/params/" + name)
	if err != nil {
		return ""
	}
	return string(b)
}

// refuse answers with a text, which is in the log as well.
func refuse(status int, format string, a ...any) reply {
	text := fmt.Sprintf(format, a...)
	fmt.Fprintln(os.Stderr, text)
	return reply{status: status, kind: "text/plain; charset=utf-8", keep: unsaidBad, body: []byte(text + "\n")}
}

// answer answers a request.
func answer(origin, width, path string) reply {
	w, err := strconv.Atoi(width)
	if err != nil || !slices.Contains(widths, w) || strconv.Itoa(w) != width {
		return refuse(notFound, "no pictures are %.20q wide: want one of %v", width, widths)
	}
	file := "/http/" + origin + "/" + escape(path)
	body, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.EINVAL): // the latter for a path that no URL has
		return refuse(notFound, "there is no picture %.200q", path)
	case err != nil:
		return refuse(badGateway, "the picture %.200q cannot be had: %s", path, cause(file, err))
	}
	src, format, err := decode(bytes.NewReader(body))
	if err != nil {
		return refuse(badGateway, "%.200q is no picture: %v", path, err)
	}
	size := src.Bounds().Size()
	small, err := encode(shrink(src, scaled(size, size.X, w)), format)
	if err != nil {
		return refuse(internal, "%.200q cannot be written: %v", path, err)
	}
	return reply{ok, "image/" + format, lifetime(file), fmt.Sprintf("%x", sha256.Sum256(small))[:32], small}
}

// escape returns a path as the name of a file below a host: what is special there stands for itself. A path is what a
// client has written: its dots must not lead to other folders, so they are escaped, and no URL then.
func escape(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if s == "." || s == ".." {
			segments[i] = strings.Repeat("%2E", len(s))
			continue
		}
		segments[i] = cmp.Or(strings.NewReplacer("%", "%25", "?", "%3F").Replace(s), "%")
	}
	last := &segments[len(segments)-1]
	for _, end := range []string{".method", ".headers", ".status", ".body", ".error"} { // mean files beside the picture's
		if before, cut := strings.CutSuffix(*last, end); cut {
			*last = before + "%2E" + end[1:]
		}
	}
	return strings.Join(segments, "/")
}

// cause returns what is known about a request that has failed.
func cause(file string, err error) string {
	if status, e := os.ReadFile(file + ".status"); e == nil && strings.TrimSpace(string(status)) != strconv.Itoa(ok) {
		return "the server says " + strings.TrimSpace(string(status))
	}
	return err.Error()
}

// lifetime returns how long the server's picture may be kept.
func lifetime(file string) string {
	headers, err := os.ReadFile(file + ".headers")
	if err != nil {
		return unsaid
	}
	for _, line := range strings.Split(string(headers), "\n") {
		if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "Cache-Control") {
			return strings.TrimSpace(value)
		}
	}
	return unsaid
}

// encode writes a picture.
func encode(m image.Image, format string) ([]byte, error) {
	var b bytes.Buffer
	var err error
	if format == "jpeg" {
		err = jpeg.Encode(&b, m, &jpeg.Options{Quality: quality})
	} else {
		err = png.Encode(&b, m)
	}
	return b.Bytes(), err
}
