package control

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

// noAliases is the answer to the verbs of aliases if the registry keeps none.
func noAliases() error {
	return protocol.Errorf(protocol.CodeUnknownNeed, "", "the registry of this invoker keeps no aliases")
}

// setAlias makes an alias mean something, and answers when calls follow it. What it names is loaded before.
func (s *Service) setAlias(r micro.Request) (any, error) {
	ctx, cancel := context.WithTimeout(s.context(r), deployTimeout)
	defer cancel()
	q, err := protocol.ParseAliasSetRequest(r.Data())
	if err != nil {
		return nil, err
	}
	q.Value.Of = 0
	if q.Value.Canary != nil {
		q.Value.Canary.Since = time.Now().UTC().Truncate(time.Millisecond)
	}
	return s.change(ctx, q)
}

// change carries out an AliasSetRequest.
func (s *Service) change(ctx context.Context, q protocol.AliasSetRequest) (any, error) {
	if s.Aliases == nil {
		return nil, noAliases()
	}
	begun := time.Now()
	e, err := s.entry(ctx, q.Function)
	if err != nil {
		return nil, err
	}
	release, err := s.loaded(ctx, e, q.Value)
	defer release()
	if err != nil {
		return nil, err
	}
	before := s.meant(ctx, q.Function, q.Alias)
	is, err := s.storeAlias(ctx, q)
	if err != nil {
		return nil, err
	}
	warnings, err := s.follow(ctx, is, time.Since(begun))
	if err != nil {
		return nil, err
	}
	return protocol.AliasReply{AliasState: is, Before: before, Warnings: warnings}, nil
}

// storeAlias writes an alias. If the answer of a first try was lost, what it has written is found.
func (s *Service) storeAlias(ctx context.Context, q protocol.AliasSetRequest) (is protocol.AliasState, err error) {
	tries := 0
	err = again(ctx, func() (err error) {
		tries++
		is, err = s.Aliases.SetAlias(ctx, q.Function, q.Alias, q.Value, q.Revision)
		return err
	})
	if tries > 1 && q.Revision != nil && protocol.CodeOf(err) == protocol.CodeConflict {
		if now, found := s.state(ctx, q.Function, q.Alias); found && fmt.Sprint(now.Value) == fmt.Sprint(q.Value) {
			return now, nil
		}
	}
	return is, err
}

// entry finds a function.
func (s *Service) entry(ctx context.Context, name string) (e registry.Entry, err error) {
	err = again(ctx, func() (err error) {
		e, err = s.Registry.Find(ctx, name)
		return err
	})
	return e, err
}

// loaded loads the versions that an alias names, until release is called. A version that the function does not have is
// left to the registry, which says so.
func (s *Service) loaded(ctx context.Context, e registry.Entry, a protocol.Alias) (release func(), err error) {
	var held []func()
	release = func() {
		for _, free := range held {
			free()
		}
	}
	for _, w := range a.To {
		f := e.Numbered(w.Version)
		if f == nil {
			continue
		}
		free, err := s.Host.Load(ctx, f)
		if err != nil {
			return release, fmt.Errorf("%v cannot be loaded here, so nothing is changed: %w", f.Ref(),
				deployError(e.Name, err))
		}
		held = append(held, free)
	}
	return release, nil
}

// state returns what an alias is.
func (s *Service) state(ctx context.Context, name, alias string) (protocol.AliasState, bool) {
	list, err := s.aliases(ctx, name)
	if err != nil {
		return protocol.AliasState{}, false
	}
	for _, is := range list {
		if is.Alias == alias {
			return is, true
		}
	}
	return protocol.AliasState{}, false
}

// meant returns what an alias means, or nil.
func (s *Service) meant(ctx context.Context, name, alias string) *protocol.Alias {
	is, ok := s.state(ctx, name, alias)
	if !ok || len(is.Value.To) == 0 {
		return nil
	}
	return &is.Value
}

// aliases returns the aliases of a function, or of all if name is empty.
func (s *Service) aliases(ctx context.Context, name string) (list []protocol.AliasState, err error) {
	if s.Aliases == nil {
		return nil, nil
	}
	err = again(ctx, func() (err error) {
		list, err = s.Aliases.ListAliases(ctx, name)
		return err
	})
	return list, err
}

// follow waits until calls follow an alias, here and on the other invokers, and says which of those do not.
func (s *Service) follow(ctx context.Context, is protocol.AliasState, taken time.Duration) ([]string, error) {
	if err := s.Host.AwaitAlias(ctx, is); err != nil {
		return nil, err
	}
	q := protocol.ConfirmRequest{Name: is.Function, Alias: is.Alias, Revision: is.Revision, Removed: is.Removed}
	return s.confirmed(ctx, q, taken), nil
}

// removeAlias removes an alias, and answers when calls follow that.
func (s *Service) removeAlias(r micro.Request) (any, error) {
	ctx, cancel := context.WithTimeout(s.context(r), controlTimeout)
	defer cancel()
	q, err := protocol.ParseAliasRequest(r.Data())
	if err != nil {
		return nil, err
	}
	if s.Aliases == nil {
		return nil, noAliases()
	}
	var was protocol.AliasState
	tries := 0
	err = again(ctx, func() (err error) {
		tries++
		was, err = s.Aliases.RemoveAlias(ctx, q.Function, q.Alias, q.Revision)
		return err
	})
	if err != nil && (tries == 1 || protocol.CodeOf(err) != protocol.CodeNotFound) {
		return nil, err
	}
	gone := protocol.AliasState{Function: q.Function, Alias: q.Alias, Revision: was.Revision, Removed: true}
	warnings, err := s.follow(ctx, gone, 0)
	if err != nil {
		return nil, err
	}
	out := protocol.AliasReply{AliasState: gone, Warnings: warnings}
	if len(was.Value.To) > 0 {
		out.Before = &was.Value
	}
	return out, nil
}

// listAliases answers with the aliases of a function, or of all, page by page.
func (s *Service) listAliases(r micro.Request) (any, error) {
	ctx, cancel := context.WithTimeout(s.context(r), controlTimeout)
	defer cancel()
	q, err := protocol.ParseAliasListRequest(r.Data())
	if err != nil {
		return nil, err
	}
	if s.Aliases == nil {
		return nil, noAliases()
	}
	if q.Function != "" {
		if _, err := s.entry(ctx, q.Function); err != nil {
			return nil, err
		}
	}
	list, err := s.aliases(ctx, q.Function)
	if err != nil {
		return nil, err
	}
	out, used := protocol.AliasListReply{Aliases: []protocol.AliasState{}}, 0
	for _, is := range list {
		if q.After != "" && strings.Compare(is.Function+"@"+is.Alias, q.After) <= 0 {
			continue
		}
		if used += size(is) + len(","); used > s.room() && len(out.Aliases) > 0 {
			last := out.Aliases[len(out.Aliases)-1]
			out.Next = last.Function + "@" + last.Alias
			break
		}
		out.Aliases = append(out.Aliases, is)
	}
	return out, nil
}

// history answers with what an alias has been.
func (s *Service) history(r micro.Request) (any, error) {
	ctx, cancel := context.WithTimeout(s.context(r), controlTimeout)
	defer cancel()
	q, err := protocol.ParseAliasRequest(r.Data())
	if err != nil {
		return nil, err
	}
	if s.Aliases == nil {
		return nil, noAliases()
	}
	if _, err := s.entry(ctx, q.Function); err != nil {
		return nil, err
	}
	list, err := s.past(ctx, q.Function, q.Alias)
	if err != nil {
		return nil, err
	}
	out, used := protocol.HistoryReply{Entries: []protocol.AliasState{}}, 0
	for _, is := range list {
		if used += size(is) + len(","); used > s.room() && len(out.Entries) > 0 {
			break // the newest are what matters
		}
		out.Entries = append(out.Entries, is)
	}
	return out, nil
}

// past returns the history of an alias, newest first.
func (s *Service) past(ctx context.Context, name, alias string) (list []protocol.AliasState, err error) {
	err = again(ctx, func() (err error) {
		list, err = s.Aliases.History(ctx, name, alias)
		return err
	})
	return list, err
}

// rollback puts an alias back to what it was.
func (s *Service) rollback(r micro.Request) (any, error) {
	ctx, cancel := context.WithTimeout(s.context(r), deployTimeout)
	defer cancel()
	q, err := protocol.ParseRollbackRequest(r.Data())
	if err != nil {
		return nil, err
	}
	if s.Aliases == nil {
		return nil, noAliases()
	}
	return s.RollBack(ctx, q, nil)
}

// RollBack carries out a RollbackRequest, if the alias still has the revision, unless that is nil.
func (s *Service) RollBack(ctx context.Context, q protocol.RollbackRequest, revision *uint64) (any, error) {
	e, err := s.entry(ctx, q.Function)
	if err != nil {
		return nil, err
	}
	list, err := s.past(ctx, q.Function, q.Alias)
	if err != nil {
		return nil, err
	}
	p := past{list: list, e: e}
	set := protocol.AliasSetRequest{Function: q.Function, Alias: q.Alias}
	if set.Value, err = p.back(q); err != nil {
		return nil, err
	}
	set.Value.By, set.Value.Why = q.By, q.Why
	if set.Value.Why == "" {
		set.Value.Why = "rollback"
	}
	if set.Revision = revision; revision == nil {
		set.Revision = new(p.revision())
	}
	return s.change(ctx, set)
}

// past is the history of an alias, newest first, of a function that has versions.
type past struct {
	list []protocol.AliasState
	e    registry.Entry
}

// revision returns the one that a compare-and-set of the alias needs.
func (p past) revision() uint64 {
	if len(p.list) == 0 || p.list[0].Removed {
		return 0
	}
	return p.list[0].Revision
}

// back returns what the alias is to be: all calls to the version that is asked for, or to the one that had them all
// before the present one. A rollback begins where the last one has ended, so that two of them go back twice.
func (p past) back(q protocol.RollbackRequest) (protocol.Alias, error) {
	key := ""
	if p.revision() > 0 {
		key = p.list[0].Value.Key
	}
	all := func(version int, of uint64) protocol.Alias {
		return protocol.Alias{To: []protocol.Weight{{Version: version, Weight: 100}}, Key: key, Of: of}
	}
	if q.To > 0 {
		return all(q.To, 0), nil
	}
	if p.revision() == 0 {
		return p.newestBut(q, all)
	}
	begin, now := p.list[0], p.list[0].Value
	if now.Of > 0 {
		begin.Revision = now.Of
	}
	version, steps := now.Main(), q.Steps
	if now.Split() {
		version = now.To[1].Version
	}
	for _, s := range p.list {
		v := s.Value
		if s.Revision >= begin.Revision || s.Removed || s.Damage != "" || v.Split() || v.To[0].Version == version ||
			p.e.Numbered(v.To[0].Version) == nil {
			continue
		}
		version = v.To[0].Version
		if steps--; steps == 0 {
			return all(version, s.Revision), nil
		}
	}
	return protocol.Alias{}, p.tooFar(q)
}

// newestBut goes back from the newest version, of a function without the alias: then that has all calls.
func (p past) newestBut(q protocol.RollbackRequest, all func(int, uint64) protocol.Alias) (protocol.Alias, error) {
	if i := len(p.e.Versions) - 1 - q.Steps; i >= 0 && q.Alias == protocol.AliasLive {
		return all(p.e.Versions[i].Version, 0), nil
	}
	return protocol.Alias{}, p.tooFar(q)
}

// tooFar is the error of a rollback to before the beginning.
func (p past) tooFar(q protocol.RollbackRequest) error {
	return protocol.Errorf(protocol.CodeNotFound, "roll back "+q.Function, "alias %s has no version %d steps back: "+
		"polyvoke history %s shows what it was, and polyvoke rollback %s --to VERSION takes any that is kept (%d to %d)",
		q.Alias, q.Steps, q.Function, q.Function, p.e.Versions[0].Version, p.e.Latest().Version)
}

// held says that a version which was just deployed does not get the calls by the function's name, and what to do.
func (s *Service) heldBack(ctx context.Context, e registry.Entry) (what string) {
	ctx, cancel := context.WithTimeout(ctx, warningTime)
	defer cancel()
	live := s.meant(ctx, e.Name, protocol.AliasLive)
	if live == nil {
		return ""
	}
	latest := e.Latest().Version
	for _, w := range live.To {
		if w.Version == latest && !live.Split() {
			return ""
		}
		if w.Version == latest {
			return fmt.Sprintf("fn.%s answers with version %d for %d %% of the calls (alias live): polyvoke promote %s",
				e.Name, latest, w.Weight, e.Name)
		}
	}
	return fmt.Sprintf("fn.%s still answers with %v (alias live): polyvoke promote %s", e.Name, live, e.Name)
}
