package buckets

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
)

// ownPrefix is what keys and names begin with that belong to polyvoke.
const ownPrefix = "_fn/"

// MaxEntryName is the length of the longest key or name, in bytes.
const MaxEntryName = 1000

// keys is a bucket of keys.
type keys struct {
	kv      jetstream.KeyValue
	kind    Kind
	bucket  string
	payload int64 // bytes of the largest message
}

// List implements Store.
func (s keys) List(ctx context.Context, prefix string) ([]Entry, error) {
	watch, err := s.kv.WatchAll(ctx, jetstream.IgnoreDeletes(), jetstream.MetaOnly())
	if err != nil {
		return nil, s.kind.failed(s.bucket, err)
	}
	defer watch.Stop()
	var all []Entry
	for {
		select {
		case <-ctx.Done():
			return nil, s.kind.failed(s.bucket, ctx.Err())
		case e := <-watch.Updates():
			if e == nil {
				slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
				return all, nil
			}
			if strings.HasPrefix(e.Key(), prefix) && !strings.HasPrefix(e.Key(), ownPrefix) {
				all = append(all, Entry{Name: e.Key(), Size: -1, Revision: e.Revision(), Time: e.Created()})
			}
		}
	}
}

// Get implements Store.
func (s keys) Get(ctx context.Context, name string, w io.Writer) (Entry, error) {
	if err := s.Check(name, 0); err != nil {
		return Entry{}, err
	}
	e, err := s.kv.Get(ctx, name)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return Entry{}, s.kind.missing(s.bucket, name)
	case err != nil:
		return Entry{}, s.kind.failed(s.bucket, err)
	}
	_, err = w.Write(e.Value())
	return Entry{Name: name, Size: int64(len(e.Value())), Revision: e.Revision(), Time: e.Created()}, err
}

// Put implements Store.
func (s keys) Put(ctx context.Context, name string, r io.Reader, size int64) (Entry, error) {
	if err := s.Check(name, max(size, 0)); err != nil {
		return Entry{}, err
	}
	b, err := io.ReadAll(io.LimitReader(r, s.payload+1))
	if err == nil {
		err = s.Check(name, int64(len(b)))
	}
	if err != nil {
		return Entry{}, err
	}
	revision, err := s.kv.Put(ctx, name, b)
	return Entry{Name: name, Size: int64(len(b)), Revision: revision}, s.kind.failed(s.bucket, err)
}

// Delete implements Store.
func (s keys) Delete(ctx context.Context, name string) error {
	e, err := s.Get(ctx, name, io.Discard)
	if err != nil {
		return err
	}
	err = s.kv.Delete(ctx, name, jetstream.LastRevision(e.Revision))
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		return protocol.Errorf(protocol.CodeConflict, "", "%s was changed meanwhile: look at it, and try again", name)
	}
	return s.kind.failed(s.bucket, err)
}

// Check implements Store.
func (s keys) Check(name string, size int64) error {
	other := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_/=.", r)
	}
	switch {
	case name == "" || len(name) > MaxEntryName || strings.ContainsFunc(name, other) || name[0] == '.' ||
		name[len(name)-1] == '.' || strings.Contains(name, ".."):
		return protocol.Errorf(protocol.CodeBadRequest, "", "%.200q cannot be a key: it has 1 to %d letters, digits, - _ / = "+
			"and dots, and no dot at an end or behind another", name, MaxEntryName)
	case strings.HasPrefix(name, ownPrefix):
		return protocol.Errorf(protocol.CodeBadRequest, "", "%.200q is polyvoke's own, as all keys are that begin with %s",
			name, ownPrefix)
	case size > s.payload:
		return protocol.Errorf(protocol.CodeTooLarge, "", "%s has more than the %d bytes that a message of this server has: "+
			"put it into an object store (polyvoke obj put), or raise max_payload", name, s.payload)
	}
	return nil
}

// objects is a bucket of objects.
type objects struct {
	store  jetstream.ObjectStore
	kind   Kind
	bucket string
}

// entry returns what is known of an object.
func entry(o *jetstream.ObjectInfo) Entry {
	return Entry{Name: o.Name, Size: int64(o.Size), Digest: o.Digest, Time: o.ModTime}
}

// List implements Store.
func (s objects) List(ctx context.Context, prefix string) ([]Entry, error) {
	list, err := s.store.List(ctx)
	if err != nil && !errors.Is(err, jetstream.ErrNoObjectsFound) {
		return nil, s.kind.failed(s.bucket, err)
	}
	var all []Entry
	for _, o := range list {
		if strings.HasPrefix(o.Name, prefix) && !strings.HasPrefix(o.Name, ownPrefix) {
			all = append(all, entry(o))
		}
	}
	slices.SortFunc(all, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Get implements Store.
func (s objects) Get(ctx context.Context, name string, w io.Writer) (Entry, error) {
	if err := s.Check(name, 0); err != nil {
		return Entry{}, err
	}
	o, err := s.store.Get(ctx, name)
	switch {
	case errors.Is(err, jetstream.ErrObjectNotFound):
		return Entry{}, s.kind.missing(s.bucket, name)
	case err != nil:
		return Entry{}, s.kind.failed(s.bucket, err)
	}
	defer o.Close()
	info, err := o.Info()
	if err == nil {
		_, err = io.Copy(w, o)
	}
	if err != nil {
		return Entry{}, s.kind.failed(s.bucket, err)
	}
	return entry(info), nil
}

// Put implements Store.
func (s objects) Put(ctx context.Context, name string, r io.Reader, _ int64) (Entry, error) {
	if err := s.Check(name, 0); err != nil {
		return Entry{}, err
	}
	if r == nil {
		r = bytes.NewReader(nil)
	}
	o, err := s.store.Put(ctx, jetstream.ObjectMeta{Name: name}, r)
	if err != nil {
		return Entry{}, s.kind.failed(s.bucket, err)
	}
	return entry(o), nil
}

// Delete implements Store.
func (s objects) Delete(ctx context.Context, name string) error {
	if err := s.Check(name, 0); err != nil {
		return err
	}
	err := s.store.Delete(ctx, name)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return s.kind.missing(s.bucket, name)
	}
	return s.kind.failed(s.bucket, err)
}

// Check implements Store.
func (s objects) Check(name string, _ int64) error {
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	switch {
	case name == "" || len(name) > MaxEntryName || !utf8.ValidString(name) || strings.ContainsFunc(name, control):
		return protocol.Errorf(protocol.CodeBadRequest, "", "%.200q cannot be the name of an object: it has 1 to %d bytes of "+
			"UTF-8 without control characters", name, MaxEntryName)
	case strings.HasPrefix(name, ownPrefix):
		return protocol.Errorf(protocol.CodeBadRequest, "", "%.200q is polyvoke's own, as all names are that begin with %s",
			name, ownPrefix)
	}
	return nil
}

var _, _ Store = keys{}, objects{}
