// Package worker runs each contestant in a process of its own, so that neither their garbage nor their
// processor time mix. A worker is asked by one JSON object a line on its stdin and answers by one a
// line on its stdout; package contestant has a worker in JavaScript too.
package worker

import (
	"time"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/guest"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/measure"
)

// What a worker can be asked for.
const (
	OpOpen   = "open"   // get a contestant ready for a guest
	OpSlice  = "slice"  // make calls within the process
	OpServe  = "serve"  // answer calls that come through NATS
	OpUsage  = "usage"  // tell the processor time used so far
	OpAllocs = "allocs" // tell what has been allocated so far, by place
	OpListen = "listen" // be a NATS server
	OpLoad   = "load"   // call through NATS
	OpMeter  = "meter"  // run a load that computes, in one form
)

// Request is what a worker is asked. Op says which fields count.
type Request struct {
	Op         string        `json:"op"`
	Contestant string        `json:"contestant,omitempty"` // OpOpen
	Guest      *guest.Guest  `json:"guest,omitempty"`      // OpOpen, OpLoad, OpMeter
	Cache      string        `json:"cache,omitempty"`      // OpOpen, OpMeter: a folder for compiled modules
	Slice      measure.Slice `json:"slice"`                // OpSlice, OpLoad
	URL        string        `json:"url,omitempty"`        // OpServe, OpLoad: of the NATS server
	Subject    string        `json:"subject,omitempty"`    // OpServe, OpLoad
	Form       string        `json:"form,omitempty"`       // OpMeter
	// Rate is for OpLoad: calls a second, at random times. 0 means as fast as the callers can.
	Rate float64 `json:"rate,omitempty"`
	// Profile is for OpServe: a folder for a profile of what it does until the worker ends. Empty means none.
	Profile string `json:"profile,omitempty"`
}

// Reply is what a worker answers.
type Reply struct {
	Error  string         `json:"error,omitempty"` // why it could not be done
	Sample measure.Sample `json:"sample"`          // OpSlice, OpLoad, OpMeter
	URL    string         `json:"url,omitempty"`   // OpListen
	CPU    time.Duration  `json:"cpu,omitempty"`   // OpUsage
	Sites  []Site         `json:"sites,omitempty"` // OpAllocs
}

// Site is a place that allocates.
type Site struct {
	Where   string  `json:"where"` // function and file, innermost that is not the Go runtime's
	Objects float64 `json:"objects"`
	Bytes   float64 `json:"bytes"`
}
