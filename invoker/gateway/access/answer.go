package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// answer is what an authorizer has said about a request.
type answer struct {
	id   Identity
	err  error         // why the client is not let in
	ttl  time.Duration // how long it holds
	wide bool          // for all paths of the route
}

// said is the stdout of an authorizer that lets a client in. Nothing is a client without a name.
type said struct {
	Principal string                     `json:"principal"` // who the client is
	Context   map[string]json.RawMessage `json:"context"`   // what the function may know of it, as headers Fn-Claim-NAME
	TTL       protocol.Duration          `json:"ttl"`       // how long this holds for the same identity; absent: this once
	Scope     string                     `json:"scope"`     // for which requests it holds: scopePath or scopeRoute
}

// For which requests of an identity an answer holds.
const (
	scopePath  = "path"  // of the same path and query: the default
	scopeRoute = "route" // of the same route
)

// judge returns what an authorizer's reply says. Only exit code 0 with an answer that is understood lets a client in:
// another one can be no error either, if the function's manifest says so (replies).
func judge(ref protocol.Ref, r *protocol.Reply, err error) answer {
	failure := protocol.Failure(r, err)
	switch {
	case failure == nil && r.Exit == 0 && r.Claim != nil:
		return answer{err: broken(ref, fmt.Errorf("its answer is over %d bytes", maxAnswer))}
	case failure == nil && r.Exit == 0:
		one, err := parseAnswer(ref, r.Body)
		if err != nil {
			return answer{err: broken(ref, err)}
		}
		return one
	case err == nil && r != nil && slices.Contains([]int{exitUsage, exitData, exitNoInput}, r.Exit):
		return answer{err: invalid("the credential is not valid")}
	case err == nil && r != nil && r.Exit == exitForbidden:
		return answer{err: forbidden("this client may not do that")}
	case failure == nil:
		return answer{err: broken(ref, fmt.Errorf("its exit code is %d", r.Exit))}
	}
	switch protocol.CodeOf(failure) {
	case protocol.CodeFailed, protocol.CodeBadOutput, protocol.CodeMemory:
		return answer{err: broken(ref, failure)}
	}
	return answer{err: busy(protocol.CodeUnavailable, time.Second,
		"nobody can be let in now: the authorizer %s does not answer%w", ref, silent{failure})}
}

// broken returns the error for an authorizer that fails.
func broken(ref protocol.Ref, err error) error {
	return busy(protocol.CodeBadOutput, 0, "nobody can be let in: the authorizer %s fails; its log says why%w", ref, silent{err})
}

// parseAnswer reads the stdout of an authorizer. A word that is not known is an error: who writes "allow": false must
// not let anybody in.
func parseAnswer(ref protocol.Ref, b []byte) (answer, error) {
	one := answer{id: Identity{Kind: KindFunction, principal: KindFunction + ":" + ref.Name}}
	if b = bytes.TrimSpace(b); len(b) == 0 {
		return one, nil
	}
	if len(b) > maxAnswer {
		return answer{}, fmt.Errorf("its answer has %d bytes; at most %d", len(b), maxAnswer)
	}
	var s said
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil || b[0] != '{' {
		return answer{}, fmt.Errorf("its answer is not {\"principal\": ..., \"context\": ..., \"ttl\": ..., \"scope\": ...}: %w",
			orNot(err))
	}
	if _, err := dec.Token(); err != io.EOF {
		return answer{}, errors.New("something follows its answer")
	}
	if err := checkValue(s.Principal, maxSubject); err != nil {
		return answer{}, fmt.Errorf("its principal %w", err)
	}
	if s.Scope != "" && s.Scope != scopePath && s.Scope != scopeRoute {
		return answer{}, fmt.Errorf("its scope %.20q is neither %s nor %s", s.Scope, scopePath, scopeRoute)
	}
	claims, err := claimsOf(s.Context)
	one.id.Claims, one.ttl, one.wide = claims, min(time.Duration(s.TTL), MaxAuthorizerTTL), s.Scope == scopeRoute
	if one.id.Name = s.Principal; s.Principal != "" {
		one.id.principal += ":" + s.Principal
	}
	return one, err
}

// orNot returns an error, or one that says that it is something else than an object.
func orNot(err error) error {
	if err == nil {
		return errors.New("it is no object")
	}
	return err
}

// claimsOf returns what an authorizer says of a client.
func claimsOf(context map[string]json.RawMessage) (all []Claim, err error) {
	if len(context) > MaxClaims {
		return nil, fmt.Errorf("its context has %d names; at most %d", len(context), MaxClaims)
	}
	size := 0
	for name, raw := range context {
		if err := checkClaimName(name); err != nil {
			return nil, fmt.Errorf("its context %.40q: %w", name, err)
		}
		text, err := rawText(raw)
		if err != nil {
			return nil, fmt.Errorf("its context %s %w", name, err)
		}
		if size += len(text); size > maxClaimBytes {
			return nil, fmt.Errorf("its context has over %d bytes", maxClaimBytes)
		}
		if slices.ContainsFunc(all, func(c Claim) bool { return equalFold(c.Name, name) }) {
			return nil, fmt.Errorf("its context has %s twice", name)
		}
		all = append(all, Claim{name, text})
	}
	slices.SortFunc(all, func(a, b Claim) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// rawText returns a value of JSON as a header has it: a text as it is, all else as compact JSON.
func rawText(raw json.RawMessage) (string, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil && len(raw) > 0 && raw[0] == '"' {
		return text, checkValue(text, MaxClaimValue)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return "", err
	}
	return b.String(), checkValue(b.String(), MaxClaimValue)
}
