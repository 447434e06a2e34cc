// Package secrets shows secrets as files that can only be read, at /secret/NAME. In goes a Source; out comes a tree for
// each run, and a [Redactor] that keeps the values out of what the run logs.
//
// A value is read when a process opens it and no sooner, and is the same for the whole run. What the Source has is
// asked for again after [Fresh], and as soon as a [Watched] one says so: a secret can be exchanged, or taken away,
// without a restart.
package secrets

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// Bounds of secrets.
const (
	MaxName  = 128             // bytes of a name
	MaxValue = 64 << 10        // bytes of a value
	Fresh    = 2 * time.Second // how long after a change a run that begins can still have the old value
)

// loadTimeout bounds how long a Source is asked.
const loadTimeout = 10 * time.Second

// Source has secrets. Its method may be called from several goroutines.
type Source interface {
	// Secret returns the value that a secret has for a function, which the caller may keep and does not change.
	//
	// # Errors
	//
	// fs.ErrNotExist is in the chain if there is none. The text of an error has no value of a secret in it. Users of
	// functions may read the message of a *protocol.Error, and no other.
	Secret(ctx context.Context, function, name string) ([]byte, error)
}

// Watched is a Source that notices changes.
type Watched interface {
	Source
	// Generation returns a number that grows whenever a secret may have changed. It is called for each run that looks at
	// secrets.
	Generation() uint64
}

// Join returns a Source of what several have, the first of which counts. Those that are nil are left out; it is nil if
// all are. An error of one ends the search, unless it is that there is no such secret.
func Join(sources ...Source) Source {
	var all joined
	for _, s := range sources {
		if s != nil {
			all = append(all, s)
		}
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return all
}

// joined are several sources.
type joined []Source

var _ Watched = joined{}

// Secret implements Source.
func (j joined) Secret(ctx context.Context, function, name string) (b []byte, err error) {
	for _, s := range j {
		if b, err = s.Secret(ctx, function, name); !errors.Is(err, fs.ErrNotExist) {
			return b, err
		}
	}
	return nil, err
}

// Generation implements Watched.
func (j joined) Generation() (sum uint64) {
	for _, s := range j {
		sum += generation(s)
	}
	return sum
}

// generation returns that of a source, or 0 of one that notices nothing.
func generation(s Source) uint64 {
	if w, ok := s.(Watched); ok {
		return w.Generation()
	}
	return 0
}

// Config says where secrets are.
type Config struct {
	// Source has them. Nil means that there are none.
	Source Source
}

// New returns the kind of grants that let functions read secrets (protocol.GrantSecret).
func New(c Config) backend.Kind { return kind{c} }

// kind is the kind of grants.
type kind struct{ Config }

// CheckName returns nil if a secret can have a name: letters, digits, - _ and dots, and no dot first. The code of the
// error is 422.
func CheckName(name string) error {
	other := func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.", c)
	}
	if name == "" || len(name) > MaxName || name[0] == '.' || strings.ContainsFunc(name, other) {
		return protocol.Errorf(protocol.CodeRefused, "",
			"grant secret = %.80q: use 1 to %d letters, digits, -, _ and dots, and no dot first", name, MaxName)
	}
	return nil
}

// load returns the names of grants and their values. The error's code is 422 for what can be no secret, and 503 for
// what is missing.
func (k kind) load(ctx context.Context, function string, grants []protocol.Grant) (*resource, error) {
	r := &resource{source: k.Source, function: function}
	for _, g := range grants {
		if err := CheckName(g.Secret); err != nil {
			return nil, err
		}
		r.names = append(r.names, g.Secret)
	}
	slices.Sort(r.names)
	r.names = slices.Compact(r.names)
	if r.source == nil {
		return nil, &protocol.Error{Code: protocol.CodeUnavailable, Err: fs.ErrNotExist, Msg: "secret " + r.names[0] +
			" is missing: this invoker has no secrets; start it with --secrets and a folder of them, " +
			"or with --secrets-key"}
	}
	r.ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	now := r.load(ctx)
	for _, name := range r.names {
		if err := now.errs[name]; err != nil {
			r.cancel()
			return nil, missing(name, err)
		}
	}
	r.now = now
	return r, nil
}

// missing returns the error for a secret that cannot be read.
func missing(name string, err error) error {
	var e *protocol.Error
	switch {
	case errors.As(err, &e):
		return protocol.Errorf(protocol.CodeUnavailable, "", "secret %s: %w", name, e)
	case errors.Is(err, fs.ErrNotExist):
		return &protocol.Error{Code: protocol.CodeUnavailable, Err: err,
			Msg: "secret " + name + " is missing: put a file of that name into the folder that --secrets names"}
	}
	return &protocol.Error{Code: protocol.CodeUnavailable, Err: err, Msg: "secret " + name + " cannot be read now"}
}

// Open implements backend.Kind. All grants share one mount. A secret that is missing is an error with code 503, which has
// fs.ErrNotExist in its chain.
func (k kind) Open(ctx context.Context, f *protocol.Function, grants []protocol.Grant) ([]backend.Resource, error) {
	r, err := k.load(ctx, f.Name, grants)
	if err != nil {
		e := protocol.ErrorOf(err, "")
		return nil, &protocol.Error{Code: e.Code, Op: "load " + f.Ref().String(), Msg: e.Error(), Err: e}
	}
	return []backend.Resource{r}, nil
}

// resource is /secret of one version.
type resource struct {
	source   Source
	function string
	names    []string // sorted
	ctx      context.Context
	cancel   context.CancelFunc

	mu      sync.Mutex
	now     *values
	loading chan struct{} // closed when now is newer; nil: nobody asks
}

var _ backend.Resource = (*resource)(nil)

// values are the secrets at some moment. They do not change.
type values struct {
	at      time.Time // when they began to be read
	of      uint64    // the generation of the source then
	byName  map[string][]byte
	errs    map[string]error
	matcher *Matcher
}

// Mount implements backend.Resource.
func (r *resource) Mount() string { return "/" + protocol.GrantSecret }

// Begin implements backend.Resource.
func (r *resource) Begin(t *backend.Transaction) backend.Session { return &session{r: r, t: t} }

// Close implements backend.Resource.
func (r *resource) Close() { r.cancel() }

// load asks the source for all secrets.
func (r *resource) load(ctx context.Context) *values {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	v := &values{at: time.Now(), of: generation(r.source), byName: map[string][]byte{}, errs: map[string]error{}}
	var all [][]byte
	for _, name := range r.names {
		b, err := r.source.Secret(ctx, r.function, name)
		if err == nil && len(b) > MaxValue {
			err = tooLarge()
		}
		if err != nil {
			v.errs[name] = err
			continue
		}
		v.byName[name] = b
		all = append(all, b)
	}
	v.matcher = NewMatcher(all...)
	return v
}

// tooLarge returns the error for a value that is too large.
func tooLarge() error {
	return protocol.Errorf(protocol.CodeUnavailable, "", "its value has more than %d bytes", MaxValue)
}

// values returns the secrets, which are no older than Fresh, nor than the last change that the source has noticed. A
// run that asks while they are read waits for that.
func (r *resource) values(ctx context.Context) (*values, error) {
	r.mu.Lock()
	if v := r.now; time.Since(v.at) < Fresh && v.of == generation(r.source) {
		r.mu.Unlock()
		return v, nil
	}
	done := r.loading
	if done == nil {
		done = make(chan struct{})
		r.loading = done
		go r.renew(done)
	}
	r.mu.Unlock()
	if err := files.Wait(ctx, done); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now, nil
}

// renew reads the secrets anew.
func (r *resource) renew(done chan struct{}) {
	v := r.load(r.ctx)
	r.mu.Lock()
	r.now, r.loading = v, nil
	r.mu.Unlock()
	close(done)
}
