package connect

import (
	"context"

	"github.com/polyvoke/polyvoke/invoker/denials"
)

// Listening waits until the server has taken a subscription to a subject: from then on it passes on what comes there.
// The error's code is 403 if the server does not permit it.
func (s *Session) Listening(ctx context.Context, subject string) error {
	asking, permitted := s.Permitted(ctx, subject)
	if err := permitted(s.FlushWithContext(asking)); err != nil {
		return err
	}
	// The handler of errors may not have been called yet, but the refusal came before the answer to the flush.
	if d, ok := denials.Parse(s.LastError()); ok && d.Subscription && d.Subject == subject {
		return d.Refusal()
	}
	return nil
}
