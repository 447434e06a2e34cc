package console

import (
	"fmt"
	"math"
	"slices"
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

// perSecond returns how often calls came in each of n steps up to now, and how often they failed, the newest last.
// Questions may have been seldom, so what was between two of them is taken to have come evenly. Only the last known
// steps are known; nothing is known before.
func perSecond(points []figures.Point, n int) (requests, errors []float64, known int) {
	requests, errors = make([]float64, n), make([]float64, n)
	if len(points) == 0 {
		return requests, errors, 0
	}
	end := points[len(points)-1].At
	for i := range n {
		to := end.Add(-time.Duration(i) * figures.Step)
		from := to.Add(-figures.Step)
		if from.Before(points[0].At.Add(-figures.Step / 2)) {
			break
		}
		r1, e1 := at(points, from)
		r2, e2 := at(points, to)
		requests[n-1-i] = max(0, (r2-r1)/figures.Step.Seconds())
		errors[n-1-i] = max(0, (e2-e1)/figures.Step.Seconds())
		known++
	}
	return requests, errors, known
}

// at returns what had been counted at a time.
func at(points []figures.Point, t time.Time) (requests, errors float64) {
	i, _ := slices.BinarySearchFunc(points, t, func(p figures.Point, t time.Time) int { return p.At.Compare(t) })
	if i == 0 {
		return float64(points[0].Requests), float64(points[0].Errors)
	}
	if i == len(points) {
		return float64(points[i-1].Requests), float64(points[i-1].Errors)
	}
	a, b := points[i-1], points[i]
	share := float64(t.Sub(a.At)) / float64(b.At.Sub(a.At))
	return float64(a.Requests) + share*float64(b.Requests-a.Requests),
		float64(a.Errors) + share*float64(b.Errors-a.Errors)
}

// spark draws how often a function was called in the last minutes, 120 wide and 28 high.
func spark(points []figures.Point) line {
	requests, _, known := perSecond(points, sparkPoints)
	most := slices.Max(requests)
	l := plot(requests, known, most, 120, 28)
	l.Label = "calls a second in the last five minutes, at most " + rate(most)
	return l
}

// plot draws the last known of some values, from 0 to most.
func plot(values []float64, known int, most, width, height float64) line {
	if most <= 0 {
		most = 1
	}
	if known < 2 {
		return line{}
	}
	var path strings.Builder
	step := width / float64(max(1, len(values)-1))
	first := len(values) - known
	for i := first; i < len(values); i++ {
		letter := "L"
		if i == first {
			letter = "M"
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", letter, float64(i)*step, height-1.5-(height-4)*math.Min(1, values[i]/most))
	}
	return line{Path: path.String(),
		Area: fmt.Sprintf("%sL%.1f %.1fL%.1f %.1fZ", path.String(), width, height, float64(first)*step, height)}
}

// Size of the large pictures.
const (
	chartWidth, chartHeight = 480.0, 190.0
	plotLeft, plotTop       = 44.0, 12.0
	plotWidth, plotHeight   = 428.0, 146.0
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
	every := (len(buckets) + 6) / 7
	for i, b := range buckets {
		h := plotHeight * float64(b.Calls) / top
		if b.Calls > 0 {
			h = max(h, 1.5)
		}
		c.Bars = append(c.Bars, bar{X: plotLeft + float64(i)*step + 1.5, Y: plotTop + plotHeight - h,
			Width: max(1, step-3), Height: h, Slow: seen*100 >= all*99,
			Text: fmt.Sprintf("%s to %s: %s calls", took(b.From), took(b.To), count(b.Calls))})
		seen += b.Calls
		if i%every == 0 && i < len(buckets)-1-every/2 { // the last one would be cut
			c.Below = append(c.Below, label{plotLeft + float64(i)*step, plotTop + plotHeight + 20, took(b.From)})
		}
	}
	return c
}

// curves draws how often a function was called in the last minutes, and how often it failed: two minutes at first, and
// ten as soon as so much is known.
func curves(points []figures.Point) chart {
	_, _, known := perSecond(points, figures.Points)
	n := 24 // steps: two minutes, four, ten
	for n < known && n < figures.Points {
		n = min(figures.Points, 2*n)
	}
	requests, errors, known := perSecond(points, n)
	span := time.Duration(n) * figures.Step
	c := emptyChart("calls and errors a second in the last " + span.String())
	if c.Empty = known < 2; c.Empty {
		return c
	}
	top := round(slices.Max(requests))
	c.grid(top, rate)
	for i := range 5 {
		text := "now"
		if ago := span * time.Duration(4-i) / 4; ago >= 2*time.Minute {
			text = fmt.Sprintf("−%g min", ago.Minutes())
		} else if ago > 0 {
			text = fmt.Sprintf("−%d s", int(ago.Seconds()))
		}
		c.Below = append(c.Below, label{plotLeft + plotWidth*float64(i)/4, plotTop + plotHeight + 20, text})
	}
	c.Lines = []line{plot(requests, known, top, plotWidth, plotHeight), plot(errors, known, top, plotWidth, plotHeight)}
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
