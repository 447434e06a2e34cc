package access

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// When a set of keys is read again.
const (
	fresh    = 10 * time.Minute // a set from a URL is not asked for again
	freshen  = 5 * time.Second  // likewise, one from a file
	stale    = 24 * time.Hour   // a set that cannot be read again is used
	cooldown = 10 * time.Second // between two attempts, whatever tokens ask for
	fetching = 10 * time.Second // for one attempt
)

// source is where a set of keys comes from: a file or a URL. A set is used while a newer one is fetched, in the
// background; a token with an unknown kid waits for a newer one, which is asked for once in a while only.
type source struct {
	where string
	fetch func(context.Context) ([]byte, error)
	fresh time.Duration
	now   func() time.Time
	log   *slog.Logger
	tasks *tasks

	mu      sync.Mutex
	set     *keySet       // nil until there is one
	read    time.Time     // when set was
	tried   time.Time     // when the last attempt began
	err     error         // of the last attempt
	loading chan struct{} // not nil while an attempt is under way; closed at its end
}

// newSource returns the source of a file or URL.
func newSource(where string, client *http.Client, now func() time.Time, log *slog.Logger, t *tasks) (*source, error) {
	s := &source{where: where, now: now, log: log, tasks: t, fresh: freshen}
	s.fetch = func(context.Context) ([]byte, error) { return readFile(where) }
	if !strings.Contains(where, "://") {
		_, _, err := s.parse(s.fetch(context.Background()))
		if err != nil {
			return nil, fmt.Errorf("tokens: --jwt-keys %s: %w", where, err)
		}
		return s, nil
	}
	if err := checkURL(where); err != nil {
		return nil, fmt.Errorf("tokens: --jwt-keys: %w", err)
	}
	if client == nil {
		client = newClient()
	}
	s.fresh = fresh
	s.fetch = func(ctx context.Context) ([]byte, error) { return get(ctx, client, where) }
	return s, nil
}

// newClient returns a client that goes nowhere where a set of keys may not come from, and keeps no connection for the
// minutes until the next attempt.
func newClient() *http.Client {
	way := http.DefaultTransport.(*http.Transport).Clone()
	way.DisableKeepAlives, way.MaxResponseHeaderBytes = true, 64<<10
	return &http.Client{Transport: way, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > 2 {
			return errors.New("it redirects more than twice")
		}
		return checkURL(r.URL.String())
	}}
}

// checkURL refuses what anybody on the way could change.
func checkURL(where string) error {
	u, err := url.Parse(where)
	if err != nil {
		return fmt.Errorf("it is no URL: %w", err)
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	switch {
	case u.Host == "", u.User != nil, u.Fragment != "":
		return fmt.Errorf("%.100q: write https://HOST/PATH", u.Redacted())
	case u.Scheme == "https", u.Scheme == "http" && local:
		return nil
	}
	return fmt.Errorf("%.100q: use https, for whoever can change the keys can make tokens; http is for this machine only",
		u.Redacted())
}

// readFile reads a file that is not too long.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxSet+1))
}

// get reads a document that is not too long.
func get(ctx context.Context, client *http.Client, where string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %s", answer.Status)
	}
	return io.ReadAll(io.LimitReader(answer.Body, maxSet+1))
}

// parse reads what was fetched.
func (s *source) parse(b []byte, err error) (*keySet, []error, error) {
	if err != nil {
		return nil, nil, err
	}
	return parseKeySet(b)
}

// keys returns the set. It waits for the first one only.
func (s *source) keys(ctx context.Context) (*keySet, error) {
	s.mu.Lock()
	now := s.now()
	age := now.Sub(s.read)
	if s.set == nil || age > s.fresh || age < 0 {
		s.load(now)
	}
	set, loading := s.set, s.loading
	s.mu.Unlock()
	if set != nil && age <= stale {
		return set, nil
	}
	if err := s.wait(ctx, loading); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.set == nil || s.now().Sub(s.read) > stale {
		return nil, s.unreachable(s.err)
	}
	return s.set, nil
}

// newer returns the set, read again if it is the one that is known, and was not asked for a moment ago.
func (s *source) newer(ctx context.Context, known *keySet) (*keySet, error) {
	s.mu.Lock()
	if s.set == known {
		s.load(s.now())
	}
	loading := s.loading
	s.mu.Unlock()
	if err := s.wait(ctx, loading); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.set, nil
}

// wait waits for an attempt, if there is one.
func (s *source) wait(ctx context.Context, loading chan struct{}) error {
	if loading == nil {
		return nil
	}
	select {
	case <-loading:
		return nil
	case <-ctx.Done():
		return s.unreachable(ctx.Err())
	}
}

// unreachable returns the error for keys that cannot be had.
func (s *source) unreachable(err error) error {
	if err == nil {
		err = errors.New("they were not asked for yet")
	}
	return busy(protocol.CodeUnavailable, cooldown,
		"tokens cannot be checked: the gateway cannot get the keys of their issuer%w", silent{err})
}

// silent is an error that callers do not read, and the log does.
type silent struct{ error }

// Error implements error, and says nothing.
func (silent) Error() string { return "" }

// Unwrap returns what callers do not read.
func (s silent) Unwrap() error { return s.error }

// load begins an attempt, unless there is one, or has just been one. Whoever calls it holds the lock.
func (s *source) load(now time.Time) {
	if pause := now.Sub(s.tried); s.loading != nil || !s.tried.IsZero() && pause >= 0 && pause < min(cooldown, s.fresh) {
		return
	}
	s.tried, s.loading = now, make(chan struct{})
	if !s.tasks.begin(s.attempt) {
		close(s.loading)
		s.loading = nil
	}
}

// attempt reads the set.
func (s *source) attempt(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, fetching)
	defer cancel()
	set, problems, err := s.parse(s.fetch(ctx))
	s.mu.Lock()
	again := s.err != nil
	if s.err = err; err == nil {
		s.set, s.read = set, s.now()
	}
	close(s.loading)
	s.loading = nil
	s.mu.Unlock()
	if err != nil && !again {
		s.log.Error("tokens: their keys cannot be read; those that are known are used for a day", "keys", s.where, "err", err)
	}
	for _, p := range problems {
		s.log.Warn("tokens: a key cannot be used", "keys", s.where, "err", p)
	}
}
