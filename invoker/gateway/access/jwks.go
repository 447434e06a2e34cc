package access

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// Bounds of a set of keys.
const (
	maxSet  = 1 << 20 // bytes
	maxKeys = 100
	minRSA  = 2048 // bits
	maxRSA  = 8192 // bits: larger ones take too long
)

// keySet is a set of public keys. It does not change.
type keySet struct{ keys []publicKey }

// publicKey is a key that signatures are verified with.
type publicKey struct {
	id  string
	alg string   // the only algorithm that it is for; empty: any that fits
	fit []string // the algorithms that fit its type
	key crypto.PublicKey
}

// fit returns the keys that may have made a signature with an algorithm: the one of an id, or any if that is empty.
func (s *keySet) fit(id, alg string) (all []crypto.PublicKey) {
	for _, k := range s.keys {
		if (id == "" || k.id == id) && (k.alg == "" || k.alg == alg) && slices.Contains(k.fit, alg) {
			all = append(all, k.key)
		}
	}
	return all
}

// jsonKey is a JSON Web Key (RFC 7517, section 4; RFC 7518, section 6; RFC 8037).
type jsonKey struct {
	Type       string   `json:"kty"`
	Use        string   `json:"use"`
	Operations []string `json:"key_ops"`
	Algorithm  string   `json:"alg"`
	ID         string   `json:"kid"`
	Curve      string   `json:"crv"`
	N          string   `json:"n"`
	E          string   `json:"e"`
	X          string   `json:"x"`
	Y          string   `json:"y"`
	D          string   `json:"d"`
	K          string   `json:"k"`
}

// parseKeySet reads a set of keys. Those that it cannot use are left out, each with a problem. The error is for what is
// no set at all, or has no key that can be used.
func parseKeySet(b []byte) (*keySet, []error, error) {
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if len(b) > maxSet {
		return nil, nil, fmt.Errorf("it has over %d bytes", maxSet)
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, nil, fmt.Errorf("it is no JSON Web Key Set: %w", err)
	}
	if len(raw.Keys) > maxKeys {
		return nil, nil, fmt.Errorf("it has %d keys; at most %d", len(raw.Keys), maxKeys)
	}
	var set keySet
	var problems []error
	for i, one := range raw.Keys {
		k, err := parseKey(one)
		if err != nil {
			problems = append(problems, fmt.Errorf("key %d: %w", i+1, err))
			continue
		}
		set.keys = append(set.keys, k)
	}
	if len(set.keys) == 0 {
		return nil, problems, errors.Join(append([]error{errors.New("it has no public key for signatures")}, problems...)...)
	}
	return &set, problems, nil
}

// parseKey reads a key.
func parseKey(b []byte) (publicKey, error) {
	var j jsonKey
	if err := json.Unmarshal(b, &j); err != nil {
		return publicKey{}, fmt.Errorf("it is no key: %w", err)
	}
	switch {
	case j.D != "" || j.K != "" || j.Type == "oct":
		return publicKey{}, errors.New("it is secret: a set of keys is for all to read, so make a new one, and publish its public half")
	case j.Use != "" && j.Use != "sig", j.Operations != nil && !slices.Contains(j.Operations, "verify"):
		return publicKey{}, errors.New("it is not for signatures")
	case len(j.ID) > maxKeyID:
		return publicKey{}, fmt.Errorf("its kid has %d bytes; at most %d", len(j.ID), maxKeyID)
	}
	key, fit, err := j.public()
	if err == nil && j.Algorithm != "" && !slices.Contains(fit, j.Algorithm) {
		err = fmt.Errorf("its algorithm %.20q is not one of its type (%s)", j.Algorithm, strings.Join(fit, ", "))
	}
	return publicKey{j.ID, j.Algorithm, fit, key}, err
}

// public returns the public key itself, and the algorithms that fit it.
func (j *jsonKey) public() (crypto.PublicKey, []string, error) {
	switch j.Type {
	case "RSA":
		key, err := j.rsa()
		return key, []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, err
	case "EC":
		return j.ec()
	case "OKP":
		x, err := octets(j.X)
		if err == nil && (j.Curve != "Ed25519" || len(x) != ed25519.PublicKeySize) {
			err = fmt.Errorf("its curve %.20q is not Ed25519, or its x is not of that", j.Curve)
		}
		return ed25519.PublicKey(x), []string{"EdDSA"}, err
	}
	return nil, nil, fmt.Errorf("its type %.20q is none of RSA, EC and OKP", j.Type)
}

// rsa returns an RSA key.
func (j *jsonKey) rsa() (*rsa.PublicKey, error) {
	n, errN := octets(j.N)
	e, errE := octets(j.E)
	if err := errors.Join(errN, errE); err != nil {
		return nil, err
	}
	if len(n) > maxRSA/8+1 || len(e) > 4 {
		return nil, fmt.Errorf("it is longer than RSA with %d bits, or its exponent than 4 bytes", maxRSA)
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	if bits := key.N.BitLen(); bits < minRSA || bits > maxRSA || key.N.Bit(0) == 0 {
		return nil, fmt.Errorf("it is RSA with %d bits; use %d to %d", bits, minRSA, maxRSA)
	}
	if key.E < 3 || key.E%2 == 0 || key.E > 1<<31-1 {
		return nil, fmt.Errorf("its exponent %d is not an odd number from 3", key.E)
	}
	return key, nil
}

// ec returns a key on an elliptic curve.
func (j *jsonKey) ec() (crypto.PublicKey, []string, error) {
	curves := map[string]struct {
		elliptic.Curve
		alg string
	}{"P-256": {elliptic.P256(), "ES256"}, "P-384": {elliptic.P384(), "ES384"}, "P-521": {elliptic.P521(), "ES512"}}
	c, ok := curves[j.Curve]
	if !ok {
		return nil, nil, fmt.Errorf("its curve %.20q is none of P-256, P-384 and P-521", j.Curve)
	}
	x, errX := octets(j.X)
	y, errY := octets(j.Y)
	if err := errors.Join(errX, errY); err != nil {
		return nil, nil, err
	}
	size := (c.Params().BitSize + 7) / 8
	if len(x) != size || len(y) != size {
		return nil, nil, fmt.Errorf("its x and y have %d and %d bytes, not %d", len(x), len(y), size)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(c.Curve, slices.Concat([]byte{4}, x, y))
	return key, []string{c.alg}, err
}

// octets reads what a key has in base64url.
func octets(s string) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) == 0 {
		return nil, errors.New("a part of it is missing, or is not in base64url")
	}
	return b, nil
}
