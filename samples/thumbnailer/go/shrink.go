package main

import (
	"image"
	"image/color"
	"image/draw"
)

// shrink scales src down with a box filter: a pixel of the result is the mean of the area of src it
// stands for, where pixels on the edge of that area count by the part of them inside it. Means are of
// alpha-premultiplied values, so what is transparent lends no colour to its neighbours. Only one row
// of src at a time is converted, so the memory needed beside src is small.
func shrink(src image.Image, to image.Point) image.Image {
	b := src.Bounds()
	if b.Size() == to {
		return src
	}
	columns, rows := spans(b.Dx(), to.X), spans(b.Dy(), to.Y)
	row := image.NewRGBA(image.Rect(0, 0, b.Dx(), 1))
	narrow := make([]float64, 4*to.X) // row, shrunk
	read := -1                        // the row of src that narrow holds
	dst := image.NewNRGBA(image.Rectangle{Max: to})
	for y, span := range rows {
		sum := make([]float64, 4*to.X)
		span.each(func(i int, part float64) {
			if i != read { // the row two spans meet in is read once
				draw.Draw(row, row.Bounds(), src, image.Pt(b.Min.X, b.Min.Y+i), draw.Src)
				shrinkRow(narrow, row.Pix, columns)
				read = i
			}
			for k, v := range narrow {
				sum[k] += part * v
			}
		})
		for x := range to.X {
			p := sum[4*x:]
			dst.SetNRGBA(x, y, straight(p[0], p[1], p[2], p[3]))
		}
	}
	return dst
}

// shrinkRow sets dst to the means of pix, both four values a pixel, over the columns.
func shrinkRow(dst []float64, pix []byte, columns []span) {
	clear(dst)
	for x, column := range columns {
		p := dst[4*x : 4*x+4]
		column.each(func(i int, part float64) {
			q := pix[4*i : 4*i+4]
			p[0] += part * float64(q[0])
			p[1] += part * float64(q[1])
			p[2] += part * float64(q[2])
			p[3] += part * float64(q[3])
		})
	}
}

// straight turns alpha-premultiplied means, 0 to 255, into a colour.
func straight(r, g, b, a float64) color.NRGBA {
	if a == 0 {
		return color.NRGBA{}
	}
	round := func(v float64) uint8 { return uint8(min(v, 255) + 0.5) }
	return color.NRGBA{round(r * 255 / a), round(g * 255 / a), round(b * 255 / a), round(a)}
}

// A span is the stretch from low to high, in pixels of the source.
type span struct{ low, high float64 }

// spans cuts n source pixels into equal spans.
func spans(n, count int) []span {
	s := make([]span, count)
	for i := range s {
		s[i] = span{float64(i*n) / float64(count), float64((i+1)*n) / float64(count)}
	}
	return s
}

// each calls f for every pixel s touches with the part of s it takes; the parts add up to 1.
func (s span) each(f func(i int, part float64)) {
	for i := int(s.low); float64(i) < s.high; i++ {
		inside := min(s.high, float64(i+1)) - max(s.low, float64(i))
		f(i, inside/(s.high-s.low))
	}
}
