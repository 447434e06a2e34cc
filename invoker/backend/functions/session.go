package functions

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// session is /fn as one run sees it. One goroutine at a time uses it.
type session struct {
	r         *resource
	t         *backend.Transaction
	exchanges map[string]*exchange // by path
	waiting   []*exchange          // whose requests are written and not sent, in order
	made      []int                // calls, by the index of the grant
	calls     int                  // all of them
	sent      int64                // bytes of requests, and what exchanges take
	came      int64                // bytes of replies
	said      map[string]bool      // what the function's log has been told
}

var (
	_ backend.Sender   = (*session)(nil)
	_ backend.Effector = (*session)(nil)
)

// Tree implements backend.Session.
func (s *session) Tree() files.Tree { return tree{s} }

// Effective implements backend.Effector.
func (s *session) Effective() bool { return s.calls > 0 }

// End implements backend.Session. A call that the run no longer waits for ends with the transaction.
func (s *session) End() {}

// Send implements backend.Sender: it sends the requests whose replies the run has not read.
func (s *session) Send(ctx context.Context) error {
	for _, e := range slices.Clone(s.waiting) {
		if err := s.call(ctx, e); err != nil {
			return protocol.Errorf(protocol.CodeBadOutput, "", "%s was written, but not called: %w", s.name(e), err)
		}
		if e.answer.failed != nil {
			return protocol.Errorf(protocol.CodeBadOutput, "",
				"%s was written and not read, and so called at the end, which failed with code %d: %s", s.name(e),
				e.answer.status, strings.TrimSpace(string(e.answer.failed)))
		}
	}
	return nil
}

// name returns where a process sees an exchange.
func (s *session) name(e *exchange) string { return s.r.Mount() + "/" + e.path }

// exchange returns the exchange that a target is of, made if there is none.
func (s *session) exchange(t target) (*exchange, error) {
	if e := s.exchanges[t.path]; e != nil {
		return e, nil
	}
	e := &exchange{target: t}
	if err := s.take(s.cost(e)); err != nil {
		return nil, err
	}
	if s.exchanges == nil {
		s.exchanges = map[string]*exchange{}
	}
	s.exchanges[t.path] = e
	return e, nil
}

// cost is what an exchange takes besides its request.
func (s *session) cost(e *exchange) int64 { return files.EntryCost + int64(len(e.path)) }

// take takes room for what the run writes, or gives it back if n is below 0.
func (s *session) take(n int64) error {
	if n > s.t.Output-s.sent && n > 0 {
		s.say("/fn: requests of more than limits.output (%d bytes) are waiting: read their replies, or raise it", s.t.Output)
		return files.ErrNoSpace
	}
	s.sent += n
	return nil
}

// leave forgets an exchange if nobody could tell.
func (s *session) leave(e *exchange) {
	if e.idle() && s.exchanges[e.path] == e {
		delete(s.exchanges, e.path)
		_ = s.take(-s.cost(e))
	}
}

// renew begins an exchange anew: with an empty request that waits.
func (s *session) renew(e *exchange) {
	s.drop(e)
	e.pending = true
	s.waiting = append(s.waiting, e)
}

// drop forgets request and reply.
func (s *session) drop(e *exchange) {
	if e.answer != nil {
		s.came -= e.answer.size()
		e.answer = nil
	}
	_ = s.take(-int64(len(e.request)))
	e.request, e.pending, e.broken = nil, false, false
	s.waiting = slices.DeleteFunc(s.waiting, func(w *exchange) bool { return w == e })
}

// size returns what an answer takes.
func (a *answer) size() int64 { return int64(len(a.body) + len(a.header) + len(a.failed)) }

// maxSaid is how many different lines the function's log is told.
const maxSaid = 100

// say tells the function's log something, once.
func (s *session) say(format string, a ...any) {
	text := protocol.CleanValue(fmt.Sprintf(format, a...), 2*protocol.MaxErrorText)
	if s.t.Log == nil || s.said[text] || len(s.said) >= maxSaid {
		return
	}
	if s.said == nil {
		s.said = map[string]bool{}
	}
	s.said[text] = true
	s.t.Log(text)
}
