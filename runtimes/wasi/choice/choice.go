// Package choice decides how the processes of a program come to be: which start kind is the best of those that change
// nothing for them. It is told what is known of the program, and runs nothing.
package choice

import (
	"fmt"
	"strings"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
)

// slowStart is from how much fuel on a start is worth being made before the request comes: about 50 microseconds.
const slowStart = 1_000_000

// Obstacles say why start kinds are not possible. Each is empty if there is nothing in the way.
type Obstacles struct {
	Reuse string // of sandboxes, so of reset and checkpoint
	Park  string // where stdin is read first, so of prefork and checkpoint
}

// Judge says what a module itself is in the way of.
func Judge(r *rewrite.Report) (o Obstacles) {
	m := r.Module
	list := m.Analysis.Obstacles()
	if !r.Folded {
		list = append(list, "where its data goes depends on a global")
	}
	if m.Analysis.Exceptions {
		o.Park = "it has exceptions, whose handlers the engine forgets when a process goes on, and they cannot be lowered: " + r.Exceptions
	}
	o.Reuse = strings.Join(list, ", ")
	return o
}

// Program is what is known of a program.
type Program struct {
	Obstacles
	Fuel   uint64 // that a process uses until it reads stdin; 0: not known
	Draws  bool   // it looks at the time or at entropy before that
	Renews bool   // it renews what it has drawn of them
}

// Choose returns the kind that is wanted, or the best one if want is empty or runtimes.StartAuto, and why it is that
// one.
//
// # Errors
//
// A *runtimes.ModuleError says that the kind which is wanted is not possible. The kind is returned all the same.
func (p Program) Choose(want string) (kind, why string, err error) {
	if want != "" && want != runtimes.StartAuto {
		return want, "it was asked for", p.refuse(want)
	}
	kind = p.best()
	return kind, p.reason(kind), nil
}

// best returns the best kind of those that change nothing for the process.
func (p Program) best() string {
	slow := p.Park == "" && p.Fuel >= slowStart
	switch {
	case slow && p.Reuse == "" && (p.Renews || !p.Draws):
		return runtimes.StartCheckpoint
	case slow:
		return runtimes.StartPrefork
	case p.Reuse == "":
		return runtimes.StartReset
	}
	return runtimes.StartFresh
}

// reason says why a kind is the best one.
func (p Program) reason(kind string) string {
	switch {
	case kind == runtimes.StartCheckpoint && p.Draws:
		return fmt.Sprintf("its start takes %d units of fuel, and it renews what it draws of time and entropy", p.Fuel)
	case kind == runtimes.StartCheckpoint:
		return fmt.Sprintf("its start takes %d units of fuel, and needs neither the time nor entropy", p.Fuel)
	case kind == runtimes.StartPrefork:
		return fmt.Sprintf("its start takes %d units of fuel", p.Fuel)
	case kind == runtimes.StartFresh:
		return p.Reuse
	case p.Park != "":
		return p.Park
	}
	return fmt.Sprintf("its start takes only %d units of fuel", p.Fuel)
}

// refuse returns an error if a kind is not possible.
func (p Program) refuse(want string) error {
	var why string
	switch want {
	case runtimes.StartFresh:
	case runtimes.StartReset:
		why = p.Reuse
	case runtimes.StartPrefork:
		why = p.Park
	case runtimes.StartCheckpoint:
		if why = p.Reuse; why == "" {
			why = p.Park
		}
	default:
		return &runtimes.ModuleError{Reason: fmt.Sprintf("there is no start kind %q: use %q, or leave it empty", want, runtimes.StartAuto)}
	}
	if why == "" {
		return nil
	}
	return &runtimes.ModuleError{Reason: fmt.Sprintf("the start kind %q is not possible for this module: %s; use %q", want, why, runtimes.StartAuto)}
}
