package registry

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

var _ Aliases = (*Memory)(nil)

// memoryAlias is what an alias has been, oldest first.
type memoryAlias []protocol.AliasState

// now returns what the alias is.
func (a memoryAlias) now(name, alias string) protocol.AliasState {
	if len(a) == 0 {
		return protocol.AliasState{Function: name, Alias: alias, Removed: true}
	}
	return a[len(a)-1]
}

// add makes an alias something. The caller holds the lock.
func (m *Memory) add(s protocol.AliasState) protocol.AliasState {
	m.revision++
	s.Revision, s.Created = m.revision, time.Now().UTC()
	if m.aliases == nil {
		m.aliases = map[string]map[string]memoryAlias{}
	}
	if m.aliases[s.Function] == nil {
		m.aliases[s.Function] = map[string]memoryAlias{}
	}
	list := append(slices.Clone(m.aliases[s.Function][s.Alias]), s)
	m.aliases[s.Function][s.Alias] = list[max(0, len(list)-KeepHistory):]
	m.tell(Change{Name: s.Function, Entry: m.watched(s.Function)})
	return s
}

// watched returns an entry as watches have it. The caller holds the lock.
func (m *Memory) watched(name string) Entry {
	e := m.entries[name]
	for alias, list := range m.aliases[name] {
		if s := list.now(name, alias); !s.Removed {
			if e.Aliases == nil {
				e.Aliases = map[string]protocol.AliasState{}
			}
			e.Aliases[alias] = s
		}
	}
	return e
}

// named returns which versions of a function its aliases name. The caller holds the lock.
func (m *Memory) named(name string) named {
	var states []protocol.AliasState
	for _, list := range m.aliases[name] {
		states = append(states, newestFirst(list)...)
	}
	return namedBy(states)
}

// newestFirst returns a history as Aliases has it.
func newestFirst(list memoryAlias) []protocol.AliasState {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

// SetAlias implements Aliases.
func (m *Memory) SetAlias(_ context.Context, name, alias string, a protocol.Alias,
	revision *uint64) (protocol.AliasState, error) {
	if err := errors.Join(checkAliased(name, alias), a.Check()); err != nil {
		return protocol.AliasState{}, err
	}
	op := "set alias " + name + "@" + alias
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.entries[name]
	if !ok {
		return protocol.AliasState{}, notFound(op, name)
	}
	if err := e.checkNamed(a); err != nil {
		return protocol.AliasState{}, err
	}
	now := m.aliases[name][alias].now(name, alias)
	err := checkRevision(op, now, revision)
	if err == nil && now.Removed {
		err = checkRoom(op, name, len(m.watched(name).Aliases))
	}
	if err != nil {
		return protocol.AliasState{}, err
	}
	if !now.Removed && sameAlias(now.Value, a) {
		return now, nil
	}
	a.To = slices.Clone(a.To)
	return m.add(protocol.AliasState{Function: name, Alias: alias, Value: a}), nil
}

// RemoveAlias implements Aliases.
func (m *Memory) RemoveAlias(_ context.Context, name, alias string, revision *uint64) (protocol.AliasState, error) {
	if err := checkAliased(name, alias); err != nil {
		return protocol.AliasState{}, err
	}
	op := "remove alias " + name + "@" + alias
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.aliases[name][alias].now(name, alias)
	if now.Removed {
		return protocol.AliasState{}, noAlias(op, name, alias)
	}
	if err := checkRevision(op, now, revision); err != nil {
		return protocol.AliasState{}, err
	}
	m.add(protocol.AliasState{Function: name, Alias: alias, Removed: true})
	return now, nil
}

// ListAliases implements Aliases.
func (m *Memory) ListAliases(_ context.Context, name string) ([]protocol.AliasState, error) {
	if name != "" {
		if err := protocol.CheckName(name); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	list := []protocol.AliasState{}
	for function := range m.aliases {
		if name == "" || name == function {
			list = slices.AppendSeq(list, maps.Values(m.watched(function).Aliases))
		}
	}
	slices.SortFunc(list, func(a, b protocol.AliasState) int {
		return cmp.Or(strings.Compare(a.Function, b.Function), strings.Compare(a.Alias, b.Alias))
	})
	return list, nil
}

// History implements Aliases.
func (m *Memory) History(_ context.Context, name, alias string) ([]protocol.AliasState, error) {
	if err := checkAliased(name, alias); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return newestFirst(m.aliases[name][alias]), nil
}
