package main

import (
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"io"
)

const (
	maxSide   = 4096
	maxPixels = 40_000_000
)

// decode reads a PNG or JPEG image. It looks at the dimensions first: a few bytes can claim to be an image of many
// gigabytes. format is "png" or "jpeg".
func decode(from io.ReadSeeker) (src image.Image, format string, err error) {
	c, _, err := image.DecodeConfig(from)
	if err != nil {
		return nil, "", err
	}
	if c.Width < 1 || c.Height < 1 || c.Width > maxPixels/c.Height {
		return nil, "", fmt.Errorf("%dx%d pixels: want 1 to %d", c.Width, c.Height, maxPixels)
	}
	if _, err := from.Seek(0, io.SeekStart); err != nil {
		return nil, "", err
	}
	return image.Decode(from)
}

// scaled returns the size with the proportions of p in which a side of have pixels has want, or p if that would grow.
func scaled(p image.Point, have, want int) image.Point {
	if have <= want {
		return p
	}
	scale := func(n int) int { return max(1, (n*want+have/2)/have) }
	return image.Pt(scale(p.X), scale(p.Y))
}
