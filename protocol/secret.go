package protocol

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// BucketSecrets is the KV bucket of sealed secrets. Its keys are those that SecretKey returns.
const BucketSecrets = "fn_secrets"

// Bounds of sealed secrets.
const (
	MaxSecretValue = 64 << 10  // bytes; MaxSecret is of the name
	MaxSealed      = 128 << 10 // bytes of a record
	MaxSecretsKeys = 16        // keys of one invoker

	MaxFailedSecrets = 100 // that an answer names
)

// AllFunctions is in the place of a function's name in the key of a secret that each function can be granted.
const AllFunctions = "_"

// Forms of a sealed secret.
const (
	secretTitle   = "polyvoke-secret-v1"
	secretVersion = 1
	curveLength   = 56 // of a public curve key: a kind, 32 bytes and a checksum in base32
)

// The control verbs of sealed secrets.
const (
	APISecretsKey    APIVerb = "secrets-key"    // no body -> SecretsKeyReply
	APISecretsRotate APIVerb = "secrets-rotate" // no body -> SecretsRotateReply
)

// SecretsKeyReply has the public curve keys of an invoker: the one that secrets are sealed to, and all whose secrets it
// opens, that one first.
type SecretsKeyReply struct {
	Key  string   `json:"key"`
	Keys []string `json:"keys"`
}

// SecretsRotateReply says what came of a rotation.
type SecretsRotateReply struct {
	Key    string            `json:"key"`              // to which all is sealed now
	Sealed int               `json:"sealed"`           // how many secrets were sealed anew
	Left   int               `json:"left,omitempty"`   // how many could not be
	Failed map[string]string `json:"failed,omitempty"` // why not, by FUNCTION.NAME, of MaxFailedSecrets at most
}

// SealedSecret is a secret as the bucket has it: its SecretText in a NaCl box from a key that was made for this
// and thrown away.
type SealedSecret struct {
	Version int       `json:"version"` // of this form
	Key     string    `json:"key"`     // public curve key that it is sealed to, "X..."
	From    string    `json:"from"`    // public curve key that it was sealed with
	Box     string    `json:"box"`     // in base64url, without padding
	Created time.Time `json:"created"`
}

// CheckSecretName returns nil if a sealed secret can have a name: letters, digits, - _ and dots, with no dot first or
// last, nor two in a row. The error's code is 400.
func CheckSecretName(name string) error {
	other := func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.", c)
	}
	if name == "" || len(name) > MaxSecret || strings.ContainsFunc(name, other) || name[0] == '.' ||
		strings.HasSuffix(name, ".") || strings.Contains(name, "..") {
		return Errorf(CodeBadRequest, "", "secret name %.80q: use 1 to %d letters, digits, -, _ and single dots between them",
			name, MaxSecret)
	}
	return nil
}

// SecretKey returns the key of a secret in the bucket: FUNCTION.NAME, or _.NAME for AllFunctions. The error's code is
// 400.
func SecretKey(function, name string) (string, error) {
	if function != AllFunctions {
		if err := CheckName(function); err != nil {
			return "", err
		}
	}
	return function + "." + name, CheckSecretName(name)
}

// ParseSecretKey reads what SecretKey returns. The error's code is 400.
func ParseSecretKey(key string) (function, name string, err error) {
	function, name, _ = strings.Cut(key, ".")
	if _, err := SecretKey(function, name); err != nil {
		return "", "", err
	}
	return function, name, nil
}

// CheckCurveKey returns nil if a text has the form of a public curve key. The error's code is 400.
func CheckCurveKey(s string) error {
	other := func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '2' || r > '7') }
	if len(s) != curveLength || s[0] != 'X' || strings.ContainsFunc(s, other) {
		return Errorf(CodeBadRequest, "",
			"%.60q is no public key for secrets: use one as polyvoke secret keygen prints it, X...", s)
	}
	return nil
}

// SecretText returns what is sealed: the key of the secret and its value. With the key, whoever can write to the
// bucket cannot give a function the secret of another. The error's code is 400.
func SecretText(key string, value []byte) ([]byte, error) {
	if len(value) > MaxSecretValue {
		return nil, Errorf(CodeBadRequest, "", "the value has %d bytes; a secret has at most %d", len(value), MaxSecretValue)
	}
	return append(fmt.Appendf(nil, "%s\n%s\n", secretTitle, key), value...), nil
}

// ParseSecretText returns the value in what SecretText returns for a key. The error's code is 503, and nothing of the
// text is in it.
func ParseSecretText(key string, text []byte) ([]byte, error) {
	value, ok := bytes.CutPrefix(text, fmt.Appendf(nil, "%s\n%s\n", secretTitle, key))
	switch {
	case !ok:
		return nil, Errorf(CodeUnavailable, "", "it was sealed for another function or another name: seal it again")
	case len(value) > MaxSecretValue:
		return nil, Errorf(CodeUnavailable, "", "its value has %d bytes; a secret has at most %d", len(value), MaxSecretValue)
	}
	return value, nil
}

// NewSealedSecret returns the record of a box.
func NewSealedSecret(key, from string, box []byte, created time.Time) *SealedSecret {
	return &SealedSecret{Version: secretVersion, Key: key, From: from, Box: base64.RawURLEncoding.EncodeToString(box),
		Created: created.UTC().Truncate(time.Second)}
}

// ParseSealedSecret reads a record, which anybody with the right to write to the bucket may have written. The error's
// code is 503.
func ParseSealedSecret(b []byte) (*SealedSecret, error) {
	if len(b) > MaxSealed {
		return nil, Errorf(CodeUnavailable, "", "its record has %d bytes; at most %d", len(b), MaxSealed)
	}
	var s SealedSecret
	dec := json.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(&s); err != nil {
		return nil, Errorf(CodeUnavailable, "", "its record is damaged: seal it again")
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, Errorf(CodeUnavailable, "", "its record is damaged, something follows it: seal it again")
	}
	_, badBox := base64.RawURLEncoding.Strict().DecodeString(s.Box)
	switch {
	case s.Version != secretVersion:
		return nil, Errorf(CodeUnavailable, "",
			"its record has version %d, and this polyvoke knows %d: use the one that wrote it", s.Version, secretVersion)
	case CheckCurveKey(s.Key) != nil, CheckCurveKey(s.From) != nil, badBox != nil, strings.ContainsAny(s.Box, "\r\n"):
		return nil, Errorf(CodeUnavailable, "", "its record is damaged, a key or the box is none: seal it again")
	}
	return &s, nil
}

// Bytes returns the box. The record must be one that ParseSealedSecret has read.
func (s *SealedSecret) Bytes() []byte {
	b, _ := base64.RawURLEncoding.DecodeString(s.Box) // it has been checked
	return b
}
