package registry

import (
	"maps"
	"sync"

	"github.com/polyvoke/polyvoke/protocol"
)

// merger puts together what the watches of records and of aliases bring. Its methods may be called from several
// goroutines.
type merger struct {
	out *feed

	mu      sync.Mutex
	entries map[string]Entry // what was told last of each function, but for those that cannot be read
	aliases map[string]map[string]protocol.AliasState
}

func newMerger() *merger {
	return &merger{out: newFeed(), entries: map[string]Entry{}, aliases: map[string]map[string]protocol.AliasState{}}
}

// add tells of a change of a record.
func (m *merger) add(c Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(c.Entry.Versions) > 0 {
		c.Entry.Aliases = maps.Clone(m.aliases[c.Name])
		m.entries[c.Name] = c.Entry
	} else {
		delete(m.entries, c.Name)
	}
	m.out.add(c)
}

// alias tells of a change of an alias. What an alias means of a function that there is not, or not yet, is told with
// the function.
func (m *merger) alias(s protocol.AliasState) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.aliases[s.Function]
	switch {
	case !s.Removed:
		if all == nil {
			all = map[string]protocol.AliasState{}
			m.aliases[s.Function] = all
		}
		all[s.Alias] = s
	case all == nil:
		return
	default:
		if delete(all, s.Alias); len(all) == 0 {
			delete(m.aliases, s.Function)
		}
	}
	if e, ok := m.entries[s.Function]; ok {
		if e.Aliases = maps.Clone(m.aliases[s.Function]); len(e.Aliases) == 0 {
			e.Aliases = nil
		}
		m.entries[s.Function] = e
		m.out.add(Change{Name: s.Function, Entry: e})
	}
}
