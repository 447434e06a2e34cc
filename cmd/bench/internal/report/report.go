// Package report turns results into a page of tables and a plot.
package report

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/suite"
)

// The files of a report.
const (
	Page  = "benchmarks.md"
	Chart = "benchmarks.svg"
)

// Data is what a report tells.
type Data struct {
	*suite.Results
	Machine Machine
	Quick   bool
	Took    time.Duration
}

// Write writes the page into a folder, and the plot if there is something to plot.
func Write(dir string, d Data) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	figures, err := compute(d.Results).json()
	if err == nil && figures != nil {
		err = os.WriteFile(filepath.Join(dir, Computed), figures, 0o644)
	}
	if err != nil {
		return err
	}
	chart := plot(d.Results)
	if chart != "" {
		if err := os.WriteFile(filepath.Join(dir, Chart), []byte(chart), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, Page), []byte(d.page(chart != "")), 0o644)
}

// page returns the page.
func (d Data) page(chart bool) string {
	parts := []string{d.head()}
	if chart {
		parts = append(parts, fmt.Sprintf("![Processor time of one call, by contestant and function](%s)", Chart))
	}
	parts = append(parts, targetTable(d.Results), processTables(d.Results), natsTables(d.Results), scalingTable(d.Results),
		meteringTable(d.Results), compute(d.Results).table(), allocTables(d.Results), contestants(), d.notes())
	var some []string
	for _, p := range parts {
		if p = strings.TrimSpace(p); p != "" {
			some = append(some, p)
		}
	}
	return strings.Join(some, "\n\n") + "\n"
}

// head says what this is and how it was measured.
func (d Data) head() string {
	quick := ""
	if d.Quick {
		quick = "**This was a quick run, to see that all works: its figures mean little.**\n\n"
	}
	load := ""
	if d.Machine.Load != "" {
		load = fmt.Sprintf("; the load average was %s at its end, with its own", d.Machine.Load)
	}
	return fmt.Sprintf(`# Benchmarks

%sWritten by %s on %s; %s. The run took %s%s.

Every contestant is a process of its own. They are measured in turns, many short slices of each, one after the other in
changing order, so that what else the machine does falls on all of them. Processor time is that of the contestant's
process by getrusage, user and system together, garbage collection included. A figure is the median over the slices, a
ratio the median of the ratios of slices taken beside each other. Latencies are quantiles over all slices. Bodies have
16 bytes unless a table says otherwise. "-" means that there is no figure; the note says why. Compare figures within one
run only.`,
		quick, "`go -C cmd/bench run .`", d.Machine.Date, d.Machine, d.Took.Round(time.Second), load)
}

// notes lists what could not be had.
func (d Data) notes() string {
	if len(d.Notes) == 0 {
		return ""
	}
	return "## What could not be measured\n\n- " + strings.Join(d.Notes, "\n- ")
}
