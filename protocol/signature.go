package protocol

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Forms of a signature.
const (
	signatureTitle = "polyvoke-signature-v1"
	signerLength   = 56 // of a public nkey: a kind, 32 bytes and a checksum in base32
	signatureBytes = 64 // of Ed25519
)

// Signature is who vouches for a version, and the proof: an Ed25519 signature of its SignedText.
type Signature struct {
	Signer string `json:"signer"` // public nkey of a user or an account, "U..." or "A..."
	Value  string `json:"value"`  // 64 bytes in base64url, without padding
}

// Check returns an error, with code 422, for what cannot be a signature. Whether it is one of a text, and of a signer
// that is trusted, is for invokers to say.
func (s *Signature) Check() error {
	if !signerForm(s.Signer) {
		return Errorf(CodeRefused, "", "signature: %.60q is no signer: use the public key of an nkey, such as U...", s.Signer)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s.Value)
	if err != nil || len(b) != signatureBytes || len(s.Value) != base64.RawURLEncoding.EncodedLen(signatureBytes) {
		return Errorf(CodeRefused, "", "signature: the value is not %d bytes in base64url without padding", signatureBytes)
	}
	return nil
}

// Bytes returns the value's bytes. The signature must have passed Check.
func (s *Signature) Bytes() []byte {
	b, _ := base64.RawURLEncoding.DecodeString(s.Value) // Check has
	return b
}

// NewSignature returns the signature of a signer with a value of 64 bytes.
func NewSignature(signer string, value []byte) Signature {
	return Signature{Signer: signer, Value: base64.RawURLEncoding.EncodeToString(value)}
}

// signerForm reports whether a text can be the public nkey of a user or an account.
func signerForm(s string) bool {
	other := func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '2' || r > '7') }
	return len(s) == signerLength && (s[0] == 'U' || s[0] == 'A') && !strings.ContainsFunc(s, other)
}

// SignedText returns what the signer of a version signs: its name, its module's digest and the SHA-256 of its canonical
// manifest, a line each (section 18 of the specification).
func (f *Function) SignedText() []byte {
	return fmt.Appendf(nil, "%s\n%s\n%s\n%s\n", signatureTitle, f.Name, f.Digest, Digest(f.Canonical()))
}

// Canonical returns the manifest as it is signed: JSON in the form of RFC 8785, without what the registry gives and
// without what is for people only.
func (f *Function) Canonical() []byte {
	plain, err := json.Marshal(f)
	if err != nil {
		return nil // a manifest has nothing that cannot be JSON
	}
	dec := json.NewDecoder(bytes.NewReader(plain))
	dec.UseNumber()
	var keys map[string]any
	if dec.Decode(&keys) != nil {
		return nil
	}
	for _, given := range []string{"version", "digest", "size", "created", "language", "needs", "signature"} {
		delete(keys, given)
	}
	return appendCanonical(nil, keys)
}

// Authored returns the manifests that the author of a version may have signed. A deployment fills in what is left to it:
// which version of a runtime it is, and how much memory that asks for.
func (f *Function) Authored() []*Function {
	all := []*Function{f}
	if name, _, pinned := strings.Cut(f.Runtime, "@"); pinned {
		all = append(all, f.with(name, f.Limits.Memory))
	}
	if f.Runtime != "" && f.Limits.Memory != 0 {
		for _, g := range slices.Clone(all) {
			all = append(all, f.with(g.Runtime, 0))
		}
	}
	return all
}

// with returns a copy with another runtime and limit of memory.
func (f *Function) with(runtime string, memory Size) *Function {
	g := *f
	g.Runtime, g.Limits.Memory = runtime, memory
	return &g
}

// appendCanonical appends what json.Decoder has read, with json.Number for numbers, in the form of RFC 8785. A manifest
// has integers only, of which that form is what json.Marshal writes.
func appendCanonical(b []byte, v any) []byte {
	switch v := v.(type) {
	case map[string]any:
		return appendObject(b, v)
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendCanonical(b, e)
		}
		return append(b, ']')
	case string:
		return appendString(b, v)
	case nil:
		return append(b, "null"...)
	}
	return fmt.Append(b, v) // a number, true or false
}

// appendObject appends an object with its keys in the order of their UTF-16 code units.
func appendObject(b []byte, object map[string]any) []byte {
	keys := make([]string, 0, len(object))
	for k := range object {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
	})
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendCanonical(append(appendString(b, k), ':'), object[k])
	}
	return append(b, '}')
}

// appendString appends a text as ECMAScript's JSON.stringify does.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch at := strings.IndexRune("\"\\\b\f\n\r\t", r); {
		case at >= 0:
			b = append(b, '\\', `"\bfnrt`[at])
		case r < ' ':
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
