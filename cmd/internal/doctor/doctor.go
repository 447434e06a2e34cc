// Package doctor looks for what keeps polyvoke from working here: on the way to NATS, on NATS, and on this machine.
//
// In go the settings of a command; out comes a Report of checks, with the remedy beside each problem. Nothing is
// changed, and each check has a time of its own, so that a report comes also where nothing answers.
package doctor

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/protocol"
)

// Status says how a check went.
type Status string

// What a check can say.
const (
	OK      Status = "ok"
	Note    Status = "note"    // worth knowing; polyvoke works all the same
	Warning Status = "warning" // it works, but not for long, or not in every case
	Problem Status = "problem" // it does not work
)

// Check is one thing that was looked at.
type Check struct {
	Name   string `json:"name"`             // one or two words
	Status Status `json:"status"`           //
	Found  string `json:"found"`            // what there is
	Remedy string `json:"remedy,omitempty"` // what to do about it; empty if there is nothing to do
}

// Report is what doctor says.
type Report struct {
	Version  string  `json:"version"`  // polyvoke's own
	Healthy  bool    `json:"healthy"`  // no check found a problem
	Problems int     `json:"problems"` //
	Warnings int     `json:"warnings"` //
	Checks   []Check `json:"checks"`   // in the order in which to read them
}

// Patience is how long to wait for NATS to answer a doctor, unless its user says otherwise.
const Patience = 2 * time.Second

// checkTime is how long one check may take.
const checkTime = 2 * time.Second

// results are what a group of checks has found.
type results []Check

func (r *results) add(name string, s Status, found, remedy string) {
	*r = append(*r, Check{name, s, found, remedy})
}

// ok adds a check that found nothing wrong.
func (r *results) ok(name, format string, a ...any) { r.add(name, OK, fmt.Sprintf(format, a...), "") }

// problem adds an error, what to do about which stands behind the last colon of its message.
func (r *results) problem(name string, err error) {
	found, remedy := protocol.MessageOf(err), ""
	if i := strings.LastIndex(found, ": "); i >= 0 {
		found, remedy = found[:i], found[i+2:]
	}
	r.add(name, Problem, found, remedy)
}

// Run does all checks, those of NATS and of the machine at the same time. The error is that of ctx.
func Run(ctx context.Context, c Config) (*Report, error) {
	var nats, machine results
	var group sync.WaitGroup
	group.Go(func() { nats = c.checkNATS(ctx) })
	group.Go(func() { machine = c.checkMachine(ctx) })
	group.Wait()
	r := &Report{Version: c.Version, Checks: append(nats, machine...)}
	for _, check := range r.Checks {
		switch check.Status {
		case Problem:
			r.Problems++
		case Warning:
			r.Warnings++
		}
	}
	r.Healthy = r.Problems == 0
	return r, ctx.Err()
}

// Print prints a report for people. Remedies go through paste, which completes the commands in them.
func (r *Report) Print(w io.Writer, p terminal.Paint, paste func(string) string) {
	marks := map[Status]string{OK: "ok", Note: "note", Warning: p.Bold("warning"), Problem: p.Red("problem")}
	for _, check := range r.Checks {
		pad := len("problem") - len(check.Status)
		terminal.Line(w, fmt.Sprintf("%s%*s  %-13s %s", marks[check.Status], pad, "", check.Name, check.Found))
		if check.Remedy != "" {
			terminal.Line(w, fmt.Sprintf("%23s-> %s", "", paste(check.Remedy)))
		}
	}
	switch {
	case r.Problems > 0:
		fmt.Fprintf(w, "\n%s, %s\n", terminal.Plural(r.Problems, "problem"), terminal.Plural(r.Warnings, "warning"))
	case r.Warnings > 0:
		fmt.Fprintf(w, "\nno problems, %s\n", terminal.Plural(r.Warnings, "warning"))
	default:
		fmt.Fprintln(w, "\nno problems")
	}
}
