package samples_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
)

var (
	red   = color.NRGBA{255, 0, 0, 255}
	blue  = color.NRGBA{0, 0, 255, 255}
	black = color.NRGBA{0, 0, 0, 255}
	white = color.NRGBA{255, 255, 255, 255}
	glass = color.NRGBA{255, 0, 0, 0}
)

func gray(y uint8) color.NRGBA { return color.NRGBA{y, y, y, 255} }

func TestThumbnail(t *testing.T) {
	b := newSandbox(t)
	p := b.build(find(t, "thumbnail"))
	t.Run("images", func(t *testing.T) { b.t = t; b.checkThumbnails(p) })
	t.Run("bad requests", func(t *testing.T) { b.t = t; b.checkBadThumbnails(p) })
}

func (b sandbox) checkThumbnails(p wazero.CompiledModule) {
	halves := func(p image.Point) color.NRGBA { return choose(p.X < 150, red, blue) }
	stripes := func(p image.Point) color.NRGBA { return choose(p.X%2 == 0, black, white) }
	ramp := func(p image.Point) color.NRGBA { return []color.NRGBA{gray(0), gray(90), gray(240)}[p.X] }
	half := func(p image.Point) color.NRGBA { return choose(p.X == 0, glass, blue) }
	for _, c := range []struct {
		about string
		args  []string
		body  []byte
		size  image.Point
		want  map[image.Point]color.NRGBA
	}{
		{"longest side 128", nil, pngOf(300, 100, halves), image.Pt(128, 43),
			map[image.Point]color.NRGBA{{0, 0}: red, {63, 20}: red, {64, 20}: blue, {127, 42}: blue}},
		{"a side as argument", []string{"30"}, pngOf(300, 100, halves), image.Pt(30, 10),
			map[image.Point]color.NRGBA{{14, 9}: red, {15, 9}: blue}},
		{"upright", []string{"100"}, pngOf(10, 1000, halves), image.Pt(1, 100), map[image.Point]color.NRGBA{{0, 99}: red}},
		{"the mean of whole pixels", nil, pngOf(256, 128, stripes), image.Pt(128, 64),
			map[image.Point]color.NRGBA{{0, 0}: gray(128), {127, 63}: gray(128)}},
		{"the mean of parts of pixels", []string{"2"}, pngOf(3, 1, ramp), image.Pt(2, 1),
			map[image.Point]color.NRGBA{{0, 0}: gray(30), {1, 0}: gray(190)}},
		{"what is transparent lends no colour", []string{"1"}, pngOf(2, 1, half), image.Pt(1, 1),
			map[image.Point]color.NRGBA{{0, 0}: {0, 0, 255, 128}}},
		{"never larger", nil, pngOf(3, 1, ramp), image.Pt(3, 1),
			map[image.Point]color.NRGBA{{0, 0}: gray(0), {1, 0}: gray(90), {2, 0}: gray(240)}},
		{"transparent pixels of a small image stay", nil, pngOf(2, 1, half), image.Pt(2, 1),
			map[image.Point]color.NRGBA{{0, 0}: glass, {1, 0}: blue}},
		{"JPEG", []string{"64"}, jpegOf(640, 320), image.Pt(64, 32),
			map[image.Point]color.NRGBA{{0, 0}: gray(128), {63, 31}: gray(128)}},
		{"JPEG of 4 megapixels", nil, jpegOf(2000, 2000), image.Pt(128, 128), map[image.Point]color.NRGBA{{5, 5}: gray(128)}},
	} {
		got := b.run(p, c.args, c.body)
		reply, err := png.Decode(strings.NewReader(got.stdout))
		if got.exit != 0 || err != nil {
			b.t.Errorf("%s: exit %d, error %v, stderr %q", c.about, got.exit, err, got.stderr)
			continue
		}
		if reply.Bounds().Size() != c.size {
			b.t.Errorf("%s: size %v, want %v", c.about, reply.Bounds().Size(), c.size)
		}
		for at, want := range c.want {
			if pixel := color.NRGBAModel.Convert(reply.At(at.X, at.Y)); pixel != want {
				b.t.Errorf("%s: pixel %v is %v, want %v", c.about, at, pixel, want)
			}
		}
	}
}

func (b sandbox) checkBadThumbnails(p wazero.CompiledModule) {
	request, err := os.ReadFile("thumbnail/request.png")
	if err != nil {
		b.t.Fatal(err)
	}
	photo := jpegOf(64, 64)
	for _, c := range []struct {
		about string
		args  []string
		body  []byte
		exit  int
	}{
		{"no number", []string{"x"}, request, 64},
		{"empty argument", []string{""}, request, 64},
		{"zero", []string{"0"}, request, 64},
		{"negative", []string{"-1"}, request, 64},
		{"more than the most", []string{"4097"}, request, 64},
		{"not an int", []string{"99999999999999999999"}, request, 64},
		{"two arguments", []string{"64", "64"}, request, 64},
		{"empty", nil, nil, 65},
		{"text", nil, []byte("no image"), 65},
		{"GIF", nil, []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"), 65},
		{"PNG cut off", nil, request[:len(request)/2], 65},
		{"PNG with only a header", nil, pngHeader(20, 20), 65},
		{"JPEG cut off", nil, photo[:len(photo)-20], 65},
		{"PNG of 40,000,001 pixels", nil, pngHeader(40_000_001, 1), 65},
		{"PNG of 10,000 megapixels", nil, pngHeader(100_000, 100_000), 65},
		{"PNG of the largest size there is", nil, pngHeader(1<<31-1, 1<<31-1), 65},
	} {
		got := b.run(p, c.args, c.body)
		if got.exit != c.exit || got.stdout != "" {
			b.t.Errorf("%s: exit %d, %d bytes on stdout, want exit %d and none", c.about, got.exit, len(got.stdout), c.exit)
		}
		if !strings.HasPrefix(got.stderr, "bad ") || strings.Count(got.stderr, "\n") != 1 {
			b.t.Errorf("%s: stderr %q, want one line that says why", c.about, got.stderr)
		}
	}
}

func choose(first bool, a, b color.NRGBA) color.NRGBA {
	if first {
		return a
	}
	return b
}

func pngOf(width, height int, at func(image.Point) color.NRGBA) []byte {
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range width * height {
		p := image.Pt(i%width, i/width)
		m.SetNRGBA(p.X, p.Y, at(p))
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// jpegOf is a photograph of fog.
func jpegOf(width, height int) []byte {
	m := image.NewGray(image.Rect(0, 0, width, height))
	for i := range m.Pix {
		m.Pix[i] = 128
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// pngHeader is a PNG file up to the end of its header: what it claims to be, and nothing of it.
func pngHeader(width, height uint32) []byte {
	chunk := []byte("IHDR")
	chunk = binary.BigEndian.AppendUint32(chunk, width)
	chunk = binary.BigEndian.AppendUint32(chunk, height)
	chunk = append(chunk, 8, 6, 0, 0, 0) // 8 bits, RGBA
	file := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	file = append(file, chunk...)
	return binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(chunk))
}
