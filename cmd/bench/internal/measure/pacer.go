package measure

import (
	"context"
	"time"
)

// Pacer lets time pass between calls. It allocates once, so that what is measured is the calls'. Its zero value is
// ready, for one goroutine.
type Pacer struct{ timer *time.Timer }

// Wait returns when d has passed, or the context's error if that ends before. 0 and less is no time.
func (p *Pacer) Wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	if p.timer == nil {
		p.timer = time.NewTimer(d)
	} else {
		p.timer.Reset(d)
	}
	select {
	case <-p.timer.C:
		return nil
	case <-ctx.Done():
		p.timer.Stop()
		return ctx.Err()
	}
}
