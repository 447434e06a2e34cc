// Package trust decides whose functions an invoker runs: a version is signed with an nkey, and a policy says whose
// signatures count for which functions.
//
// sign.go makes and verifies signatures, policy.go reads a policy. An invoker asks a policy twice: when a version is
// deployed, and when it is loaded. Whoever can write the bucket of functions could have put another one there in
// between.
package trust

import (
	"errors"
	"fmt"
	"path"

	"github.com/polyvoke/polyvoke/protocol"
)

// Policy says whose signatures count. It is not changed once it is made, so several goroutines may use it. A nil policy
// takes what anybody deploys.
type Policy struct {
	// Signers are those whose signatures count.
	Signers []Signer `toml:"signer"`
	// Required says that every function must be signed. Otherwise only those must be that a signer is named for.
	Required bool `toml:"required"`
}

// Signer is somebody whose signature counts.
type Signer struct {
	// Name is for people.
	Name string `toml:"name"`
	// Key is the public nkey of a user or an account.
	Key string `toml:"key"`
	// Functions are names of functions, or patterns of path.Match, that the signer may deploy.
	Functions []string `toml:"functions"`
}

// For reports whether a signer may deploy a function.
func (s *Signer) For(function string) bool {
	for _, pattern := range s.Functions {
		if ok, _ := path.Match(pattern, function); ok { // a bad pattern is refused when the policy is read
			return true
		}
	}
	return false
}

// Check returns why a version is not to be run, or nil. The error's code is 403. The version must have its digest.
func (p *Policy) Check(f *protocol.Function) error {
	if p == nil {
		return nil
	}
	switch {
	case f.Signature == nil && (p.Required || p.guards(f.Name)):
		return refusal(f, "it is not signed, and this service runs it only with a signature: "+
			"polyvoke sign FILE --key KEYFILE, and deploy it again")
	case f.Signature == nil:
		return nil
	}
	if err := Verify(f); err != nil {
		return refusal(f, "%w", err)
	}
	return p.knows(f)
}

// guards reports whether a function must be signed because a signer is named for it.
func (p *Policy) guards(function string) bool {
	for i := range p.Signers {
		if p.Signers[i].For(function) {
			return true
		}
	}
	return false
}

// knows returns an error if the signer of a version is none who may deploy it.
func (p *Policy) knows(f *protocol.Function) error {
	var other error
	for i := range p.Signers {
		s := &p.Signers[i]
		switch {
		case s.Key != f.Signature.Signer:
			continue
		case s.For(f.Name):
			return nil
		}
		other = refusal(f, "its signer %s (%s) may not deploy functions of this name: "+
			"have somebody else sign it, or change the service's trust policy", s.Name, s.Key)
	}
	if other != nil {
		return other
	}
	if !p.Required && !p.guards(f.Name) {
		return nil
	}
	return refusal(f, "its signer %s is not in the service's trust policy: have somebody sign it who is, or add the key",
		f.Signature.Signer)
}

// refusal returns an error about a version.
func refusal(f *protocol.Function, format string, a ...any) error {
	err := fmt.Errorf(format, a...)
	return &protocol.Error{Code: protocol.CodeForbidden, Op: "trust " + f.Ref().String(), Msg: err.Error(),
		Err: errors.Unwrap(err)}
}
