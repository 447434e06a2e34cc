package contestant

import (
	"context"
	"fmt"
	"time"
)

// startPatience is how long calls may start in another way than the one that was asked for.
const startPatience = 10 * time.Second

// askAgain is the time between two calls that ask how they started.
const askAgain = 50 * time.Millisecond

// awaitStart makes calls until one started as wanted: a process that starts ahead of its call may not be there at
// first. It is an error if a call fails, and if none started so in time.
func awaitStart(ctx context.Context, want string, call func(context.Context) (start string, err error)) error {
	limited, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	again := time.NewTicker(askAgain)
	defer again.Stop()
	start := "nothing"
	for limited.Err() == nil {
		var err error
		if start, err = call(ctx); err != nil || start == want {
			return err
		}
		select {
		case <-again.C:
		case <-limited.Done():
		}
	}
	return fmt.Errorf("asked for %s, the runtime started %s: %w", want, start, limited.Err())
}
