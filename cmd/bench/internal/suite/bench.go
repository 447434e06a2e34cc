package suite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/contestant"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/guest"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/worker"
)

// Bench is one run of the benchmark.
type Bench struct {
	Dir   string        // for what is built and compiled
	Only  string        // contestants whose names contain this, besides the bases; empty means all
	Quick bool          // few short slices of few loads
	Log   func(string)  // what is going on
	Self  []string      // the command that makes this program a worker
	Slice time.Duration // about how long a slice is
	Turns int           // how many slices each contestant has
	// Profile is a folder for profiles of polyvoke's processes that answer through NATS. Empty means none.
	Profile string
	// Toolchain has the compilers and interpreters of the programs that compute.
	Toolchain guest.Toolchain
	// Load matches the names of the programs that compute and take part. Nil means all.
	Load *regexp.Regexp
	Results

	guests map[string]*guest.Guest
}

// Run takes the figures of a suite.
func (b *Bench) Run(ctx context.Context, name string) error {
	suites := map[string]func(context.Context) error{
		InProcess: b.inProcess, Through: b.throughNATS, Scaling: b.scaling, Metering: b.metering, Allocs: b.allocs,
		Compute: b.compute,
	}
	run, ok := suites[name]
	if !ok {
		return fmt.Errorf("there is no suite %q; there are %s", name, strings.Join(Names(), ", "))
	}
	return run(ctx)
}

// errAbsent is why something cannot be done with a guest that cannot be had; the notes say more.
var errAbsent = errors.New("this program cannot be had here")

// guest builds a guest, or says in the notes why it cannot be had.
func (b *Bench) guest(r guest.Recipe) *guest.Guest {
	if g, ok := b.guests[r.Name]; ok {
		return g
	}
	b.Log("building " + r.Name)
	g, err := r.Build(b.Dir)
	if err != nil {
		b.Notes = append(b.Notes, "absent: "+err.Error())
		b.Log("absent: " + err.Error())
	}
	if b.guests == nil {
		b.guests = map[string]*guest.Guest{}
	}
	b.guests[r.Name] = g
	return g
}

// named builds the guest of a name.
func (b *Bench) named(name string) *guest.Guest {
	for _, r := range guest.Recipes() {
		if r.Name == name {
			return b.guest(r)
		}
	}
	return nil
}

// recipes returns the guests that are measured.
func (b *Bench) recipes() []guest.Recipe {
	all := guest.Recipes()
	if b.Quick {
		return all[:3]
	}
	return all
}

// contestants returns those that take part.
func (b *Bench) contestants() (out []contestant.Contestant) {
	for _, c := range contestant.All() {
		if strings.Contains(c.Name, b.Only) || c.Name == contestant.Base || c.Name == contestant.Native {
			out = append(out, c)
		}
	}
	return out
}

// start starts a worker of this program.
func (b *Bench) start(env ...string) (*worker.Worker, error) {
	return worker.Start(b.Self[0], b.Self[1:], env...)
}

// open starts a worker that is a contestant, ready for a guest.
func (b *Bench) open(c contestant.Contestant, g *guest.Guest, env ...string) (*worker.Worker, error) {
	cache := filepath.Join(b.Dir, "cache")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return nil, err
	}
	var w *worker.Worker
	var err error
	if c.Worker != nil {
		name, args, wrong := c.Worker(b.Dir)
		if wrong != nil {
			return nil, wrong
		}
		w, err = worker.Start(name, args, env...)
	} else {
		w, err = b.start(env...)
	}
	if err != nil {
		return nil, err
	}
	if _, err := w.Ask(worker.Request{Op: worker.OpOpen, Contestant: c.Name, Guest: g, Cache: cache}); err != nil {
		_ = w.Close()
		return nil, err
	}
	return w, nil
}

// chosen reports whether a program that computes takes part.
func (b *Bench) chosen(l guest.Load) bool { return b.Load == nil || b.Load.MatchString(l.Name) }
