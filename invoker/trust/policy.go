package trust

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/nats-io/nkeys"

	"github.com/polyvoke/polyvoke/protocol"
)

// Bounds of a policy.
const (
	maxPolicy   = 1 << 20 // bytes
	maxSigners  = 1000
	maxPatterns = 1000 // of a signer
)

// ReadPolicy reads a policy from a file.
func ReadPolicy(file string) (*Policy, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxPolicy {
		return nil, fmt.Errorf("%s has %d bytes; a policy has %d at most", file, info.Size(), maxPolicy)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	p, err := ParsePolicy(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

// ParsePolicy reads a policy in TOML: required, and [[signer]] tables with name, key and functions. A key that is none
// of these is an error, and so is a signer for no function.
func ParsePolicy(text []byte) (*Policy, error) {
	if len(text) > maxPolicy {
		return nil, fmt.Errorf("it has %d bytes; at most %d", len(text), maxPolicy)
	}
	var p Policy
	read, err := toml.Decode(string(text), &p)
	if err != nil {
		var at toml.ParseError
		if errors.As(err, &at) {
			return nil, fmt.Errorf("line %d: %s", at.Position.Line, at.Message)
		}
		return nil, err
	}
	if unknown := read.Undecoded(); len(unknown) > 0 {
		return nil, fmt.Errorf("%s is no key of a trust policy: use required, and [[signer]] with name, key, functions",
			unknown[0])
	}
	return &p, p.check()
}

// check returns the first thing that is wrong.
func (p *Policy) check() error {
	if len(p.Signers) > maxSigners {
		return fmt.Errorf("it has %d signers; at most %d", len(p.Signers), maxSigners)
	}
	for i := range p.Signers {
		if err := p.Signers[i].check(); err != nil {
			return fmt.Errorf("signer %d (%.40q): %w", i+1, p.Signers[i].Name, err)
		}
	}
	return nil
}

// check returns the first thing that is wrong with a signer.
func (s *Signer) check() error {
	probe := protocol.NewSignature(s.Key, make([]byte, 64))
	switch {
	case strings.HasPrefix(s.Key, "S"):
		return errors.New("key is a seed, which is secret: write the public key, which begins with U or A")
	case probe.Check() != nil || !nkeys.IsValidPublicKey(s.Key):
		return fmt.Errorf("key = %.60q: write the public nkey of a user or an account, which begins with U or A", s.Key)
	case len(s.Functions) == 0:
		return errors.New(`functions is missing: write names or patterns, such as functions = ["orders-*"]`)
	case len(s.Functions) > maxPatterns:
		return fmt.Errorf("it has %d functions; at most %d", len(s.Functions), maxPatterns)
	}
	bad := slices.IndexFunc(s.Functions, func(pattern string) bool {
		_, err := path.Match(pattern, "")
		return err != nil || pattern == "" || len(pattern) > protocol.MaxName
	})
	if bad >= 0 {
		return fmt.Errorf("functions: %.80q is no name and no pattern, such as orders-*", s.Functions[bad])
	}
	return nil
}
