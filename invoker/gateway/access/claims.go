package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"github.com/polyvoke/polyvoke/protocol"
)

// Bounds of what is said of a client.
const (
	MaxClaims     = 16
	MaxClaimName  = 64      // bytes
	MaxClaimValue = 1 << 10 // bytes
	maxClaimBytes = 4 << 10 // of all values together
)

// DefaultClaims are those of a token that functions get unless a Guard is told otherwise.
func DefaultClaims() []string { return []string{"sub", "iss", "scope"} }

// wanted is a claim that functions get.
type wanted struct{ header, claim string }

// parseWanted reads names of claims, NAME or HEADER=NAME.
func parseWanted(names []string) (all []wanted, err error) {
	if names == nil {
		names = DefaultClaims()
	}
	if len(names) > MaxClaims {
		return nil, fmt.Errorf("tokens: %d claims; at most %d", len(names), MaxClaims)
	}
	for _, name := range names {
		header, claim, ok := strings.Cut(name, "=")
		if !ok {
			claim = header
		}
		if err := checkClaimName(header); err != nil {
			return nil, fmt.Errorf("tokens: --jwt-claim %.100q: %w; for a claim with another name write HEADER=NAME", name, err)
		}
		if claim == "" || slices.ContainsFunc(all, func(w wanted) bool { return equalFold(w.header, header) }) {
			return nil, fmt.Errorf("tokens: --jwt-claim %.100q: it has no name, or the same header as another one", name)
		}
		all = append(all, wanted{header, claim})
	}
	slices.SortFunc(all, func(a, b wanted) int { return strings.Compare(a.header, b.header) })
	return all, nil
}

// checkClaimName refuses what cannot be part of a header's and of a file's name.
func checkClaimName(s string) error {
	for i := range len(s) {
		c := lower(s[i])
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return errors.New("use letters, digits, - and _")
		}
	}
	if s == "" || len(s) > MaxClaimName {
		return fmt.Errorf("use 1 to %d characters", MaxClaimName)
	}
	return nil
}

// pick returns the claims that functions get.
func (v *verifier) pick(claims jwt.MapClaims) (all []Claim, err error) {
	size := 0
	for _, w := range v.claims {
		value, ok := claims[w.claim]
		if !ok || value == nil {
			continue
		}
		text, err := claimText(value)
		if err != nil {
			return nil, tooMuch("the token's claim %.40q: %w", w.claim, err)
		}
		if size += len(text); size > maxClaimBytes {
			return nil, tooMuch("the token's claims have over %d bytes together", maxClaimBytes)
		}
		all = append(all, Claim{w.header, text})
	}
	return all, nil
}

// tooMuch returns the error for claims that are too long. To leave one out would make a client another one.
func tooMuch(format string, a ...any) error {
	return protocol.Errorf(protocol.CodeHeaders, "", format, a...)
}

// claimText returns a claim as a header has it: a text as it is, all else as JSON.
func claimText(value any) (string, error) {
	text, ok := value.(string)
	if !ok {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(value); err != nil {
			return "", err
		}
		text = strings.TrimSuffix(b.String(), "\n")
	}
	return text, checkValue(text, MaxClaimValue)
}

// checkValue refuses what no header may have.
func checkValue(s string, most int) error {
	switch {
	case len(s) > most:
		return fmt.Errorf("has %d bytes; at most %d", len(s), most)
	case !utf8.ValidString(s):
		return errors.New("is not UTF-8")
	case strings.ContainsFunc(s, unicode.IsControl):
		return errors.New("has control characters")
	}
	return nil
}
