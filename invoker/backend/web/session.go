package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// session is what one run asks for, and the tree that it sees.
type session struct {
	r *resource
	t *backend.Transaction

	wishes    map[string]*wish     // by target.key
	newest    map[string]*exchange // by target.key
	all       []*exchange          // those that may hold something
	said      map[string]bool      // paths that the log has a line for
	sent      int                  // requests with an effect
	effective bool
	holding   holding
	staged    int64 // bytes of bodies that were not sent yet

	mu  sync.Mutex // of ops, which the goroutines of requests count
	ops []int      // by rule.index
}

var (
	_ backend.Effector = (*session)(nil)
	_ files.Inline     = (*session)(nil)
)

// wish is what a function has said of the requests for a URL.
type wish struct{ method, headers []byte }

// defaultOutput is the bound of a response if the function has none.
const defaultOutput = 8 << 20

// newSession returns the session of a run that has asked for nothing.
func newSession(r *resource, t *backend.Transaction) *session {
	s := &session{r: r, t: t, wishes: map[string]*wish{}, newest: map[string]*exchange{}}
	s.holding.one = t.Output
	if s.holding.one <= 0 {
		s.holding.one = defaultOutput
	}
	most := s.holding.one
	for _, one := range r.rules {
		most = max(most, one.max)
	}
	s.holding.most = heldResponses * most
	return s
}

// Tree implements backend.Session.
func (s *session) Tree() files.Tree { return s }

// Inline implements files.Inline.
func (s *session) Inline() {}

// Effective implements backend.Effector.
func (s *session) Effective() bool { return s.effective }

// End implements backend.Session. Requests that are being made end with the transaction.
func (s *session) End() {}

// take counts a request of a rule.
func (s *session) take(r *rule) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ops == nil {
		s.ops = make([]int, len(s.r.rules))
	}
	if s.ops[r.index] >= r.ops {
		return &failure{fmt.Sprintf("the call has made %d requests: raise max_ops of the grant", r.ops), files.ErrNoSpace}
	}
	s.ops[r.index]++
	return nil
}

// maxSaid is how many paths the log has a line for.
const maxSaid = 20

// fail returns the error that an operation on a name ends with, and has the log say why, once for each path.
func (s *session) fail(op, name string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return err // of Wait: the process has ended, or is told not to go on
	}
	if ended := s.t.Context().Err(); ended != nil { // and so has its request
		return ended
	}
	var why *failure
	path, _, _ := strings.Cut(name, "?") // what follows may be a secret
	if errors.As(err, &why) && why.reason != "" && !s.said[path] && len(s.said) < maxSaid && s.t.Log != nil {
		if s.said == nil {
			s.said = map[string]bool{}
		}
		s.said[path] = true
		s.t.Log(fmt.Sprintf("%s/%s: %s: %s", s.r.Mount(), clean(path), op, clean(why.reason)))
	}
	return &fs.PathError{Op: op, Path: name, Err: cause(err)}
}

// cause returns what is told to the process.
func cause(err error) error {
	var f *failure
	if errors.As(err, &f) {
		return f.err
	}
	return err
}

// clean returns a text as a line of a log has it.
func clean(s string) string {
	const most = 300
	if len(s) > most {
		s = s[:most] + "..."
	}
	quoted := strconv.QuoteToGraphic(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// methodOf returns the method of a request for a URL.
func (s *session) methodOf(t target, body bool) string {
	var method string
	if w := s.wishes[t.key()]; w != nil {
		method = strings.TrimSpace(string(w.method))
	}
	if body {
		return cmp.Or(method, http.MethodPost)
	}
	return cmp.Or(method, http.MethodGet)
}

// exchangeOf returns the exchange of a URL, with its status and headers. It makes one if there is none.
func (s *session) exchangeOf(ctx context.Context, t target) (*exchange, error) {
	e := s.newest[t.key()]
	if e == nil {
		var err error
		if e, err = s.begin(t, nil); err != nil {
			return nil, err
		}
	}
	return e, e.awaitHeaders(ctx)
}

// begin makes a request. body is nil if it has none.
func (s *session) begin(t target, body []byte) (*exchange, error) {
	q, err := s.requestOf(t, body)
	if err != nil {
		return nil, err
	}
	e := newExchange(t.key(), q.rule, q.method == http.MethodGet || q.method == http.MethodHead)
	if e.safe {
		s.t.Read()
	} else {
		s.effective = true
		s.t.Write()
	}
	s.makeRoom(q.rule)
	if kept := s.kept(q); kept == nil {
		s.start(e, q)
	} else if err := e.use(kept, &s.holding); err != nil {
		return nil, err
	}
	s.newest[e.key] = e
	s.all = append(s.all, e)
	return e, nil
}

// start makes the request of an exchange in a goroutine, which ends with the transaction.
func (s *session) start(e *exchange, q request) {
	ctx := s.t.Context()
	s.r.running.Go(func() { e.run(ctx, s.r, q, s.take, &s.holding) })
}

// kept returns the response to a request if it is kept and fresh.
func (s *session) kept(q request) *response {
	if read, _ := asksCache(q.method, q.header); !read || q.fresh {
		return nil
	}
	now := s.r.web.config.Now()
	e := s.r.web.cache.find(cached{s.r.function, q.at.String()}, formatHeaders(q.header))
	if e == nil || !e.fresh(now) {
		return nil
	}
	return content(e, now)
}

// requestOf returns the request for a URL as the function wants it.
func (s *session) requestOf(t target, body []byte) (q request, err error) {
	q = request{method: s.methodOf(t, body != nil), body: body, header: http.Header{}, fresh: s.t.Again > 0}
	if !isMethod(q.method) {
		return q, invalid("%.40q is no method in capitals, such as PUT", q.method)
	}
	noBody := q.method == http.MethodGet || q.method == http.MethodHead
	switch {
	case body == nil && !noBody:
		q.body = []byte{}
	case body != nil && noBody:
		return q, invalid("%s has no body: write another method to PATH.method, or none for POST", q.method)
	}
	if q.at, q.rule, err = find(s.r.rules, t, q.method); err != nil {
		return q, err
	}
	if w := s.wishes[t.key()]; w != nil {
		if q.header, err = parseHeaders(string(w.headers)); err != nil {
			return q, err
		}
	}
	q.own = s.ownHeaders(q.method)
	return q, nil
}

// ownHeaders returns the headers that go with a request whatever the function says: its place in the trace, and a key
// by which the server knows the request if the call comes again.
func (s *session) ownHeaders(method string) http.Header {
	h := http.Header{}
	if trace := protocol.ParseTrace(s.t.Header.Get(protocol.HeaderTraceparent)); !trace.IsZero() {
		h["Traceparent"] = []string{trace.String()}
		if state := s.t.Header.Get(protocol.HeaderTracestate); state != "" && len(state) <= 512 &&
			!strings.ContainsFunc(state, isControl) {
			h["Tracestate"] = []string{state}
		}
	}
	if !isSafe(method) {
		s.sent++
		h["Idempotency-Key"] = []string{backend.EffectID(protocol.CleanValue(s.t.ID(), protocol.MaxID), "http", s.sent)}
	}
	return h
}

// makeRoom drops responses that nobody has open, oldest first, until there is room for one more.
func (s *session) makeRoom(r *rule) {
	for i := 0; i < len(s.all); {
		if len(s.all) < maxExchanges && s.holding.held.Load()+s.holding.limit(r) <= s.holding.most {
			return
		}
		e := s.all[i]
		if e.open > 0 || !e.settled() {
			i++
			continue
		}
		e.drop(&s.holding)
		if s.all = slices.Delete(s.all, i, i+1); e.safe && s.newest[e.key] == e {
			delete(s.newest, e.key) // whoever wants it again asks again
		}
	}
}
