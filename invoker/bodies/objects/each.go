package objects

import (
	"context"
	"iter"
	"sync"
)

// parallel is how many questions are under way at a time where many are asked.
const parallel = 32

// Each calls do for all items, some at a time, and returns the first error, after which it begins no more.
func Each[T any](ctx context.Context, items iter.Seq[T], do func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan T)
	var doing sync.WaitGroup
	for range parallel {
		doing.Go(func() {
			for item := range todo {
				if err := do(ctx, item); err != nil {
					cancel(err)
				}
			}
		})
	}
	for item := range items {
		if ctx.Err() != nil {
			break
		}
		todo <- item
	}
	close(todo)
	doing.Wait()
	return context.Cause(ctx)
}
