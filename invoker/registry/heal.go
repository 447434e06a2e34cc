package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
)

// A message whose bytes on disk do not have their checksum is more than lost: it stays in the server's index, and a
// server (2.15) that is to remove it, or one beside it, because of a newer message on the same subject, does not end
// looking for it and answers nobody any more. A KV bucket removes with every write, and a purge of a subject or of a
// part does not reach such messages. So before anything is written the bucket is emptied, and filled again.

// errRotten says that a record's bytes on the server's disk are damaged.
var errRotten = errors.New("its bytes on the NATS server's disk are damaged")

// stub is what stands in the place of a record that was damaged on disk, until the function is removed or deployed
// again.
type stub struct {
	Name string    `json:"name"`
	Lost time.Time `json:"lost"` // when that was found
}

// maxStub is the length of the longest stub.
const maxStub = 200

// lostSince returns when a record was found damaged on disk, if the stub says that in its place.
func lostSince(record []byte) (when time.Time, ok bool) {
	var s stub
	if len(record) > maxStub || json.Unmarshal(record, &s) != nil || s.Lost.IsZero() {
		return when, false
	}
	return s.Lost, true
}

// rescue is the object, in the bucket of modules, that has all records while the bucket of records is emptied and
// filled.
const rescue = "records"

// heal frees the bucket of messages that the server cannot read, if there are any, and returns all records as they are
// then. Whatever dies on the way, the next heal goes on with what is in the rescue object. A registry that is read only
// returns them as they are.
func (r *JetStream) heal(ctx context.Context) (map[string]record, error) {
	if r.cfg.ReadOnly {
		return r.readAll(ctx)
	}
	saved, err := r.modules.Stat(ctx, rescue)
	if err != nil {
		return nil, err
	}
	if saved.Live() {
		if err := r.refill(ctx, saved); err != nil {
			return nil, err
		}
	}
	all, err := r.readAll(ctx)
	if err != nil || !torn(all) {
		return all, err
	}
	records := map[string][]byte{}
	for name, rec := range all {
		if records[name], err = r.remains(name, rec); err != nil {
			return nil, err
		}
	}
	b, err := json.Marshal(records)
	if err != nil {
		return nil, err
	}
	if saved, err = r.modules.Put(ctx, saved, bytes.NewReader(b)); err != nil {
		return nil, err
	}
	if err := r.records.Purge(ctx); err != nil {
		return nil, err
	}
	if err := r.refill(ctx, saved); err != nil {
		return nil, err
	}
	return r.readAll(ctx)
}

// refill writes the records of the rescue object that are not there, and deletes it.
func (r *JetStream) refill(ctx context.Context, saved objects.Object) error {
	b, err := r.modules.Load(ctx, saved, maxModule)
	if err != nil && !errors.Is(err, objects.ErrDamaged) {
		return err
	}
	var records map[string][]byte
	if err = errors.Join(err, json.Unmarshal(b, &records)); err != nil {
		r.cfg.Log.Error("registry: records were saved while their bucket was repaired, and cannot be read",
			"bucket", r.bucket, "err", err)
	}
	for name, b := range records {
		var err error
		if b != nil {
			err = r.write(ctx, name, b, record{})
		}
		if err != nil && !lost(err) {
			return fmt.Errorf("write the record of %s again: %w", name, err)
		}
	}
	if err := r.modules.Delete(ctx, saved); !lost(err) {
		return err
	}
	return nil
}

// remains returns what is written again of a record: nothing of one that was removed, and a stub for one that is lost.
func (r *JetStream) remains(name string, rec record) ([]byte, error) {
	if !rec.torn() {
		return rec.raw, nil
	}
	r.cfg.Log.Error("registry: a record is damaged on the server's disk and lost: deploy the function again, or remove it",
		"function", name, "bucket", r.bucket)
	return json.Marshal(stub{Name: name, Lost: time.Now().UTC()})
}

// torn reports whether the server cannot read one of the records.
func torn(all map[string]record) bool {
	for _, rec := range all {
		if rec.torn() {
			return true
		}
	}
	return false
}
