package console

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/cmd/internal/console/figures"
	"github.com/polyvoke/polyvoke/cmd/internal/console/recent"
)

// Pictures are drawn here, as numbers for templates of SVG: a page needs no library for them, and they are there before
// any script runs.

// line is a line in a picture, with what is below it.
type line struct {
	Path, Area string
	Label      string // what it shows, for people who do not see it
}

// sparkPoints is how many points a sparkline has: five minutes.
const sparkPoints = 60

// perSecond returns how often calls came in each step of a history, and how often they failed, the newest last.
func perSecond(points []figures.Point, n int) (requests, errors []float64) {
	requests, errors = make([]float64, n), make([]float64, n)
	for i := range n {
		at := len(points) - 1 - i
		if at < 1 {
			break
		}
		before, now := points[at-1], points[at]
		if d := now.At.Sub(before.At).Seconds(); d > 0 {
			requests[n-1-i] = max(0, float64(now.Requests-before.Requests)/d)
			errors[n-1-i] = max(0, float64(now.Errors-before.Errors)/d)
		}
	}
	return requests, errors
}

// spark draws how often a function was called in the last minutes, 120 wide and 28 high.
func spark(points []figures.Point) line {
	requests, _ := perSecond(points, sparkPoints)
	most := 0.0
	for _, v := range requests {
		most = max(most, v)
	}
	l := plot(requests, most, 120, 28)
	l.Label = "calls a second in the last five minutes, at most " + rate(most)
	return l
}

// plot draws values from 0 to most.
func plot(values []float64, most, width, height float64) line {
	if most <= 0 {
		most = 1
	}
	var path strings.Builder
	step := width / float64(max(1, len(values)-1))
	for i, v := range values {
		letter := "L"
		if i == 0 {
			letter = "M"
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", letter, float64(i)*step, height-1.5-(height-4)*math.Min(1, v/most))
	}
	return line{Path: path.String(), Area: fmt.Sprintf("%sL%.1f %.1fL0 %.1fZ", path.String(), width, height, height)}
}

// Size of the large pictures.
const (
	chartWidth, chartHeight = 640.0, 190.0
	plotLeft, plotTop       = 52.0, 12.0
	plotWidth, plotHeight   = 576.0, 140.0
)

// label is a text in a picture.
type label struct {
	X, Y float64
	Text string
}

// bar is a column in a histogram.
type bar struct {
	X, Y, Width, Height float64
	Text                string
	Slow                bool // beyond the 99th hundredth
}

// chart is a large picture.
type chart struct {
	Width, Height float64
	Left, Right   float64
	Grid          []label // at the left, each with a line
	Below         []label
	Bars          []bar
	Lines         []line
	Empty         bool
	Label         string
}

// emptyChart returns a chart without anything in it.
func emptyChart(label string) chart {
	return chart{Width: chartWidth, Height: chartHeight, Left: plotLeft, Right: plotLeft + plotWidth, Label: label}
}

// bars draws how many calls took how long.
func bars(buckets []recent.Bucket) chart {
	c := emptyChart("how many calls took how long")
	if c.Empty = len(buckets) == 0; c.Empty {
		return c
	}
	for len(buckets) < 8 { // a single column would look like a wall
		last := buckets[len(buckets)-1]
		buckets = append(buckets, recent.Bucket{From: last.To, To: last.To * 3 / 2})
	}
	var most, all, seen int64
	for _, b := range buckets {
		most, all = max(most, b.Calls), all+b.Calls
	}
	top := round(float64(most))
	c.grid(top, func(v float64) string { return count(int64(v)) })
	step := plotWidth / float64(len(buckets))
	every := (len(buckets) + 7) / 8
	for i, b := range buckets {
		h := plotHeight * float64(b.Calls) / top
		if b.Calls > 0 {
			h = max(h, 1.5)
		}
		c.Bars = append(c.Bars, bar{X: plotLeft + float64(i)*step + 1.5, Y: plotTop + plotHeight - h,
			Width: max(1, step-3), Height: h, Slow: seen*100 >= all*99,
			Text: fmt.Sprintf("%s to %s: %s calls", took(b.From), took(b.To), count(b.Calls))})
		seen += b.Calls
		if i%every == 0 {
			c.Below = append(c.Below, label{plotLeft + float64(i)*step, plotTop + plotHeight + 18, took(b.From)})
		}
	}
	return c
}

// curves draws how often a function was called in the last ten minutes, and how often it failed.
func curves(points []figures.Point) chart {
	c := emptyChart("calls and errors a second in the last ten minutes")
	requests, errors := perSecond(points, figures.Points)
	most := 0.0
	for _, v := range requests {
		most = max(most, v)
	}
	c.Empty = len(points) < 2
	top := round(most)
	c.grid(top, func(v float64) string { return rate(v) })
	for i := range 6 {
		ago := time.Duration(5-i) * 2 * time.Minute
		text := "now"
		if ago > 0 {
			text = fmt.Sprintf("−%d min", int(ago.Minutes()))
		}
		c.Below = append(c.Below, label{plotLeft + plotWidth*float64(i)/5, plotTop + plotHeight + 18, text})
	}
	c.Lines = []line{plot(requests, top, plotWidth, plotHeight), plot(errors, top, plotWidth, plotHeight)}
	return c
}

// grid adds the lines of a chart whose top stands for a value.
func (c *chart) grid(top float64, text func(float64) string) {
	for i := range 5 {
		share := float64(i) / 4
		c.Grid = append(c.Grid, label{plotLeft - 8, plotTop + plotHeight*(1-share), text(top * share)})
	}
}

// round returns a value with few digits that is at least v, and can be divided by four.
func round(v float64) float64 {
	if v <= 4 {
		return 4
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10} {
		if m*unit >= v {
			return math.Ceil(m*unit/4) * 4
		}
	}
	return v
}
