package wasi

import (
	"fmt"
	"slices"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
)

// checkMounts refuses trees of a process that have no place.
func (g *program) checkMounts(p *runtimes.Process) error {
	for i, own := range p.Mounts {
		switch at := slices.IndexFunc(g.mounts, func(m preview1.Mount) bool { return m.Path == own.Path }); {
		case at < 0:
			return fmt.Errorf("the process has a tree at %q, which is no mount of its program: "+
				"name it in Options.Mounts", own.Path)
		case g.mounts[at].Tree != nil:
			return fmt.Errorf("the process has a tree at %q, where its program has one: "+
				"leave that out of Options.Mounts", own.Path)
		case slices.ContainsFunc(p.Mounts[:i], func(m runtimes.Mount) bool { return m.Path == own.Path }):
			return fmt.Errorf("the process has two trees at %q", own.Path)
		}
	}
	return nil
}
