package registry

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

// BucketAliases is the KV bucket of aliases: NAME.ALIAS -> a protocol.Alias in JSON. Its history is what a rollback goes
// back through. It is made when the first alias is set.
const BucketAliases = "fn_aliases"

var _ Aliases = (*JetStream)(nil)

// An alias and the record of its function are in different streams, so that no single compare-and-set can say both: a
// Put could drop a version while an alias is made to mean it. Therefore each looks at the other's stream once more when
// it has written. SetAlias takes back what names a version that is gone, and Put puts back a version that is named; one
// of the two has seen what the other did.

// aliased is the state of an alias in the bucket.
type aliased struct {
	protocol.AliasState
	raw  []byte // nil if it is not there
	seq  uint64 // what a compare-and-set compares; 0 if there never was one
	past bool   // it has a history, be it one that ends with its removal
}

// aliasSubject returns the subject of an alias. "*" is every alias, or those of every function.
func aliasSubject(name, alias string) string {
	return "$KV." + BucketAliases + "." + name + "." + alias
}

// parseAliasKey reads the key of an alias in its bucket.
func parseAliasKey(key string) (name, alias string, ok bool) {
	name, alias, ok = strings.Cut(key, ".")
	return name, alias, ok && checkAliased(name, alias) == nil
}

// aliasBucket opens the bucket of aliases. It is nil if there is none, and none is to be made.
func (r *JetStream) aliasBucket(ctx context.Context, make bool) (jetstream.KeyValue, error) {
	ctx, cancel := context.WithTimeout(ctx, objects.RoundTrip)
	defer cancel()
	var kv jetstream.KeyValue
	var err error
	for range 5 { // a removal waits for it, so a question that a cut connection has lost is asked again soon
		asking, end := context.WithTimeout(ctx, objects.RoundTrip/5)
		kv, err = r.js.KeyValue(asking, BucketAliases)
		end()
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			break
		}
	}
	switch {
	case err == nil || !objects.Gone(err):
		return kv, err
	case !make:
		return nil, nil
	}
	kv, err = r.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: BucketAliases, History: KeepHistory,
		Description: "polyvoke: which versions names mean, and have meant", Replicas: r.cfg.Replicas})
	if errors.Is(err, jetstream.ErrBucketExists) {
		return r.js.KeyValue(ctx, BucketAliases)
	}
	return kv, err
}

// readAlias asks the leader for an alias.
func (r *JetStream) readAlias(ctx context.Context, name, alias string) (aliased, error) {
	a := aliased{AliasState: protocol.AliasState{Function: name, Alias: alias, Removed: true}}
	m, err := objects.Last(ctx, r.js, "KV_"+BucketAliases, aliasSubject(name, alias))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return a, nil
	}
	if err != nil {
		return a, err
	}
	a.seq, a.Revision, a.Created = m.Sequence, m.Sequence, m.Time.UTC()
	operation := m.Header.Get("KV-Operation")
	if operation == "" {
		a.read(m.Data)
	}
	a.past = operation != "PURGE"
	return a, nil
}

// read takes over a stored value.
func (a *aliased) read(value []byte) {
	var err error
	a.Removed, a.raw = false, slices.Concat([]byte{}, value)
	if a.Value, err = decodeAlias(value); err != nil {
		a.Damage = protocol.CleanValue(err.Error(), protocol.MaxErrorText)
	}
}

// readAliases asks the leader for the aliases of a function, or of all if name is "*", also those that were removed.
func (r *JetStream) readAliases(ctx context.Context, name string) ([]aliased, error) {
	stream, err := r.js.Stream(ctx, "KV_"+BucketAliases)
	if err != nil {
		if objects.Gone(err) {
			err = nil
		}
		return nil, err
	}
	subjects, err := objects.Subjects(ctx, stream, aliasSubject(name, "*"))
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var all []aliased
	err = objects.Each(ctx, maps.Keys(subjects), func(ctx context.Context, subject string) error {
		name, alias, ok := parseAliasKey(strings.TrimPrefix(subject, "$KV."+BucketAliases+"."))
		if !ok {
			return nil // nobody of us has written that
		}
		a, err := r.readAlias(ctx, name, alias)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, a)
		return err
	})
	slices.SortFunc(all, func(a, b aliased) int {
		return cmp.Or(strings.Compare(a.Function, b.Function), strings.Compare(a.Alias, b.Alias))
	})
	return all, err
}

// ListAliases implements Aliases.
func (r *JetStream) ListAliases(ctx context.Context, name string) ([]protocol.AliasState, error) {
	if name == "" {
		name = "*"
	} else if err := protocol.CheckName(name); err != nil {
		return nil, err
	}
	ctx, cancel := objects.Bound(ctx, listing)
	defer cancel()
	all, err := r.readAliases(ctx, name)
	if err != nil {
		return nil, objects.Error("list aliases", err)
	}
	list := []protocol.AliasState{}
	for _, a := range all {
		if !a.Removed {
			list = append(list, a.AliasState)
		}
	}
	return list, nil
}

// History implements Aliases.
func (r *JetStream) History(ctx context.Context, name, alias string) ([]protocol.AliasState, error) {
	if err := checkAliased(name, alias); err != nil {
		return nil, err
	}
	ctx, cancel := objects.Bound(ctx, listing)
	defer cancel()
	list, err := r.history(ctx, name, alias)
	return list, objects.Error("history of "+name, err)
}

func (r *JetStream) history(ctx context.Context, name, alias string) ([]protocol.AliasState, error) {
	kv, err := r.aliasBucket(ctx, false)
	if err != nil || kv == nil {
		return nil, err
	}
	entries, err := kv.History(ctx, name+"."+alias)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	var list []protocol.AliasState
	for _, e := range slices.Backward(entries) {
		s := aliasOf(e, name, alias).AliasState
		if n := len(list); n == 0 || s.Revision < list[n-1].Revision { // a consumer that was made anew begins anew
			list = append(list, s)
		}
	}
	return list, err
}

// aliasOf returns the alias that a KV watch has brought.
func aliasOf(e jetstream.KeyValueEntry, name, alias string) aliased {
	a := aliased{seq: e.Revision(), AliasState: protocol.AliasState{Function: name, Alias: alias, Removed: true,
		Revision: e.Revision(), Created: e.Created().UTC()}}
	if e.Operation() == jetstream.KeyValuePut {
		a.read(e.Value())
	}
	return a
}

// SetAlias implements Aliases.
func (r *JetStream) SetAlias(ctx context.Context, name, alias string, a protocol.Alias,
	revision *uint64) (protocol.AliasState, error) {
	if err := errors.Join(checkAliased(name, alias), a.Check()); err != nil {
		return protocol.AliasState{}, err
	}
	ctx, cancel := objects.Bound(ctx, whole)
	defer cancel()
	op := "set alias " + name + "@" + alias
	for try := range attempts {
		s, again, err := r.setAlias(ctx, op, name, alias, a, revision)
		if !again {
			return s, objects.Error(op, err)
		}
		if err := backOff(ctx, try); err != nil {
			return s, objects.Error(op, err)
		}
	}
	return protocol.AliasState{}, contended(op)
}

// setAlias is one try of SetAlias.
func (r *JetStream) setAlias(ctx context.Context, op, name, alias string, a protocol.Alias,
	revision *uint64) (s protocol.AliasState, again bool, err error) {
	if err := r.checkNamed(ctx, op, name, a); err != nil {
		return s, false, err
	}
	kv, err := r.aliasBucket(ctx, true)
	if err != nil {
		return s, false, err
	}
	was, err := r.readAlias(ctx, name, alias)
	if err != nil {
		return s, false, err
	}
	if err := checkRevision(op, was.AliasState, revision); err != nil {
		return s, false, err
	}
	if was.raw != nil && was.Damage == "" && sameAlias(was.Value, a) {
		return was.AliasState, false, nil
	}
	if was.raw == nil {
		list, err := r.ListAliases(ctx, name)
		if err := errors.Join(err, checkRoom(op, name, len(list))); err != nil {
			return s, false, err
		}
	}
	b, err := json.Marshal(a)
	if err != nil {
		return s, false, err
	}
	is, err := r.writeAlias(ctx, kv, was, b)
	if err != nil {
		return s, lost(err), err // with a revision, the next try says that it is not the newest
	}
	if err := r.checkNamed(ctx, op, name, a); protocol.CodeOf(err) == protocol.CodeNotFound {
		return s, false, errors.Join(err, r.takeBack(context.WithoutCancel(ctx), kv, is, was))
	}
	return is.AliasState, false, nil
}

// checkNamed returns an error if a function does not have the versions that an alias names.
func (r *JetStream) checkNamed(ctx context.Context, op, name string, a protocol.Alias) error {
	rec, err := r.read(ctx, name)
	switch {
	case err != nil:
		return err
	case !rec.there():
		return notFound(op, name)
	case rec.err != nil:
		return r.broken(op, name, rec.err)
	}
	return rec.entry.checkNamed(a)
}

// writeAlias replaces an alias by compare-and-set, and returns what it is then.
func (r *JetStream) writeAlias(ctx context.Context, kv jetstream.KeyValue, was aliased, b []byte) (aliased, error) {
	limited, cancel := context.WithTimeout(ctx, objects.RoundTrip)
	defer cancel()
	_, err := kv.Update(limited, was.Function+"."+was.Alias, b, was.seq)
	if lost(err) {
		return was, err
	}
	is, again := r.readAlias(ctx, was.Function, was.Alias)
	switch {
	case err == nil && again != nil:
		return is, again
	case err == nil && is.seq > was.seq: // it may be somebody else's by now, and that is fine
		return is, nil
	case again == nil && is.seq > was.seq && bytes.Equal(is.raw, b): // the confirmation was lost
		return is, nil
	}
	return is, err
}

// takeBack makes an alias what it was before, unless somebody has changed it since.
func (r *JetStream) takeBack(ctx context.Context, kv jetstream.KeyValue, is, was aliased) error {
	ctx, cancel := context.WithTimeout(ctx, objects.RoundTrip)
	defer cancel()
	key := is.Function + "." + is.Alias
	var err error
	if was.raw == nil {
		err = kv.Delete(ctx, key, jetstream.LastRevision(is.seq))
	} else {
		_, err = kv.Update(ctx, key, was.raw, is.seq)
	}
	if lost(err) {
		return nil
	}
	return err
}

// RemoveAlias implements Aliases.
func (r *JetStream) RemoveAlias(ctx context.Context, name, alias string, revision *uint64) (protocol.AliasState, error) {
	if err := checkAliased(name, alias); err != nil {
		return protocol.AliasState{}, err
	}
	ctx, cancel := objects.Bound(ctx, whole)
	defer cancel()
	op := "remove alias " + name + "@" + alias
	for try := range attempts {
		kv, err := r.aliasBucket(ctx, false)
		if err != nil {
			return protocol.AliasState{}, objects.Error(op, err)
		}
		if kv == nil {
			return protocol.AliasState{}, noAlias(op, name, alias)
		}
		was, err := r.readAlias(ctx, name, alias)
		switch {
		case err != nil:
			return protocol.AliasState{}, objects.Error(op, err)
		case was.raw == nil:
			return protocol.AliasState{}, noAlias(op, name, alias)
		}
		if err := checkRevision(op, was.AliasState, revision); err != nil {
			return protocol.AliasState{}, err
		}
		if err = kv.Delete(ctx, name+"."+alias, jetstream.LastRevision(was.seq)); !lost(err) {
			return was.AliasState, objects.Error(op, err)
		}
		if err := backOff(ctx, try); err != nil {
			return protocol.AliasState{}, objects.Error(op, err)
		}
	}
	return protocol.AliasState{}, contended(op)
}

// forgetAliases removes the aliases of a function with their history, also of those that were removed before: the next
// function of that name is another one.
func (r *JetStream) forgetAliases(ctx context.Context, name string) error {
	kv, err := r.aliasBucket(ctx, false)
	if err != nil || kv == nil {
		return err
	}
	all, err := r.readAliases(ctx, name)
	for _, a := range all {
		if a.past {
			err = errors.Join(err, kv.Purge(ctx, a.Function+"."+a.Alias))
		}
	}
	return err
}

// named returns which versions of a function its aliases name.
func (r *JetStream) named(ctx context.Context, name string) (named, error) {
	all, err := r.readAliases(ctx, name)
	var states []protocol.AliasState
	for _, a := range all {
		if a.Removed {
			continue
		}
		list, again := r.history(ctx, name, a.Alias)
		err = errors.Join(err, again)
		states = append(states, a.AliasState) // as the leader knows it; the history may come from elsewhere
		for _, s := range list {
			if s.Revision < a.Revision {
				states = append(states, s)
			}
		}
	}
	return namedBy(states), err
}
