// Package sql grants SQLite databases, as /sql/NAME.db. In goes a name; out comes, for each run, a file that is the
// database as it was when the run opened it, and at the end of a run that has succeeded, the database with what it has
// written.
//
// The database NAME is the object NAME.db in the bucket sql_NAME of the JetStream Object Store: a whole file, which
// `nats object get sql_NAME NAME.db` fetches and any SQLite opens. A run works on a snapshot of it. What it writes is
// kept in memory by pieces of the file, and put as a new object by compare-and-set. If another run was first, the
// invoker runs the call again. So runs that write one database are one after the other, however many invokers there
// are, and each of them costs as much as the database is large: it suits databases of some megabytes.
//
// The files that SQLite makes beside a database, such as its journal, are the run's own and end with it. A transaction
// of SQLite that a run has not finished is rolled back, as SQLite would have done it.
package sql

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// DefaultMaxBytes is how large a database can be whose grant does not say MaxBytes.
	DefaultMaxBytes = 64 << 20
	// maxCache is what an invoker keeps of databases for runs to come, in bytes.
	maxCache = 128 << 20
	// Bucket is what the names of buckets of databases begin with.
	Bucket = "sql_"
)

// Kind opens grants of sql. It keeps the last snapshot of each database once for all versions.
type Kind struct {
	js       jetstream.JetStream
	replicas int

	mu        sync.Mutex
	databases map[string]*database
	cached    int64  // bytes of all snapshots
	clock     uint64 // counts uses of snapshots
}

var _ backend.Kind = (*Kind)(nil)

// New returns a Kind for the databases of a JetStream. replicas is how many copies the buckets that it makes have; 0
// means 1.
func New(js jetstream.JetStream, replicas int) *Kind {
	return &Kind{js: js, replicas: replicas, databases: map[string]*database{}}
}

// plainName is what the name of a database can be.
var plainName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// Open opens the databases. The bucket of one is made if its grant has Create.
func (k *Kind) Open(ctx context.Context, f *protocol.Function, grants []protocol.Grant) ([]backend.Resource, error) {
	r := &resource{kind: k}
	for _, g := range grants {
		d, err := k.open(ctx, g)
		if err != nil {
			r.Close()
			return nil, missing("load "+f.Ref().String(), g.SQL, err)
		}
		r.all = append(r.all, granted{d, g})
	}
	return []backend.Resource{r}, nil
}

// errName is why a database is not granted.
var errName = errors.New("use 1 to 64 letters, digits, - and _")

// open returns the shared state of a database. The caller gives it back with close.
func (k *Kind) open(ctx context.Context, g protocol.Grant) (*database, error) {
	if !plainName.MatchString(g.SQL) {
		return nil, errName
	}
	store, err := objects.Open(ctx, k.js, Bucket+g.SQL)
	if errors.Is(err, objects.ErrNoBucket) && g.Create {
		store, err = objects.Create(ctx, k.js, jetstream.ObjectStoreConfig{Bucket: Bucket + g.SQL, Replicas: k.replicas,
			Description: "the SQLite database " + g.SQL + ", as one object"})
	}
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	d := k.databases[g.SQL]
	if d == nil {
		d = &database{kind: k, name: g.SQL, store: store, turn: make(chan struct{}, 1)}
		k.databases[g.SQL] = d
	}
	d.users++
	return d, nil
}

// missing returns the error of a database that cannot be granted.
func missing(op, name string, err error) error {
	switch {
	case errors.Is(err, errName):
		return protocol.Errorf(protocol.CodeRefused, op, "a database cannot be called %.80q: %w", name, err)
	case errors.Is(err, objects.ErrNoBucket):
		return protocol.Errorf(protocol.CodeRefused, op, "there is no object store bucket %s%s, which the database %s is "+
			"in: make it by `nats object add %s%s`, or say create = true in its grant: %w", Bucket, name, name, Bucket, name,
			err)
	}
	return unavailable(op, name, err)
}

// unavailable returns the error of a database that cannot be had, for now.
func unavailable(op, name string, err error) error {
	if objects.Gone(err) {
		return protocol.Errorf(protocol.CodeUnavailable, op, "the object store bucket %s%s does not exist any more: make it "+
			"by `nats object add %s%s`, or restore it: %w", Bucket, name, Bucket, name, err)
	}
	return protocol.Errorf(protocol.CodeUnavailable, op, "database %s: %w", name, objects.Error("", err))
}

// granted is a database as a grant lets it be used.
type granted struct {
	*database
	grant protocol.Grant
}

// maxBytes returns how large the database can be.
func (g granted) maxBytes() int64 {
	if g.grant.MaxBytes > 0 {
		return int64(g.grant.MaxBytes)
	}
	return DefaultMaxBytes
}

// resource is all databases of a version.
type resource struct {
	kind  *Kind
	all   []granted
	after sync.WaitGroup // what goes on after the end of a run
}

// Mount implements backend.Resource.
func (r *resource) Mount() string { return "/" + protocol.GrantSQL }

// Begin implements backend.Resource.
func (r *resource) Begin(t *backend.Transaction) backend.Session { return &session{r: r, t: t} }

// Close implements backend.Resource.
func (r *resource) Close() {
	r.after.Wait()
	r.kind.mu.Lock()
	defer r.kind.mu.Unlock()
	for _, g := range r.all {
		if g.users--; g.users == 0 {
			r.kind.drop(g.database)
			delete(r.kind.databases, g.name)
		}
	}
}

// find returns the database that a file belongs to, and what of it: "", or such as "-journal".
func (r *resource) find(file string) (g granted, beside string, ok bool) {
	for _, g := range r.all {
		rest, ok := strings.CutPrefix(file, g.name+".db")
		if ok && (rest == "" || rest[0] == '-' && len(rest) < 64 && !strings.Contains(rest, "/")) {
			return g, rest, true
		}
	}
	return g, "", false
}
