package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

// The buckets of a JetStream registry.
const (
	BucketFunctions = "fn_functions" // KV: a function's name -> its Entry in JSON
	BucketModules   = "fn_modules"   // Object Store: a digest -> the module's bytes

	BucketRuntimes = "fn_runtimes"        // KV: an interpreter's name -> its Entry in JSON
	BucketBundles  = "fn_runtime_modules" // Object Store: a digest -> the interpreter's bytes
)

const (
	attempts  = 20               // to win a race, before 409
	listing   = 10 * time.Second // for List, if ctx sets no deadline
	whole     = time.Minute      // for what takes many round trips, such as Put, if ctx sets no deadline
	orphanAge = time.Hour        // after which what a Put left behind that died is garbage
)

// Config configures a JetStream registry. The zero value is for a single server.
type Config struct {
	Replicas int          // of the buckets when they are created; 0: 1
	Log      *slog.Logger // where records that are skipped are reported; nil: nowhere
	Runtimes bool         // it is for interpreters, not functions, in buckets of their own
	Knows    []string     // words of needs that are known besides those of the protocol: a feature that is tried out
	// ReadOnly is for those who serve no functions: they follow the registry, and leave it to others to make, to mend and
	// to fill its buckets. Put and Delete work all the same.
	ReadOnly bool
	Copies   string // folder for copies of modules, which restore a store that has lost them; empty: none
}

// buckets returns the names of the buckets, and what is in the first.
func (c Config) buckets() (records, modules, what string) {
	if c.Runtimes {
		return BucketRuntimes, BucketBundles, "interpreters"
	}
	return BucketFunctions, BucketModules, "functions"
}

// JetStream is a Registry in two buckets of NATS JetStream, shared by all who open it on the
// same NATS account. A function with all of its versions is one record, so a deployment is
// one compare-and-set; its module is stored before. Each round trip is given up after
// objects.RoundTrip, and each method but Watch after a minute if ctx has no deadline.
type JetStream struct {
	js      jetstream.JetStream
	cfg     Config
	bucket  string // of the records
	kv      jetstream.KeyValue
	records jetstream.Stream // what kv is made of
	modules *objects.Bucket
	copies  copies // of modules, on this machine
}

var _ Registry = (*JetStream)(nil)

// Open opens the registry on js and creates its buckets if they are missing, unless it is to be read only; buckets
// that exist keep their settings. The connection stays the caller's: it should reconnect for ever
// (nats.MaxReconnects(-1)), and closing it ends the registry.
func Open(ctx context.Context, js jetstream.JetStream, cfg Config) (*JetStream, error) {
	const op = "open registry"
	ctx, cancel := objects.Bound(ctx, whole)
	defer cancel()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	bucket, modules, _ := cfg.buckets()
	r := &JetStream{js: js, cfg: cfg, bucket: bucket, copies: copies{cfg.Copies}}
	var err error
	if !cfg.ReadOnly {
		err = r.create(ctx)
	}
	if err != nil {
		return nil, objects.Error(op, err)
	}
	if r.kv, err = js.KeyValue(ctx, bucket); err != nil {
		return nil, objects.Error(op, err)
	}
	if r.records, err = js.Stream(ctx, "KV_"+bucket); err != nil {
		return nil, objects.Error(op, err)
	}
	if r.modules, err = objects.Open(ctx, js, modules); err != nil {
		return nil, objects.Error(op, err)
	}
	return r, nil
}

// create creates the buckets that are missing.
func (r *JetStream) create(ctx context.Context) error {
	_, modules, what := r.cfg.buckets()
	_, err := r.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: r.bucket, Description: "polyvoke: " + what + " and their versions", History: 1, Replicas: r.cfg.Replicas,
	})
	if err != nil && !errors.Is(err, jetstream.ErrBucketExists) {
		return err
	}
	_, err = objects.Create(ctx, r.js, jetstream.ObjectStoreConfig{
		Bucket: modules, Description: "polyvoke: modules of " + what + " by digest", Replicas: r.cfg.Replicas,
	})
	return err
}

// Find implements Registry.
func (r *JetStream) Find(ctx context.Context, name string) (Entry, error) {
	if err := protocol.CheckName(name); err != nil {
		return Entry{}, err
	}
	if kve, err := r.get(ctx, name); err == nil {
		e, err := decodeEntry(name, kve.Value(), r.cfg.knows)
		return e, r.broken("", name, err)
	}
	rec, err := r.read(ctx, name) // any replica may say yes, but only the leader may say no
	switch {
	case err != nil:
		return Entry{}, objects.Error("find "+name, err)
	case !rec.there():
		return Entry{}, notFound("", name)
	}
	return rec.entry, r.broken("", name, rec.err)
}

// get asks any replica for a function's record. It gives up soon: the leader is asked next.
func (r *JetStream) get(ctx context.Context, name string) (jetstream.KeyValueEntry, error) {
	ctx, cancel := context.WithTimeout(ctx, objects.RoundTrip/5)
	defer cancel()
	return r.kv.Get(ctx, name)
}

// broken returns the error for a record that cannot be read, and nil for nil.
func (r *JetStream) broken(op, name string, err error) error {
	unknown, _ := UnknownNeeds(err)
	switch {
	case err == nil:
		return nil
	case unknown != nil:
		needs := protocol.NeedsError(op, name, unknown)
		return &protocol.Error{Code: protocol.CodeUnknownNeed, Op: op, Msg: needs.Msg, Err: err}
	case errors.Is(err, errRotten):
		return protocol.Errorf(protocol.CodeConflict, op,
			"the record of function %s in bucket %s is lost (%w): deploy the function again, or remove it",
			name, r.bucket, err)
	}
	return protocol.Errorf(protocol.CodeConflict, op,
		"the record of function %s in bucket %s cannot be read (%w): "+
			"remove the function and deploy it again, or use the polyvoke that wrote it", name, r.bucket, err)
}

// List implements Registry. Records that cannot be read are skipped and reported.
func (r *JetStream) List(ctx context.Context) ([]Entry, error) {
	ctx, cancel := objects.Bound(ctx, listing)
	defer cancel()
	all, err := r.readAll(ctx)
	if err != nil {
		return nil, objects.Error("list", err)
	}
	var list []Entry
	for name, rec := range all {
		switch {
		case rec.foreign(): // whoever watches is told
		case rec.err != nil:
			r.skipped(name, rec)
		case rec.there():
			list = append(list, rec.entry)
		}
	}
	slices.SortFunc(list, byName)
	return list, nil
}

func (r *JetStream) skipped(name string, rec record) {
	r.cfg.Log.Warn("registry: a record cannot be read and is skipped; polyvoke rm removes it",
		"function", name, "bucket", r.bucket, "revision", rec.seq, "err", rec.err)
}

// Put implements Registry. The order is: claim and store the module, write the record, give
// up the claim. Whatever dies in between leaves the old record or the new one, and a module
// for either. A module that is stored already is read and compared, so that
// putting it again repairs it.
func (r *JetStream) Put(ctx context.Context, f protocol.Function, module []byte) (Entry, bool, error) {
	f, err := admit(f, module, r.cfg.knows)
	if err != nil {
		return Entry{}, false, err
	}
	ctx, cancel := objects.Bound(ctx, whole)
	defer cancel()
	op := "deploy " + f.Name
	claim, err := r.claim(ctx, f.Digest, module)
	if err != nil {
		return Entry{}, false, objects.Error(op, err)
	}
	c, err := r.replace(ctx, op, f)
	var sure *protocol.Error
	tidy := context.WithoutCancel(ctx)
	if err == nil || errors.As(err, &sure) { // else the record may have been written all the same, and needs the claim
		r.release(tidy, claim, f.Digest, f.Name)
	}
	if err != nil {
		return Entry{}, false, objects.Error(op, err)
	}
	r.copy(f.Digest, module)
	r.collect(tidy, c.was, c.is)
	return c.entry, c.created, nil
}

// replacement is what has become of a record.
type replacement struct {
	was, is []byte
	entry   Entry
	created bool
}

// maxRecord is the length of the longest record: two of them, and what is around them, fit into one message, as a reply
// that has all versions and the latest does.
func (r *JetStream) maxRecord() int {
	most := int(r.js.Conn().MaxPayload())
	return most/2 - min(2<<10, most/8)
}

// replace makes f the latest version in the record of its function.
func (r *JetStream) replace(ctx context.Context, op string, f protocol.Function) (replacement, error) {
	// mine is when an earlier attempt made its version: its confirmation can be lost with the connection.
	var mine time.Time
	for try := range attempts {
		rec, err := r.read(ctx, f.Name)
		if err != nil {
			return replacement{}, err
		}
		// Interpreters are replaced: there is no verb that removes one.
		if rec.foreign() || rec.err != nil && !rec.rotten() && !r.cfg.Runtimes {
			return replacement{}, r.broken(op, f.Name, rec.err)
		}
		if err := r.cleanStart(ctx, f.Name, rec); err != nil {
			return replacement{}, err
		}
		e, created := rec.entry.with(f, time.Now())
		if rec.err != nil {
			e.Versions[0].Version = newestIn(rec.raw) + 1
		}
		if !created {
			return replacement{entry: e, created: e.Latest().Created.Equal(mine)}, nil
		}
		mine = e.Latest().Created
		if e.Latest().Version > maxVersion {
			return replacement{}, protocol.Errorf(protocol.CodeRefused, op,
				"there is no number after version %d: remove the function and deploy it again", maxVersion)
		}
		b, e, err := r.fitting(ctx, e)
		if err != nil {
			return replacement{}, err
		}
		if err = r.write(ctx, f.Name, b, rec); !lost(err) {
			is := replacement{was: rec.raw, is: b, entry: e, created: true}
			if err == nil {
				err = r.keepNamed(ctx, op, rec.entry, &is)
			}
			return is, err
		}
		if err := backOff(ctx, try); err != nil {
			return replacement{}, err
		}
	}
	return replacement{}, contended(op)
}

// write replaces the record that seq identifies.
func (r *JetStream) write(ctx context.Context, name string, b []byte, was record) error {
	limited, cancel := context.WithTimeout(ctx, objects.RoundTrip)
	defer cancel()
	_, err := r.kv.Update(limited, name, b, was.seq)
	return r.made(ctx, name, err, func(is record) bool { return bytes.Equal(is.raw, b) })
}

// erase deletes the record that seq identifies.
func (r *JetStream) erase(ctx context.Context, name string, was record) error {
	limited, cancel := context.WithTimeout(ctx, objects.RoundTrip)
	defer cancel()
	err := r.kv.Delete(limited, name, jetstream.LastRevision(was.seq))
	return r.made(ctx, name, err, func(is record) bool { return is.deleted })
}

// made returns what has become of a write whose confirmation may have been lost: it looks whether
// the record is as the write would have left it.
func (r *JetStream) made(ctx context.Context, name string, err error, as func(record) bool) error {
	var refused *jetstream.APIError
	if err == nil || errors.As(err, &refused) || lost(err) {
		return err
	}
	if is, again := r.read(ctx, name); again != nil || !as(is) {
		return err
	}
	return nil
}

// lost reports whether a compare-and-set came too late.
func lost(err error) bool {
	return errors.Is(err, objects.ErrChanged) || errors.Is(err, jetstream.ErrKeyRevisionMismatch) ||
		objects.WrongSequence(err)
}

func contended(op string) error {
	return protocol.Errorf(protocol.CodeConflict, op,
		"others changed it at the same time, %d times in a row: try again", attempts)
}

// backOff waits for a random time that grows with each try, up to half a second.
func backOff(ctx context.Context, try int) error {
	t := time.NewTimer(rand.N(time.Millisecond << min(try, 9)))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Delete implements Registry. It also removes a record that cannot be read, and then returns only its name.
func (r *JetStream) Delete(ctx context.Context, name string) (Entry, error) {
	if err := protocol.CheckName(name); err != nil {
		return Entry{}, err
	}
	ctx, cancel := objects.Bound(ctx, whole)
	defer cancel()
	op := "remove " + name
	for try := range attempts {
		rec, err := r.read(ctx, name)
		if err != nil {
			return Entry{}, objects.Error(op, err)
		}
		if !rec.there() {
			return Entry{}, notFound(op, name)
		}
		err = r.erase(ctx, name, rec)
		if err == nil {
			tidy := context.WithoutCancel(ctx)
			if err := r.forgetAliases(tidy, name); err != nil && !r.cfg.Runtimes {
				r.cfg.Log.Warn("registry: aliases of a removed function stay until it is deployed again", "function", name,
					"err", err)
			}
			r.collect(tidy, rec.raw, nil)
			if rec.foreign() {
				_, rec.entry = UnknownNeeds(rec.err)
			}
			rec.entry.Name = name
			return rec.entry, nil
		}
		if !lost(err) {
			return Entry{}, objects.Error(op, err)
		}
		if err := backOff(ctx, try); err != nil {
			return Entry{}, objects.Error(op, err)
		}
	}
	return Entry{}, contended(op)
}

// Module implements Registry. A copy on this machine is as good as the stored module. One that is there but not whole
// is a 503.
func (r *JetStream) Module(ctx context.Context, digest string) ([]byte, error) {
	if err := protocol.CheckDigest(digest); err != nil {
		return nil, err
	}
	if module := r.copies.get(digest); module != nil {
		return module, nil
	}
	ctx, cancel := objects.Bound(ctx, whole)
	defer cancel()
	module, err := r.modules.Get(ctx, digest, maxModule)
	switch {
	case err == nil && protocol.Digest(module) != digest:
		err = fmt.Errorf("%w: it is another one", objects.ErrDamaged)
		fallthrough
	case errors.Is(err, objects.ErrDamaged), errors.Is(err, objects.ErrTooLarge):
		return nil, protocol.Errorf(protocol.CodeUnavailable, "",
			"the stored module %s: %w; deploy its function again to repair it", digest, err)
	case errors.Is(err, objects.ErrNotFound):
		return nil, noModule(digest)
	case err == nil:
		r.copy(digest, module)
	}
	return module, objects.Error("read module", err)
}

// copy keeps a copy of a module. That it cannot is reported and matters only if the store loses it too.
func (r *JetStream) copy(digest string, module []byte) {
	if err := r.copies.put(digest, module); err != nil {
		r.cfg.Log.Warn("registry: a module cannot be kept in the cache", "digest", digest, "err", err)
	}
}
