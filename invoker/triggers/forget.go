package triggers

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// forget removes the consumers of triggers that have been gone for a while, and with them their positions. Between two
// looks a function may be deployed again, or its record come back.
func (f *Front) forget(ctx context.Context) {
	if !f.whole() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	marked, err := f.marked(ctx)
	if err != nil {
		f.log.Debug("the triggers that are gone cannot be listed now", "err", err)
		return
	}
	for k, stream := range marked {
		since, known := f.since[k]
		switch gone := f.isGone(ctx, k); {
		case !gone:
			delete(f.since, k)
		case !known:
			f.since[k] = time.Now()
		case time.Since(since) >= f.config.Grace:
			f.remove(ctx, k, stream)
		}
	}
}

// whole reports whether all functions are known.
func (f *Front) whole() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.synced
}

// isGone reports whether a function has a trigger no more. A function that this invoker cannot serve has its triggers.
func (f *Front) isGone(ctx context.Context, k key) bool {
	f.mu.Lock()
	fn, removed := f.wanted[k.function], f.gone[k.function]
	f.mu.Unlock()
	if fn != nil {
		for _, t := range fn.Triggers {
			if stream, _ := t.SourceStream(); stream != "" && t.SourceID() == k.source {
				return false
			}
		}
		return true
	}
	if removed {
		return true
	}
	if f.config.Known == nil {
		return false
	}
	exists, err := f.config.Known(ctx, k.function)
	return err == nil && !exists
}

// remove removes the consumer of a trigger, and then the mark that has told of it.
func (f *Front) remove(ctx context.Context, k key, stream string) {
	err := f.js.DeleteConsumer(ctx, stream, "fn-"+k.function+"-"+k.source)
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		err = nil
	}
	if err == nil {
		err = f.unmark(ctx, k)
	}
	if err != nil {
		f.log.Warn("the position of a trigger that is gone was not removed", "function", k.function, "stream", stream,
			"err", err)
		return
	}
	f.log.Info("the position of a trigger that is gone was removed", "function", k.function, "stream", stream)
	delete(f.since, k)
}
