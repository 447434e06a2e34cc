package sealed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/polyvoke/polyvoke/invoker/backend/secrets"
	"github.com/polyvoke/polyvoke/protocol"
)

// Keys open what is sealed to one of them. They do not change.
type Keys struct {
	pairs  []nkeys.KeyPair
	public []string
}

// NewKey returns the seed of a new key, and its public half.
func NewKey() (seed []byte, public string, err error) {
	pair, err := nkeys.CreateCurveKeys()
	if err != nil {
		return nil, "", err
	}
	if seed, err = pair.Seed(); err != nil {
		return nil, "", err
	}
	public, err = pair.PublicKey()
	return seed, public, err
}

// ReadKeys reads the files of keys, of which the first is the one to seal to. As of a file in a [secrets.Folder], only
// the user of this process and root may be able to write to one and, but for Kubernetes, to read it. No error has
// anything of a file in it.
func ReadKeys(files ...string) (*Keys, error) {
	seeds := make([][]byte, len(files))
	for i, file := range files {
		dir, name := filepath.Split(filepath.Clean(file))
		if secrets.CheckName(name) != nil {
			return nil, fmt.Errorf("%s: name the file with letters, digits, -, _ and dots", file)
		}
		b, err := secrets.Folder{Dir: filepath.Clean(dir + ".")}.Secret(context.Background(), protocol.AllFunctions, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		seeds[i] = b
	}
	k, err := ParseKeys(seeds...)
	var at *fileError
	if errors.As(err, &at) {
		return nil, fmt.Errorf("%s: %w", files[at.file], at.err)
	}
	return k, err
}

// fileError is what is wrong with one of several files.
type fileError struct {
	file int
	err  error
}

// Error implements error.
func (e *fileError) Error() string { return fmt.Sprintf("key %d: %v", e.file+1, e.err) }

// ParseKeys is ReadKeys of what is in the files: a line with a seed, and other lines.
func ParseKeys(files ...[]byte) (*Keys, error) {
	if len(files) > protocol.MaxSecretsKeys {
		return nil, fmt.Errorf("there are %d keys; at most %d", len(files), protocol.MaxSecretsKeys)
	}
	k := new(Keys)
	for i, file := range files {
		pair, err := parseSeed(file)
		if err != nil {
			return nil, &fileError{i, err}
		}
		public, err := pair.PublicKey()
		switch {
		case err != nil:
			return nil, &fileError{i, err}
		case slices.Contains(k.public, public):
			return nil, &fileError{i, errors.New("its key is that of another file: name each key once")}
		}
		k.pairs, k.public = append(k.pairs, pair), append(k.public, public)
	}
	if len(k.pairs) == 0 {
		return nil, errors.New("there is no key: polyvoke secret keygen KEYFILE makes one")
	}
	return k, nil
}

// parseSeed reads the seed of a key.
func parseSeed(file []byte) (nkeys.KeyPair, error) {
	for line := range bytes.Lines(file) {
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] != 'S' {
			continue
		}
		if pair, err := nkeys.FromCurveSeed(line); err == nil {
			return pair, nil
		}
		return nil, errors.New("it has no seed of a curve key, SX...: polyvoke secret keygen KEYFILE makes one")
	}
	return nil, errors.New("it has no seed: polyvoke secret keygen KEYFILE makes one")
}

// Public returns the public keys, the one to seal to first.
func (k *Keys) Public() []string { return slices.Clone(k.public) }

// Open returns the value in the record that the bucket has under a key. The error's code is 503.
func (k *Keys) Open(key string, record []byte) ([]byte, error) {
	s, err := protocol.ParseSealedSecret(record)
	if err != nil {
		return nil, err
	}
	i := slices.Index(k.public, s.Key)
	if i < 0 {
		return nil, protocol.Errorf(protocol.CodeUnavailable, "",
			"it is sealed to %s, a key that this invoker does not have: "+
				"start it with that one too (--secrets-key), or seal it again", s.Key)
	}
	text, err := k.pairs[i].Open(s.Bytes(), s.From)
	if err != nil {
		return nil, protocol.Errorf(protocol.CodeUnavailable, "", "its seal is broken: seal it again")
	}
	return protocol.ParseSecretText(key, text)
}

// seal returns the record of a value for a key of the bucket, sealed to a public key. The error's code is 400.
func seal(key, to string, value []byte, created time.Time) ([]byte, error) {
	if err := protocol.CheckCurveKey(to); err != nil {
		return nil, err
	}
	text, err := protocol.SecretText(key, value)
	if err != nil {
		return nil, err
	}
	pair, err := nkeys.CreateCurveKeys()
	if err != nil {
		return nil, err
	}
	defer pair.Wipe()
	from, err := pair.PublicKey()
	if err != nil {
		return nil, err
	}
	box, err := pair.Seal(text, to)
	if err != nil {
		return nil, protocol.Errorf(protocol.CodeBadRequest, "", "%s is no public key for secrets, its checksum is wrong: "+
			"copy it again", to)
	}
	return json.Marshal(protocol.NewSealedSecret(to, from, box, created))
}
