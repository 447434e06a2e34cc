package protocol

import (
	"encoding/json"
	"time"
)

// The control verbs of aliases.
const (
	APIAliasSet    APIVerb = "alias-set" // AliasSetRequest -> AliasReply
	APIAliasRemove APIVerb = "alias-rm"  // AliasRequest -> AliasReply, with what it was
	APIAliasList   APIVerb = "alias-ls"  // AliasListRequest, or no body -> AliasListReply
	APIHistory     APIVerb = "history"   // AliasRequest -> HistoryReply
	APIRollback    APIVerb = "rollback"  // RollbackRequest -> AliasReply
)

// AliasState is an alias as it is or was.
type AliasState struct {
	Function string    `json:"function"`
	Alias    string    `json:"alias"`
	Revision uint64    `json:"revision"`          // of the bucket; it grows with each change of any alias
	Created  time.Time `json:"created"`           // of this revision
	Removed  bool      `json:"removed,omitempty"` // by this revision; Value is empty then
	Value    Alias     `json:"value,omitzero"`
	Damage   string    `json:"damage,omitempty"` // why it cannot be read
}

// AliasSetRequest makes an alias mean something else, or makes it.
type AliasSetRequest struct {
	Function string `json:"function"`
	Alias    string `json:"alias"`
	Value    Alias  `json:"value"`
	// Revision is the one that the alias must still have; 0: it must not be there; nil: whatever it is.
	Revision *uint64 `json:"revision,omitempty"`
}

// AliasRequest names an alias.
type AliasRequest struct {
	Function string  `json:"function"`
	Alias    string  `json:"alias,omitempty"`    // empty: AliasLive
	Revision *uint64 `json:"revision,omitempty"` // as in AliasSetRequest, of a removal
}

// AliasListRequest asks for a page of the aliases of one function, or of all.
type AliasListRequest struct {
	Function string `json:"function,omitempty"`
	After    string `json:"after,omitempty"` // the Next of the page before
}

// AliasReply answers a change of an alias. When it arrives, the invoker that answers acts on it, and so do all others
// that Warnings does not name.
type AliasReply struct {
	AliasState
	Before   *Alias   `json:"before,omitempty"` // what the alias meant; nil: it is new
	Warnings []string `json:"warnings,omitempty"`
}

// AliasListReply lists aliases by function and name.
type AliasListReply struct {
	Aliases []AliasState `json:"aliases"`
	Next    string       `json:"next,omitempty"`
}

// HistoryReply has what an alias has been, newest first.
type HistoryReply struct {
	Entries []AliasState `json:"entries"`
}

// RollbackRequest puts an alias back to what it was.
type RollbackRequest struct {
	Function string `json:"function"`
	Alias    string `json:"alias,omitempty"` // empty: AliasLive
	Steps    int    `json:"steps,omitempty"` // back through the versions that had all calls; 0: 1
	To       int    `json:"to,omitempty"`    // a version, in place of Steps
	By       string `json:"by,omitempty"`    // for people
	Why      string `json:"why,omitempty"`   // for people
}

// ParseAliasSetRequest reads an AliasSetRequest and checks it. The error's code is 400.
func ParseAliasSetRequest(b []byte) (q AliasSetRequest, err error) {
	if err := json.Unmarshal(b, &q); err != nil {
		return q, Errorf(CodeBadRequest, "",
			`the body must be {"function":"...","alias":"...","value":{"to":[{"version":1}]}}: %v`, err)
	}
	if err := checkAliased(q.Function, &q.Alias); err != nil {
		return q, err
	}
	q.Value.Sort()
	return q, q.Value.Check()
}

// ParseAliasRequest reads an AliasRequest and checks it. The error's code is 400.
func ParseAliasRequest(b []byte) (q AliasRequest, err error) {
	if err := json.Unmarshal(b, &q); err != nil {
		return q, Errorf(CodeBadRequest, "", `the body must be {"function":"...","alias":"..."}: %v`, err)
	}
	return q, checkAliased(q.Function, &q.Alias)
}

// ParseAliasListRequest reads an AliasListRequest, or none. The error's code is 400.
func ParseAliasListRequest(b []byte) (q AliasListRequest, err error) {
	if len(b) == 0 {
		return q, nil
	}
	if err := json.Unmarshal(b, &q); err != nil {
		return q, Errorf(CodeBadRequest, "", `the body must be empty or {"function":"..."}: %v`, err)
	}
	if q.Function == "" {
		return q, nil
	}
	return q, CheckName(q.Function)
}

// MaxSteps is how far a rollback can go back: as far as history is kept.
const MaxSteps = 63

// ParseRollbackRequest reads a RollbackRequest and checks it. The error's code is 400.
func ParseRollbackRequest(b []byte) (q RollbackRequest, err error) {
	if err := json.Unmarshal(b, &q); err != nil {
		return q, Errorf(CodeBadRequest, "", `the body must be {"function":"...","steps":1}: %v`, err)
	}
	switch {
	case q.Steps < 0 || q.Steps > MaxSteps:
		return q, Errorf(CodeBadRequest, "", "%d steps: use 1 to %d", q.Steps, MaxSteps)
	case q.To < 0 || q.To > maxVersionNumber:
		return q, Errorf(CodeBadRequest, "", "version %d: versions are numbers from 1", q.To)
	case q.To > 0 && q.Steps > 0:
		return q, Errorf(CodeBadRequest, "", `name either "steps" or "to"`)
	case q.To == 0:
		q.Steps = max(q.Steps, 1)
	}
	q.By, q.Why = CleanValue(q.By, MaxBy), CleanValue(q.Why, MaxWhy)
	return q, checkAliased(q.Function, &q.Alias)
}

// checkAliased checks the names of a request. No alias is AliasLive.
func checkAliased(function string, alias *string) error {
	if err := CheckName(function); err != nil {
		return err
	}
	if *alias == "" {
		*alias = AliasLive
	}
	return CheckAlias(*alias)
}
