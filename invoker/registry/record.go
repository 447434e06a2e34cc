package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// maxVersion is the largest number of a version: with one deployment a second it is reached in 68 years.
const maxVersion = math.MaxInt32

// versionForm finds the numbers of versions in a record that cannot be read.
var versionForm = regexp.MustCompile(`"version":\s*(\d{1,9})\b`)

// newestIn returns the highest number of a version in a record that cannot be read, or 0: what comes after it is not
// mistaken for something older.
func newestIn(record []byte) int {
	newest := 0
	for _, m := range versionForm.FindAllSubmatch(record, -1) {
		n, _ := strconv.Atoi(string(m[1])) // nine digits at most
		newest = max(newest, n)
	}
	return newest
}

// encodeEntry returns the record of an entry, and the entry as it reads: the oldest versions that are not to be kept
// go if the record would be longer than max bytes.
func encodeEntry(e Entry, max int, keep named) ([]byte, Entry, error) {
	for {
		b, err := json.Marshal(e)
		switch {
		case err != nil:
			return nil, e, protocol.Errorf(protocol.CodeRefused, "deploy "+e.Name,
				"the manifest cannot be written as JSON: %w", err)
		case len(b) <= max:
			return b, e, nil
		case len(e.Versions) == 1:
			return nil, e, protocol.Errorf(protocol.CodeRefused, "deploy "+e.Name,
				"the manifest is %d bytes long; the store takes %d: shorten env, args or triggers", len(b), max)
		}
		var ok bool
		if e, ok = e.shorter(keep); !ok {
			return nil, e, protocol.Errorf(protocol.CodeRefused, "deploy "+e.Name,
				"the manifests of the versions that aliases of %s name are %d bytes long with this one; the store takes %d: "+
					"let fewer versions have aliases (polyvoke alias ls %s)", e.Name, len(b), max, e.Name)
		}
	}
}

// decodeEntry reads the record of the function name. It is strict: what it does not know, a
// newer polyvoke or somebody else has written, and to guess would be to run the wrong thing. The error is a *NeedsError
// if the record says that it is a newer one's.
func decodeEntry(name string, record []byte, knows func(word string) bool) (Entry, error) {
	var e Entry
	if err := protocol.CheckName(name); err != nil {
		return e, err
	}
	if when, ok := lostSince(record); ok {
		return e, fmt.Errorf("%w, as was found at %s", errRotten, when.Format(time.RFC3339))
	}
	if err := checkNeeds(name, record, knows); err != nil {
		return Entry{}, err
	}
	dec := json.NewDecoder(bytes.NewReader(record))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		return Entry{}, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return Entry{}, errors.New("something follows the record's object")
	}
	if err := e.check(name); err != nil {
		return Entry{}, err
	}
	e.Needs = protocol.Words(e.Needs, e.needed())
	return e, nil
}

// check returns the first thing for which the entry cannot be that of the function name.
func (e Entry) check(name string) error {
	if e.Name != name || len(e.Versions) == 0 || len(e.Versions) > mostVersions {
		return fmt.Errorf("it has the name %.80q and %d versions", e.Name, len(e.Versions))
	}
	last := 0
	for i := range e.Versions {
		f := &e.Versions[i]
		if f.Name != name || f.Version <= last || f.Version > maxVersion {
			return fmt.Errorf("version %d of %.80q follows version %d", f.Version, f.Name, last)
		}
		if f.Size < 0 || f.Size > maxModule {
			return fmt.Errorf("version %d: its module has %d bytes", f.Version, f.Size)
		}
		if err := errors.Join(f.Check(), protocol.CheckDigest(f.Digest)); err != nil {
			return fmt.Errorf("version %d: %w", f.Version, err)
		}
		last = f.Version
	}
	return nil
}
