package registry

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"regexp"
	"time"

	"github.com/google/uuid"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

// A module may be collected when no record names it. Records and modules are in different
// streams, so no single compare-and-set can say both, and a Put could write a record between
// a collector's look at the records and its deletion. Therefore each Put first
// writes a claim into the description of the module: a collector that comes later sees it
// and leaves the module alone, and one that looked before fails, as it deletes by compare-and-set.
// After its record is written, Put takes the claim back. The claim of a Put that died stays
// until the module's description is an hour old.

// maxModule is the longest module that is read.
const maxModule = int64(protocol.MaxBody)

// digestForm finds the modules that a record names, even in a record that cannot be read.
var digestForm = regexp.MustCompile(`sha256:[0-9a-f]{64}`)

// digestsIn returns the modules that a record names.
func digestsIn(record []byte) map[string]bool {
	set := map[string]bool{}
	for _, d := range digestForm.FindAll(record, -1) {
		set[string(d)] = true
	}
	return set
}

// claim makes sure that the bucket holds the module, whole, and that nobody collects it before
// release is called with the claim's name.
func (r *JetStream) claim(ctx context.Context, digest string, module []byte) (string, error) {
	name := uuid.NewString()
	whole := "" // the upload that has been compared with module
	for try := range attempts {
		o, err := r.modules.Stat(ctx, digest)
		if err != nil {
			return "", err
		}
		if o.Live() && o.Info.NUID != whole {
			if whole, err = r.compare(ctx, o, module); err != nil {
				return "", err
			}
		}
		if o.Info.Metadata = maps.Clone(o.Info.Metadata); o.Info.Metadata == nil {
			o.Info.Metadata = map[string]string{}
		}
		o.Info.Metadata[name] = "claim"
		if o.Live() && whole != "" {
			_, err = r.modules.Set(ctx, o)
		} else {
			_, err = r.modules.Put(ctx, o, bytes.NewReader(module))
		}
		if !lost(err) {
			return name, err
		}
		if err := backOff(ctx, try); err != nil {
			return "", err
		}
	}
	return "", contended("")
}

// compare returns the name of o's upload if that has the module's bytes, and otherwise nothing.
func (r *JetStream) compare(ctx context.Context, o objects.Object, module []byte) (string, error) {
	stored, err := r.modules.Load(ctx, o, maxModule)
	switch {
	case errors.Is(err, objects.ErrDamaged), errors.Is(err, objects.ErrTooLarge),
		err == nil && !bytes.Equal(stored, module):
		return "", nil
	}
	return o.Info.NUID, err
}

// release takes a claim back, and collects the module if function's record does not name it. What it
// cannot do is garbage, not an error.
func (r *JetStream) release(ctx context.Context, claim, digest, function string) {
	err := r.unclaim(ctx, claim, digest)
	if err == nil {
		var rec record
		if rec, err = r.read(ctx, function); err == nil && !digestsIn(rec.raw)[digest] {
			_, err = r.collectOne(ctx, digest)
		}
	}
	r.garbage(digest, err)
}

func (r *JetStream) garbage(digest string, err error) {
	if err != nil {
		r.cfg.Log.Warn("registry: a module stays as garbage until a later start", "digest", digest, "err", err)
	}
}

// unclaim takes a claim back.
func (r *JetStream) unclaim(ctx context.Context, claim, digest string) error {
	for try := range attempts {
		o, err := r.modules.Stat(ctx, digest)
		if err != nil || o.Info.Metadata[claim] == "" {
			return err
		}
		delete(o.Info.Metadata, claim)
		if _, err := r.modules.Set(ctx, o); !lost(err) {
			return err
		}
		if err := backOff(ctx, try); err != nil {
			return err
		}
	}
	return contended("")
}

// collect deletes the modules that the record was names and is does not, unless others need them.
func (r *JetStream) collect(ctx context.Context, was, is []byte) {
	kept := digestsIn(is)
	for d := range digestsIn(was) {
		if kept[d] {
			continue
		}
		collected, err := r.collectOne(ctx, d)
		if r.garbage(d, err); collected {
			r.copies.drop(d)
		}
	}
}

// collectOne deletes a module unless it is claimed or a record names it. Whoever changes it in
// the meantime needs it, or deletes it as well.
func (r *JetStream) collectOne(ctx context.Context, digest string) (collected bool, err error) {
	o, err := r.modules.Stat(ctx, digest)
	if err != nil || !o.Live() || len(o.Info.Metadata) > 0 {
		return false, err
	}
	used, err := r.used(ctx)
	if err != nil || used[digest] {
		return false, err
	}
	if err := r.modules.Delete(ctx, o); !lost(err) {
		return err == nil, err
	}
	return false, nil
}

// used returns every module that a record names. It is an error if a record is rotten: nobody knows what that names.
func (r *JetStream) used(ctx context.Context) (map[string]bool, error) {
	all, err := r.readAll(ctx)
	if err != nil {
		return nil, err
	}
	set := map[string]bool{}
	for name, rec := range all {
		if rec.rotten() {
			return nil, r.broken("", name, rec.err)
		}
		maps.Copy(set, digestsIn(rec.raw))
	}
	return set, nil
}

// sweep removes what died more than age ago: modules without a record, claims, and uploads.
func (r *JetStream) sweep(ctx context.Context, age time.Duration) error {
	all, err := r.modules.List(ctx) // first the modules, then the records: see above
	if err != nil {
		return err
	}
	used, err := r.used(ctx)
	if err != nil {
		return err
	}
	for _, o := range all {
		switch {
		case time.Since(o.Stored) < age:
			continue
		case !used[o.Info.Name]:
			err = r.modules.Delete(ctx, o)
		case len(o.Info.Metadata) > 0:
			o.Info.Metadata = nil
			_, err = r.modules.Set(ctx, o)
		}
		if err != nil && !lost(err) {
			return err
		}
	}
	_, err = r.modules.Sweep(ctx, age)
	return err
}
