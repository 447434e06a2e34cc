package access

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// Authorizers says how functions are asked whether a client may use a route. The zero value works.
type Authorizers struct {
	// Timeout is how long one may take; 0: DefaultAuthorizerTimeout.
	Timeout time.Duration
	// Identity are the headers that say who a client is: an answer that says how long it holds (ttl) holds for all
	// requests in which these are the same. Nil: Authorization. A request with none of them is asked about each time.
	Identity []string
	// Answers is how many answers are kept; 0: DefaultAnswers.
	Answers int
	// Calls is how many calls may run at a time; 0: DefaultAuthorizerCalls. Beyond it clients get 503.
	Calls int
}

// Defaults and bounds of authorizers.
const (
	DefaultAuthorizerTimeout = 5 * time.Second
	DefaultAnswers           = 4096
	DefaultAuthorizerCalls   = 256
	MaxAuthorizerTTL         = time.Hour
	maxAnswer                = 8 << 10 // bytes
	maxIdentityHeaders       = 8
	refusedFor               = 2 * time.Second // a refusal holds, for requests that are the same in everything
)

// Exit codes with which an authorizer refuses, in sysexits' terms. All others above 0 are failures.
const (
	exitUsage     = 64
	exitData      = 65
	exitNoInput   = 66
	exitForbidden = 77
)

// authorizers ask functions who clients are.
type authorizers struct {
	config  Authorizers
	caller  protocol.Caller
	now     func() time.Time
	tasks   *tasks
	let     *answers // that let a client in, by identity
	refused *answers // by the whole request: nobody's refusal is another's

	mu      sync.Mutex
	flights map[digest]*flight
	ages    map[string]uint64 // how often each authorizer was forgotten; only those that were
}

// flight is a call that several requests wait for.
type flight struct {
	done chan struct{}
	answer
}

// newAuthorizers returns what asks functions, or nil if nobody calls them.
func newAuthorizers(c Authorizers, caller protocol.Caller, now func() time.Time, t *tasks) (*authorizers, error) {
	if c.Timeout == 0 {
		c.Timeout = DefaultAuthorizerTimeout
	}
	if c.Identity == nil {
		c.Identity = []string{headerAuthorization}
	}
	if c.Answers == 0 {
		c.Answers = DefaultAnswers
	}
	if c.Calls == 0 {
		c.Calls = DefaultAuthorizerCalls
	}
	switch {
	case c.Timeout < 0 || c.Timeout > time.Minute:
		return nil, fmt.Errorf("authorizers: a timeout of %s: use up to a minute", c.Timeout)
	case c.Answers < 0 || c.Calls < 0:
		return nil, errors.New("authorizers: the numbers of answers and calls must not be negative")
	case len(c.Identity) > maxIdentityHeaders:
		return nil, fmt.Errorf("authorizers: %d headers of identity; at most %d", len(c.Identity), maxIdentityHeaders)
	}
	names := make([]string, len(c.Identity))
	for i, name := range c.Identity {
		if names[i] = http.CanonicalHeaderKey(name); name == "" || strings.ContainsAny(name, " :\r\n") {
			return nil, fmt.Errorf("authorizers: %.40q is not the name of a header", name)
		}
	}
	c.Identity = names
	if caller == nil {
		return nil, nil
	}
	return &authorizers{config: c, caller: caller, now: now, tasks: t, let: newAnswers(c.Answers),
		refused: newAnswers(c.Answers), flights: map[digest]*flight{}, ages: map[string]uint64{}}, nil
}

// identify returns who the client of a request is, as a function knows.
func (a *authorizers) identify(ctx context.Context, r *http.Request, name string, w *Want) (Identity, error) {
	ref, err := protocol.ParseRef(name)
	if err != nil {
		return Identity{}, busy(protocol.CodeUnavailable, 0, "nobody can be let in here: %w", err)
	}
	keys, known := a.identityKeys(r, name, w)
	now := a.now()
	if known {
		for _, key := range keys {
			if one, ok := a.let.get(key, now); ok {
				return one.id, one.err
			}
		}
	}
	request, err := a.request(r, ref, w)
	if err != nil {
		return Identity{}, err
	}
	whole := wholeKey(request, name, w)
	if one, ok := a.refused.get(whole, now); ok {
		return one.id, one.err
	}
	f, err := a.join(whole, request, func(one answer, age uint64) { a.keep(name, age, whole, keys, known, one) })
	if err != nil {
		return Identity{}, err
	}
	select {
	case <-f.done:
		return f.id, f.err
	case <-ctx.Done():
		return Identity{}, busy(protocol.CodeUnavailable, time.Second, "the authorizer has not answered yet: %w", ctx.Err())
	}
}

// request returns what an authorizer is asked: the request as any function gets it, without its body. The gateway is
// who answers, so it is what has a deadline.
func (a *authorizers) request(r *http.Request, ref protocol.Ref, w *Want) (*protocol.Request, error) {
	var q protocol.Request
	if w.Request != nil {
		asked, err := w.Request()
		if err != nil {
			return nil, err
		}
		q = *asked
	} else {
		q.Header = plainHeader(r, w)
	}
	q.ID, q.Function, q.Args, q.Body, q.Claim, q.Timeout = "", ref, nil, nil, nil, a.config.Timeout
	return &q, nil
}

// plainHeader returns the headers of a request as a function gets them.
func plainHeader(r *http.Request, w *Want) protocol.Header {
	h := make(protocol.Header, len(r.Header)+6)
	for name, values := range r.Header {
		if !protocol.OwnHeader(name) && name != "Proxy" {
			h[name] = slices.Clone(values)
		}
	}
	h[protocol.HeaderHTTP] = []string{protocol.HTTPFiles}
	h[protocol.HeaderMethod] = []string{r.Method}
	h[protocol.HeaderPath] = []string{r.URL.EscapedPath()}
	h[protocol.HeaderQuery] = []string{r.URL.RawQuery}
	h[protocol.HeaderRoute] = []string{w.Route}
	h[protocol.HeaderClient] = []string{w.Client}
	return h
}

// join returns the call for a request, which may be under way for another one that is the same in everything.
func (a *authorizers) join(key digest, q *protocol.Request, keep func(answer, uint64)) (*flight, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if f := a.flights[key]; f != nil {
		return f, nil
	}
	if len(a.flights) >= a.config.Calls {
		return nil, busy(protocol.CodeUnavailable, time.Second,
			"too many clients are being looked up at once: %d; try again", a.config.Calls)
	}
	f := &flight{done: make(chan struct{})}
	age := a.ages[q.Function.Name]
	begun := a.tasks.begin(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, a.config.Timeout)
		defer cancel()
		reply, err := a.caller.Call(ctx, q)
		f.answer = judge(q.Function, reply, err)
		keep(f.answer, age)
		a.mu.Lock()
		delete(a.flights, key)
		a.mu.Unlock()
		close(f.done)
	})
	if !begun {
		return nil, busy(protocol.CodeUnavailable, time.Second, "the gateway is ending: try again")
	}
	a.flights[key] = f
	return f, nil
}

// keep keeps an answer for as long as it holds, unless its authorizer was forgotten while it was asked.
func (a *authorizers) keep(name string, age uint64, whole digest, keys [2]digest, known bool, one answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ref, _ := protocol.ParseRef(name) // it was parsed before
	switch code := protocol.CodeOf(one.err); {
	case a.ages[ref.Name] != age:
	case code == protocol.CodeNoIdentity, code == protocol.CodeForbidden:
		a.refused.put(whole, ref.Name, one, a.now().Add(refusedFor))
	case one.err == nil && one.ttl > 0 && known:
		key := keys[0]
		if one.wide {
			key = keys[1]
		}
		a.let.put(key, ref.Name, one, a.now().Add(one.ttl))
	}
}

// forget drops the answers of a function.
func (a *authorizers) forget(function string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.ages) < 1<<16 {
		a.ages[function]++
	}
	a.let.drop(function)
	a.refused.drop(function)
}
