package keys

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/polyvoke/polyvoke/protocol"
)

// Bounds of a key.
const (
	MaxNote   = 256  // bytes
	MaxScope  = 64   // functions, and routes
	MaxRoute  = 1024 // bytes of one route's pattern
	maxRecord = 96 << 10
)

// Key describes a key: all that is known of one but its secret.
type Key struct {
	ID        string    `json:"id"`
	Note      string    `json:"note,omitempty"`      // what it is for, in its maker's words
	Functions []string  `json:"functions,omitempty"` // it opens these, and Routes; both empty: all
	Routes    []string  `json:"routes,omitempty"`    // patterns, as manifests have them
	Rate      string    `json:"rate,omitempty"`      // of all requests with it, see protocol.ParseRate; no bound
	Created   time.Time `json:"created"`
	Expires   time.Time `json:"expires,omitzero"` // zero: never
}

// Check returns what is wrong with a key's description, in its maker's words.
func (k *Key) Check() error {
	if len(k.Functions) > MaxScope || len(k.Routes) > MaxScope {
		return fmt.Errorf("%d functions and %d routes: at most %d of each", len(k.Functions), len(k.Routes), MaxScope)
	}
	if err := checkText("note", k.Note, MaxNote); err != nil {
		return err
	}
	for _, f := range k.Functions {
		if err := protocol.CheckName(f); err != nil {
			return err
		}
	}
	for _, r := range k.Routes {
		if r == "" {
			return errors.New("a route is empty: write its pattern, as the manifest has it")
		}
		if err := checkText("route", r, MaxRoute); err != nil {
			return err
		}
		if _, err := protocol.ParseHTTPPattern(r); err != nil {
			return fmt.Errorf("route %w", err)
		}
	}
	if _, err := protocol.ParseRate(k.Rate); err != nil {
		return fmt.Errorf("rate %w", err)
	}
	if !k.Expires.IsZero() && !k.Expires.After(k.Created) {
		return fmt.Errorf("it would have expired at %s, before it is made", k.Expires.Format(time.RFC3339))
	}
	return nil
}

// checkText refuses a text that is long, or that a terminal or a header would not take.
func checkText(what, s string, most int) error {
	switch {
	case len(s) > most:
		return fmt.Errorf("the %s has %d bytes; at most %d", what, len(s), most)
	case !utf8.ValidString(s):
		return fmt.Errorf("the %s is not UTF-8", what)
	case strings.ContainsFunc(s, unicode.IsControl):
		return fmt.Errorf("the %s has control characters", what)
	}
	return nil
}

// Opens reports whether a key is for a function, or for a route.
func (k *Key) Opens(function, route string) bool {
	return len(k.Functions) == 0 && len(k.Routes) == 0 ||
		slices.Contains(k.Functions, function) || slices.Contains(k.Routes, route)
}

// recordVersion is that of the record's form. What a later form adds may narrow what a key opens, so a record of one is
// not understood in part.
const recordVersion = 1

// record is what the bucket has of a key.
type record struct {
	Version int    `json:"version"`
	Digest  string `json:"digest"` // sha256:HEX of the key's text
	Key
}

const digestPrefix = "sha256:"

// encode returns the record of a key.
func encode(k Key, d digest) ([]byte, error) {
	return json.Marshal(record{recordVersion, digestPrefix + hex.EncodeToString(d[:]), k})
}

// decode reads the record of a key. Anybody with the right to do so may have written it.
func decode(id string, b []byte) (k Key, d digest, err error) {
	if len(id) != idSize || !plain(id) {
		return k, d, fmt.Errorf("%.40q is not the id of a key", id)
	}
	if len(b) > maxRecord {
		return k, d, fmt.Errorf("it has %d bytes; at most %d", len(b), maxRecord)
	}
	var r record
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return k, d, fmt.Errorf("it is damaged, or of a newer polyvoke: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return k, d, errors.New("it is damaged: something follows it")
	}
	text, prefixed := strings.CutPrefix(r.Digest, digestPrefix)
	raw, errHex := hex.DecodeString(text)
	switch {
	case r.Version != recordVersion:
		return k, d, fmt.Errorf("it has version %d, and this polyvoke knows %d: use the one that wrote it", r.Version,
			recordVersion)
	case r.ID != id:
		return k, d, fmt.Errorf("it is that of the key %.40q", r.ID)
	case !prefixed || errHex != nil || len(raw) != len(d):
		return k, d, errors.New("it is damaged: its digest is none")
	}
	copy(d[:], raw)
	return r.Key, d, r.Check()
}
