// Package profile lets processes write profiles of their processor time, and merges them into one by which go build
// optimizes (https://go.dev/doc/pgo).
package profile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"

	"github.com/google/pprof/profile"
)

// Start has this process write a profile to a new file in a folder. stop ends it.
func Start(dir string) (stop func() error, err error) {
	f, err := os.CreateTemp(dir, "*.pprof")
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

// Merge makes one profile of all in a folder. It has what go build reads, functions and lines by their numbers, and
// nothing of the machine.
func Merge(dir, to string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.pprof"))
	if err != nil {
		return err
	}
	var all []*profile.Profile
	for _, name := range files {
		p, err := read(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, p)
	}
	merged, err := profile.Merge(all)
	if err != nil {
		return fmt.Errorf("merging %d profiles: %w", len(all), err)
	}
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	return errors.Join(merged.Write(f), f.Close())
}

// read reads a profile, without what is the machine's.
func read(name string) (*profile.Profile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := profile.Parse(f)
	if err != nil {
		return nil, err
	}
	p.TimeNanos, p.DurationNanos = 0, 0
	for _, m := range p.Mapping {
		m.File, m.BuildID = "", ""
	}
	for _, f := range p.Function {
		f.Filename = ""
	}
	return p, nil
}
