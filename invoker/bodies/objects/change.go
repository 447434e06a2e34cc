package objects

import (
	"context"
	"errors"
	"io"

	"github.com/nats-io/nats.go/jetstream"
)

// Change is one object that is to be put or deleted with others, see Changes. Its fields up to Exact are set by whoever
// makes it, and not changed any more.
type Change struct {
	Bucket *Bucket
	// Name is that of the object.
	Name string
	// Body is what it is to contain. Nil deletes it.
	Body io.Reader
	// Base is what Stat has said about the object, if Exact is set.
	Base Object
	// Exact says that the object must still be what it is in Base. Otherwise the last one to write wins.
	Exact bool

	next Object // what is to be put; its chunks are there after Prepare
	old  Object // what was there before
	now  Object // what is there after Apply
	done bool   // it was applied
}

// Put returns what the bucket says about the object after Apply.
func (c *Change) Put() Object { return c.now }

// Changes are changes of objects that are made together: first Prepare, which nobody sees, then Apply, and then Settle
// or Undo. In a crash between two objects of Apply some are changed and others not, but each is whole; chunks that
// belong to no object may be left for Sweep.
type Changes []*Change

// Prepare uploads the chunks of all that is to be put. It returns the change that failed, and why. What it has uploaded
// then is deleted.
func (all Changes) Prepare(ctx context.Context) (failed *Change, err error) {
	for _, c := range all {
		if c.Body == nil {
			continue
		}
		var next Object
		if c.Exact { // it keeps its description and metadata
			next.Info.ObjectMeta = c.Base.Info.ObjectMeta
		}
		next.Info.Name = c.Name
		if c.next, err = c.Bucket.Upload(ctx, next, c.Body); err != nil {
			all.Undo(ctx)
			return c, err
		}
	}
	return nil, nil
}

// Apply makes all changes, those that delete last. It returns the change that failed, and why: ErrChanged if the object
// was changed meanwhile. Then all are undone.
func (all Changes) Apply(ctx context.Context) (failed *Change, err error) {
	if c, err := all.check(ctx); err != nil {
		all.Undo(ctx)
		return c, err
	}
	for _, deletes := range []bool{false, true} {
		for _, c := range all {
			if (c.Body == nil) != deletes {
				continue
			}
			if err := c.apply(ctx); err != nil {
				all.Undo(ctx)
				return c, err
			}
		}
	}
	return nil, nil
}

// check finds what cannot succeed, before anybody sees anything. One change finds that itself.
func (all Changes) check(ctx context.Context) (failed *Change, err error) {
	for _, c := range all {
		if !c.Exact || len(all) == 1 {
			continue
		}
		now, err := c.Bucket.Stat(ctx, c.Name)
		if err == nil && now.Seq != c.Base.Seq {
			err = ErrChanged
		}
		if err != nil {
			return c, err
		}
	}
	return nil, nil
}

// attempts is how often a change is tried that others are faster than.
const attempts = 10

// apply makes one change.
func (c *Change) apply(ctx context.Context) (err error) {
	for range attempts {
		c.old = c.Base
		if !c.Exact {
			if c.old, err = c.Bucket.Stat(ctx, c.Name); err != nil {
				return err
			}
		}
		if c.next.Info.NUID == "" && !c.old.Live() {
			c.now = c.old // there is nothing to delete
			return nil
		}
		if err = c.publish(ctx); err == nil || c.Exact || !errors.Is(err, ErrChanged) {
			return err
		}
	}
	return err
}

// publish says in the bucket what is now under the name.
func (c *Change) publish(ctx context.Context) (err error) {
	want := c.next
	if want.Info.NUID == "" {
		want = c.old
		want.Info.Deleted, want.Info.Size, want.Info.Chunks, want.Info.Digest, want.Info.Metadata = true, 0, 0, "", nil
	}
	want.Seq, want.Info.Name = c.old.Seq, c.Name
	if c.now, err = c.Bucket.Set(ctx, want); err != nil {
		var lost bool
		if c.now, lost = c.Bucket.lost(ctx, want, err); !lost {
			return err
		}
	}
	c.done = true
	return nil
}

// lost reports whether Set has done what it was to, although it has returned an error: only the answer was lost. The
// NUID of an upload is nobody else's.
func (b *Bucket) lost(ctx context.Context, want Object, err error) (now Object, done bool) {
	var refused *jetstream.APIError
	if errors.As(err, &refused) {
		return now, false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), RoundTrip)
	defer cancel()
	now, err = b.Stat(ctx, want.Info.Name)
	return now, err == nil && now.Seq > want.Seq &&
		now.Info.NUID == want.Info.NUID && now.Info.Deleted == want.Info.Deleted
}

// Undo puts back what was there before Apply, unless others have changed it since, and deletes what was uploaded. It
// goes on when ctx ends.
func (all Changes) Undo(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	for _, c := range all {
		if c.done {
			c.done = false
			back := c.old
			back.Seq = c.now.Seq
			if c.old.Seq == 0 { // there was never such an object
				back = c.now
				back.Info.Deleted, back.Info.Size, back.Info.Chunks, back.Info.Digest = true, 0, 0, ""
			}
			if _, err := c.Bucket.Set(ctx, back); errors.Is(err, ErrChanged) {
				c.Bucket.purge(ctx, c.old.Info.NUID) // whoever has changed it has purged ours
				continue
			} else if err != nil {
				continue // nobody knows what is there now
			}
		}
		c.Bucket.purge(ctx, c.next.Info.NUID)
	}
}

// Settle deletes the chunks of what was there before Apply. There is no way back then.
func (all Changes) Settle(ctx context.Context) {
	for _, c := range all {
		if c.done && c.old.Info.NUID != c.now.Info.NUID || c.done && c.Body == nil {
			c.Bucket.purge(ctx, c.old.Info.NUID)
		}
	}
}
