package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// exchange is a request of a run, and the response as far as it has come. A goroutine of its own fills it in, unless
// the response was kept.
type exchange struct {
	key  string
	held atomic.Int64
	open int  // files that read it; the run's
	safe bool // it can be made again; the run's
	rule *rule

	mu      sync.Mutex
	changed chan struct{} // closed with each change, and made anew by whoever waits
	status  int           // 0: there is none yet
	header  http.Header
	length  int64 // of the body, -1 if it is not known
	body    []byte
	done    bool
	err     error // why it has ended, if not well
}

// newExchange returns one without a response.
func newExchange(key string, r *rule, safe bool) *exchange {
	return &exchange{key: key, rule: r, safe: safe, length: -1}
}

// change changes it, and wakes whoever waits.
func (e *exchange) change(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f()
	if e.changed != nil {
		close(e.changed)
		e.changed = nil
	}
}

// await waits until a condition holds, which is called with the mutex held.
func (e *exchange) await(ctx context.Context, so func() bool) error {
	for {
		e.mu.Lock()
		if so() {
			e.mu.Unlock()
			return nil
		}
		if e.changed == nil {
			e.changed = make(chan struct{})
		}
		changed := e.changed
		e.mu.Unlock()
		if err := files.Wait(ctx, changed); err != nil {
			return err
		}
	}
}

// awaitHeaders waits for the status and headers, and returns why there are none.
func (e *exchange) awaitHeaders(ctx context.Context) error {
	if err := e.await(ctx, func() bool { return e.status != 0 || e.done }); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.done && e.err != nil {
		return e.err
	}
	return nil
}

// awaitEnd waits for the end.
func (e *exchange) awaitEnd(ctx context.Context) error {
	return e.await(ctx, func() bool { return e.done })
}

// outcome returns why there is no success: what has gone wrong, or the status. It is nil if there was none yet.
func (e *exchange) outcome() (status int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		return e.status, e.err
	}
	return e.status, failedStatus(e.status)
}

// settled reports whether all of it has come.
func (e *exchange) settled() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.done
}

// size returns how long the body is, and whether that is known.
func (e *exchange) size() (n int64, known bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.done || e.length < 0 {
		return int64(len(e.body)), e.done
	}
	return e.length, true
}

// readAt reads some of the body, and waits until there is some.
func (e *exchange) readAt(ctx context.Context, b []byte, at int64) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if err := e.await(ctx, func() bool { return e.done || at < int64(len(e.body)) }); err != nil {
		return 0, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case at < int64(len(e.body)):
		return copy(b, e.body[at:]), nil
	case e.err != nil:
		return 0, e.err
	}
	return 0, io.EOF
}

// use takes a response that is kept: there is nothing to wait for.
func (e *exchange) use(r *response, h *holding) error {
	if err := e.hold(h, r.length+sizeOf(r.header)); err != nil {
		return err
	}
	e.change(func() {
		e.status, e.header, e.length, e.body, e.done = r.status, r.header, r.length, r.kept.body, true
	})
	return nil
}

// hold takes room for some bytes.
func (e *exchange) hold(h *holding, n int64) error {
	err := h.take(n)
	if err == nil {
		e.held.Add(n)
	}
	return err
}

// drop forgets what has come. Nobody reads it.
func (e *exchange) drop(h *holding) {
	e.change(func() {
		e.body, e.header = nil, nil
		e.err = &failure{"the response was dropped, for others took its room: read it before them", files.ErrNoSpace}
	})
	h.held.Add(-e.held.Swap(0))
}

// run makes the request, and fills in what comes of it. held has the bytes of all responses of the run, which may be
// most; max is how many this one may have.
func (e *exchange) run(ctx context.Context, r *resource, q request, take func(*rule) error, h *holding) {
	err := e.fill(ctx, r, q, take, h)
	e.change(func() { e.done, e.err = true, err })
}

// holding is what a run may hold of responses.
type holding struct {
	held atomic.Int64
	most int64 // of all
	one  int64 // of one, if its rule has no bound of its own
}

// limit returns how many bytes a response may have.
func (h *holding) limit(r *rule) int64 {
	if r.max > 0 {
		return r.max
	}
	return h.one
}

// take takes room for some bytes of a response, if there is as much.
func (h *holding) take(n int64) error {
	if h.held.Add(n) <= h.most {
		return nil
	}
	h.held.Add(-n)
	return &failure{"the call holds more than " + strconv.FormatInt(h.most, 10) +
		" bytes of responses that it has open: close them when they are read", files.ErrNoSpace}
}

// fill takes a turn, makes the request, and reads the response.
func (e *exchange) fill(ctx context.Context, r *resource, q request, take func(*rule) error, h *holding) error {
	select {
	case r.turns <- struct{}{}:
		defer func() { <-r.turns }()
	case <-ctx.Done():
		return failed(ctx.Err())
	}
	got, err := r.fetch(ctx, q, take)
	if got == nil {
		return err
	}
	defer got.close()
	if err != nil {
		e.change(func() { e.status, e.header, e.err = got.status, got.header, err })
		return err
	}
	if got.kept != nil {
		return e.use(got, h)
	}
	if err := e.hold(h, sizeOf(got.header)); err != nil {
		return err
	}
	if n := h.limit(e.rule); got.length > n && q.method != http.MethodHead {
		err = tooLarge(n)
	}
	e.change(func() {
		if e.status, e.header, e.length = got.status, got.header, got.length; q.method == http.MethodHead {
			e.length = 0
		}
		e.err = err
	})
	if err != nil {
		return err
	}
	if err := e.read(got.body, h); err != nil {
		return err
	}
	if got.keep != nil {
		got.keep.body = e.body // which nobody changes any more
		r.web.cache.put(got.keep)
	}
	return nil
}

// tooLarge is why a response is not read to its end.
func tooLarge(most int64) error {
	return &failure{"the response has more than " + strconv.FormatInt(most, 10) +
		" bytes: raise max_bytes of the grant", files.ErrTooLarge}
}

// piece is how much is read at a time.
const piece = 32 << 10

// read reads the body.
func (e *exchange) read(body io.Reader, h *holding) error {
	most, total := h.limit(e.rule), int64(0)
	b := make([]byte, piece)
	for {
		n, err := body.Read(b)
		total += int64(n)
		if total > most {
			return tooLarge(most)
		}
		if err := e.hold(h, int64(n)); err != nil {
			return err
		}
		if n > 0 {
			e.change(func() { e.body = append(e.body, b[:n]...) })
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return failed(err)
		}
	}
}

// formatSeconds returns a time in whole seconds.
func formatSeconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }
