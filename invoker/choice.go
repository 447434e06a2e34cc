package invoker

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/stats"
	"github.com/polyvoke/polyvoke/protocol"
)

// choice is what an alias means here. It never changes but for what it counts: another revision of the alias is another
// choice.
type choice struct {
	name   string // of the function
	state  protocol.AliasState
	key    protocol.JobKey
	shares []*share // as in the alias's value, one or two, but for versions that there are not
}

// share is the part of an alias's calls that one version gets.
type share struct {
	version *version
	stats   stats.Endpoint // of the calls by this revision of the alias
}

// choicesOf returns what the aliases of an entry mean, among its versions. What has not changed since stays the same. An
// alias of which there is no version means nothing: only a store that has lost something has one.
func choicesOf(e registry.Entry, all map[int]*version, was map[string]*choice) map[string]*choice {
	if len(e.Aliases) == 0 {
		return nil
	}
	choices := map[string]*choice{}
	for alias, s := range e.Aliases {
		c := &choice{name: e.Name, state: s}
		c.key, _ = protocol.ParseKey(s.Value.Key) // the registry has checked it
		for _, w := range s.Value.To {
			if v := all[w.Version]; v != nil {
				c.shares = append(c.shares, &share{version: v})
			}
		}
		if len(c.shares) == 0 {
			continue
		}
		if old := was[alias]; old.same(c) {
			c = old
		}
		choices[alias] = c
	}
	return choices
}

// same reports whether two choices are of one revision and between the same versions.
func (c *choice) same(d *choice) bool {
	return c != nil && c.state.Revision == d.state.Revision && c.state.Created.Equal(d.state.Created) &&
		slices.EqualFunc(c.shares, d.shares, func(a, b *share) bool { return a.version == b.version })
}

// choose returns the share that a call belongs to.
func (c *choice) choose(r *protocol.Request) *share {
	if len(c.shares) == 1 {
		return c.shares[0]
	}
	bucket := 0
	if key := c.keyOf(r); key != "" {
		bucket = protocol.Bucket(c.name, key)
	} else {
		bucket = rand.IntN(100)
	}
	if c.state.Value.At(bucket) == c.shares[0].version.manifest.Version {
		return c.shares[0]
	}
	return c.shares[1]
}

// keyOf returns what a call has in common with those that get the same version, or "" if it may get any.
func (c *choice) keyOf(r *protocol.Request) string {
	if key := r.Header.Get(protocol.HeaderKey); key != "" {
		return key
	}
	if key := c.key.Of(r); key != "" {
		return key
	}
	return r.ID
}

// counted returns what the versions of the function have done, and what they have done for its aliases.
func (l *versions) counted() (all []protocol.VersionStats, aliases []protocol.AliasStats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n, v := range l.all {
		if v.begun > 0 {
			now := v.calls.Load()
			all = append(all, protocol.VersionStats{Version: n, Requests: max(0, v.begun-now), Errors: v.errors.Load(), InFlight: now})
		}
	}
	slices.SortFunc(all, func(a, b protocol.VersionStats) int { return a.Version - b.Version })
	for alias, c := range l.choices {
		for _, s := range c.shares {
			n, weight := s.stats.Figures(), 0
			for _, w := range c.state.Value.To {
				if w.Version == s.version.manifest.Version {
					weight = w.Weight
				}
			}
			aliases = append(aliases, protocol.AliasStats{Alias: alias, Revision: c.state.Revision,
				Version: s.version.manifest.Version, Weight: weight, Requests: n.Requests, Errors: n.Errors,
				P50: n.P50, P99: n.P99})
		}
	}
	slices.SortFunc(aliases, func(a, b protocol.AliasStats) int {
		return cmp.Or(strings.Compare(a.Alias, b.Alias), a.Version-b.Version)
	})
	return all, aliases
}
