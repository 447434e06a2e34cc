package trust

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/nats-io/nkeys"

	"github.com/polyvoke/polyvoke/protocol"
)

// maxSeed is more than a file with a seed has, in bytes.
const maxSeed = 4 << 10

// errSignature is why a signature proves nothing.
var errSignature = errors.New("its signature is not one of this module and this manifest: " +
	"sign what is deployed, polyvoke sign FILE --key KEYFILE")

// Sign returns the signature of a version, which must have its name and its digest, with the seed of an nkey. The file
// of a seed may have other lines, as nsc and nk write them. The error never repeats the seed.
func Sign(f *protocol.Function, seed []byte) (protocol.Signature, error) {
	key, err := parseSeed(seed)
	if err != nil {
		return protocol.Signature{}, err
	}
	defer key.Wipe()
	signer, err := key.PublicKey()
	if err != nil {
		return protocol.Signature{}, fmt.Errorf("the key: %w", err)
	}
	value, err := key.Sign(f.SignedText())
	if err != nil {
		return protocol.Signature{}, fmt.Errorf("the key: %w", err)
	}
	s := protocol.NewSignature(signer, value)
	return s, s.Check()
}

// parseSeed reads the seed of a user or an account.
func parseSeed(file []byte) (nkeys.KeyPair, error) {
	if len(file) > maxSeed {
		return nil, fmt.Errorf("the key's file has %d bytes; one of an nkey has fewer than %d", len(file), maxSeed)
	}
	for line := range bytes.Lines(file) {
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] != 'S' {
			continue
		}
		key, err := nkeys.FromSeed(line)
		if err != nil {
			return nil, fmt.Errorf("the key's file has a line with no valid seed: %w", err)
		}
		return key, nil
	}
	return nil, errors.New("the key's file has no seed: make one with nk -gen user, or polyvoke sign --generate KEYFILE")
}

// NewKey returns the seed of a new nkey of a user, and its public key.
func NewKey() (seed []byte, signer string, err error) {
	key, err := nkeys.CreateUser()
	if err != nil {
		return nil, "", err
	}
	if seed, err = key.Seed(); err != nil {
		return nil, "", err
	}
	signer, err = key.PublicKey()
	return seed, signer, err
}

// Verify returns an error unless the signature of a version is one of its signer. Who that is, is not judged.
func Verify(f *protocol.Function) error {
	if f.Signature == nil {
		return errSignature
	}
	if err := f.Signature.Check(); err != nil {
		return err
	}
	key, err := nkeys.FromPublicKey(f.Signature.Signer)
	if err != nil {
		return fmt.Errorf("its signer %.60q has no valid nkey: %w", f.Signature.Signer, err)
	}
	for _, authored := range f.Authored() {
		if key.Verify(authored.SignedText(), f.Signature.Bytes()) == nil {
			return nil
		}
	}
	return errSignature
}
