package report

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/suite"
)

// The plot's measures in pixels.
const (
	chartWidth = 860
	nameWidth  = 200 // of the contestants' names
	barWidth   = 540 // of the whole scale
	barHeight  = 14
	rowHeight  = 19
	panelHead  = 34
	chartHead  = 62
)

// The scale, in powers of ten of a microsecond.
const (
	lowest  = -2.0
	highest = 6.0
)

// style has two sets of colours; whoever shows the picture says which.
const style = `
  text { font: 12px system-ui, sans-serif; fill: #24292f; }
  .title { font-size: 16px; font-weight: 600; }
  .guest { font-size: 13px; font-weight: 600; }
  .soft { fill: #57606a; }
  .line { stroke: #d0d7de; }
  .bar { fill: #8c959f; }
  .ours { fill: #0969da; }
  .paper { fill: #ffffff; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .soft { fill: #9198a1; }
    .line { stroke: #3d444d; }
    .bar { fill: #6e7681; }
    .ours { fill: #4493f8; }
    .paper { fill: #0d1117; }
  }
`

// plot draws the processor time of one call of one caller, a panel for each guest, a bar for each contestant, on a
// logarithmic scale. It returns nothing if nothing of the kind was measured.
func plot(r *suite.Results) string {
	cells := choose(r.Of(suite.InProcess), byVariant, "1")
	var body strings.Builder
	y := chartHead
	for _, guest := range distinct(cells, byLoad) {
		y = panel(&body, y, guest, choose(cells, byLoad, guest))
	}
	if y == chartHead {
		return ""
	}
	height := y + 16
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">`+"\n",
		chartWidth, height, chartWidth, height)
	fmt.Fprintf(&s, "<title>Processor time of one call in microseconds</title>\n<style>%s</style>\n", style)
	fmt.Fprintf(&s, `<rect class="paper" width="%d" height="%d"/>`+"\n", chartWidth, height)
	fmt.Fprintf(&s, `<text class="title" x="16" y="28">Processor time of one call, in process, one caller</text>`+"\n")
	fmt.Fprintf(&s, `<text class="soft" x="16" y="48">microseconds, logarithmic: each line is ten times the one before; `+
		`shorter is better</text>`+"\n")
	grid(&s, chartHead, y)
	return s.String() + body.String() + "</svg>\n"
}

// grid draws a line for each power of ten, and what it stands for.
func grid(s *strings.Builder, top, bottom int) {
	for e := lowest; e <= highest; e++ {
		x := position(math.Pow(10, e))
		fmt.Fprintf(s, `<line class="line" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`+"\n", x, top+8, x, bottom)
		fmt.Fprintf(s, `<text class="soft" x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x, top+4, scaleName(e))
	}
}

// scaleName writes a power of ten of a microsecond.
func scaleName(e float64) string {
	switch {
	case e < 0:
		return fmt.Sprintf("%g", math.Pow(10, e))
	case e < 3:
		return fmt.Sprintf("%g us", math.Pow(10, e))
	case e < 6:
		return fmt.Sprintf("%g ms", math.Pow(10, e-3))
	}
	return fmt.Sprintf("%g s", math.Pow(10, e-6))
}

// position returns where a number of microseconds is on the scale.
func position(us float64) float64 {
	share := (math.Log10(us) - lowest) / (highest - lowest)
	return nameWidth + barWidth*min(max(share, 0), 1)
}

// panel draws the bars of one guest from y on and returns where the next panel begins.
func panel(s *strings.Builder, y int, guest string, cells []*suite.Cell) int {
	fmt.Fprintf(s, `<text class="guest" x="16" y="%d">%s</text>`+"\n", y+panelHead-10, escape(guest))
	y += panelHead
	for _, c := range cells {
		fmt.Fprintf(s, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", nameWidth-8, y+barHeight-3,
			escape(c.Contestant))
		value, end := "-", float64(nameWidth)
		if len(c.Series) > 0 {
			class := "bar"
			if strings.HasPrefix(c.Contestant, "polyvoke") {
				class = "ours"
			}
			value, end = figure(c.Series.CPU()), position(c.Series.CPU())
			fmt.Fprintf(s, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/>`+"\n", class, nameWidth, y,
				max(end-nameWidth, 1), barHeight)
		}
		fmt.Fprintf(s, `<text x="%.1f" y="%d">%s</text>`+"\n", end+6, y+barHeight-3, escape(value))
		y += rowHeight
	}
	return y
}

// escape makes a text fit for XML.
func escape(text string) string {
	var s strings.Builder
	_ = xml.EscapeText(&s, []byte(text)) // a Builder takes everything
	return s.String()
}
