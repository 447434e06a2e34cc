package triggers

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

// The kinds of marks of this package: the first token of their keys in protocol.BucketMarks.
const (
	markTrigger = "trigger" // trigger.NAME.SOURCE: the stream that has a consumer of the trigger
	markPlan    = "batch"   // batch.NAME.SOURCE.WORKER: the plan of the batch that is being published
)

// planTTL is how long the plan of an invoker stays that has not come to removing it.
const planTTL = time.Duration(protocol.MaxJobAge)

// mark says that a trigger has a consumer on a stream, so that it is removed whoever learns that the trigger is gone.
func (f *Front) mark(ctx context.Context, k key, stream string) error {
	if err := f.store.Make(ctx); err != nil {
		return err
	}
	kv, err := f.js.KeyValue(ctx, protocol.BucketMarks)
	if err != nil {
		return err
	}
	name := markTrigger + "." + k.function + "." + k.source
	if old, err := kv.Get(ctx, name); err == nil && string(old.Value()) == stream {
		return nil
	}
	_, err = kv.PutString(ctx, name, stream)
	return err
}

// marked returns the streams that have consumers of triggers, by trigger.
func (f *Front) marked(ctx context.Context) (map[key]string, error) {
	all := map[key]string{}
	err := f.list(ctx, markTrigger+".>", func(e jetstream.KeyValueEntry) {
		tokens := strings.Split(e.Key(), ".")
		if len(tokens) == 3 && protocol.CheckName(tokens[1]) == nil {
			all[key{tokens[1], tokens[2]}] = string(e.Value())
		}
	})
	return all, err
}

// list tells of the marks whose keys match a pattern. A bucket that does not exist has none. A mark that goes meanwhile
// can let nats.go wait for it in vain, so the time is bounded.
func (f *Front) list(ctx context.Context, pattern string, tell func(jetstream.KeyValueEntry)) error {
	ctx, cancel := context.WithTimeout(ctx, ackLimit)
	defer cancel()
	kv, err := f.js.KeyValue(ctx, protocol.BucketMarks)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	w, err := kv.Watch(ctx, pattern, jetstream.IgnoreDeletes())
	if err != nil {
		return err
	}
	defer func() { _ = w.Stop() }() // an error means that it has stopped
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, ok := <-w.Updates():
			if !ok {
				return protocol.Errorf(protocol.CodeUnavailable, "list marks", "the bucket %s is lost", protocol.BucketMarks)
			}
			if e == nil {
				return nil
			}
			tell(e)
		}
	}
}

// unmark removes the mark of a trigger.
func (f *Front) unmark(ctx context.Context, k key) error {
	return f.drop(ctx, markTrigger+"."+k.function+"."+k.source)
}

// drop removes a mark, and all memory of it.
func (f *Front) drop(ctx context.Context, name string) error {
	stream, err := f.js.Stream(ctx, "KV_"+protocol.BucketMarks)
	if err != nil {
		return err
	}
	return stream.Purge(ctx, jetstream.WithPurgeSubject("$KV."+protocol.BucketMarks+"."+name))
}

// putPlan writes down which batch is published next, in place of the last one, if all of that is a job.
func (w *worker) putPlan(ctx context.Context, p plan) error {
	if w.open || w.plan == "" {
		w.plan = strings.Join([]string{markPlan, w.name, w.trigger.SourceID(), uuid.NewString()}, ".")
	}
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	subject := "$KV." + protocol.BucketMarks + "." + w.plan
	if prefix := objects.APIPrefix(w.f.js); prefix != jetstream.DefaultAPIPrefix {
		subject = prefix + subject // leaf nodes let $KV through only there
	}
	w.open = true
	_, err = w.f.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: text,
		Header: nats.Header{jetstream.MsgTTLHeader: {planTTL.String()}}})
	return err
}

// plans returns the plans of all workers for the trigger.
func (w *worker) plans(ctx context.Context) (all []plan, err error) {
	pattern := strings.Join([]string{markPlan, w.name, w.trigger.SourceID(), "*"}, ".")
	err = w.f.list(ctx, pattern, func(e jetstream.KeyValueEntry) {
		if p, ok := parsePlan(e.Value()); ok {
			all = append(all, p)
		}
	})
	return all, err
}

// dropPlan removes the plan of a worker whose events have all become jobs. If that fails, it stays until its time is
// over, and does no harm.
func (w *worker) dropPlan() {
	if w.open || w.plan == "" || !w.f.js.Conn().IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), ackLimit)
	defer cancel()
	if err := w.f.drop(ctx, w.plan); err != nil {
		w.log.Debug("a plan was not removed", "err", err)
	}
}
