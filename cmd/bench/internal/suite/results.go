// Package suite takes the figures: it starts the workers, has them make their calls in turns, and keeps
// what came of it.
package suite

import (
	"github.com/polyvoke/polyvoke/cmd/bench/internal/measure"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/worker"
)

// Key names a cell: which contestant did what, and how.
type Key struct {
	Suite      string // one of the constants
	Load       string // the guest, or the load
	Variant    string // callers, rate or cores
	Contestant string
}

// The suites.
const (
	InProcess = "process"
	Through   = "nats"
	Scaling   = "scaling"
	Metering  = "metering"
	Allocs    = "allocs"
	Compute   = "compute"
)

// Names returns all suites in the order in which they run.
func Names() []string { return []string{InProcess, Through, Scaling, Metering, Allocs, Compute} }

// Cell is what was found out about a key: a series, or why there is none.
type Cell struct {
	Key
	Series measure.Series
	Absent string
}

// Results are all cells, in the order in which they were taken.
type Results struct {
	Cells []*Cell
	Sites map[string][]worker.Site // what a call allocates, by contestant
	Notes []string                 // what could not be had
}

// Find returns the cell of a key if it has a series, or nil.
func (r *Results) Find(k Key) *Cell {
	for _, c := range r.Cells {
		if c.Key == k && len(c.Series) > 0 {
			return c
		}
	}
	return nil
}

// Of returns the cells of a suite.
func (r *Results) Of(suite string) (out []*Cell) {
	for _, c := range r.Cells {
		if c.Suite == suite {
			out = append(out, c)
		}
	}
	return out
}

// add adds a cell.
func (r *Results) add(k Key) *Cell {
	c := &Cell{Key: k}
	r.Cells = append(r.Cells, c)
	return c
}
