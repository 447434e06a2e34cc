package protocol

import (
	"encoding/json"
	"fmt"
	"time"
)

// APIVerb is a control verb. Each is an endpoint of the NATS service polyvoke, on the
// subject polyvoke.api.VERB; errors come as ADR-32 headers.
type APIVerb string

// The control verbs.
const (
	APIDeploy APIVerb = "deploy" // header Fn-Manifest and the module as body, or as a claim -> DeployReply
	APIList   APIVerb = "list"   // ListRequest, or no body -> ListReply
	APIInfo   APIVerb = "info"   // InfoRequest -> InfoReply
	APIRemove APIVerb = "remove" // NameRequest -> RemoveReply

	APIRuntimes   APIVerb = "runtimes"    // ListRequest, or no body -> ListReply, of interpreters
	APIRuntimeAdd APIVerb = "runtime-add" // an interpreter as body, or as a claim -> DeployReply
	APIRuntimePin APIVerb = "runtime-pin" // NameRequest, of NAME@VERSION -> DeployReply
)

// Service is the name of the NATS service that has the control verbs.
const Service = "polyvoke"

// MetadataMaxModule is the key of the metadata of the NATS service polyvoke that says how large a module may be on this
// invoker, in bytes.
const MetadataMaxModule = "max_module"

// MetadataDurability is the key of the metadata of the NATS service polyvoke that says what outlives what: one of the
// Durability constants, or nothing if the invoker's process does not have the NATS server. Then the settings of that
// server decide.
const MetadataDurability = "durability"

// What stored messages outlive on the NATS server that polyvoke serve starts.
const (
	DurabilityCrash     = "crash"      // any end of the process; not each loss of power
	DurabilityPowerLoss = "power-loss" // that of the machine, too: each message is on disk before it is acknowledged
)

// Durabilities returns the Durability constants, the default first.
func Durabilities() []string { return []string{DurabilityCrash, DurabilityPowerLoss} }

// The verbs of a cluster, which invokers and clients need to know of one another. Only the first two have a subject
// without an invoker's id, and every invoker hears them.
const (
	APIPing    APIVerb = "ping"    // no body, or header Fn-Id -> Pong
	APIAlive   APIVerb = "alive"   // Member, published by invokers; no reply
	APIConfirm APIVerb = "confirm" // ConfirmRequest -> Confirmation, when the invoker serves the version, or cannot
	APICancel  APIVerb = "cancel"  // header Fn-Id: the invoker gives up the request of that id; no reply
)

// Subject returns the subject of a control verb.
func (v APIVerb) Subject() string { return RootAPI + "." + string(v) }

// At returns the subject by which one invoker is asked, and no other.
func (v APIVerb) At(invoker string) string { return v.Subject() + "." + invoker }

// NameRequest asks about one function.
type NameRequest struct {
	Name string `json:"name"`
}

// ParseNameRequest reads a NameRequest. The error's code is 400, also for a name that no function can have.
func ParseNameRequest(b []byte) (NameRequest, error) {
	var q NameRequest
	if err := json.Unmarshal(b, &q); err != nil {
		return q, Errorf(CodeBadRequest, "", `the body must be {"name":"..."}: %v`, err)
	}
	return q, CheckName(q.Name)
}

// ParseRefRequest reads a NameRequest that may name a version. The error's code is 400.
func ParseRefRequest(b []byte) (Ref, error) {
	var q NameRequest
	if err := json.Unmarshal(b, &q); err != nil {
		return Ref{}, Errorf(CodeBadRequest, "", `the body must be {"name":"..."}: %v`, err)
	}
	return ParseRef(q.Name)
}

// Member is one of the invokers that share the functions of a NATS.
type Member struct {
	ID      string `json:"id"`             // a token of subjects, new with each start
	Host    string `json:"host,omitempty"` // name of its machine
	PID     int    `json:"pid,omitempty"`  // of its process there
	Version string `json:"version"`        // polyvoke's own
	Gone    bool   `json:"gone,omitempty"` // it ends, and says so
}

// String names a member for people.
func (m Member) String() string {
	if m.Host == "" {
		return "invoker " + m.ID
	}
	return fmt.Sprintf("invoker %s (process %d on %s)", m.ID, m.PID, m.Host)
}

// Pong answers a ping.
type Pong struct {
	Member
	Busy bool `json:"busy,omitempty"` // it works on the request whose Fn-Id the ping had
}

// String names what a request is about.
func (q ConfirmRequest) String() string {
	version := q.Alias
	if version == "" {
		version = fmt.Sprint(q.Version)
	}
	return Ref{Name: q.Name, Version: version}.String()
}

// ConfirmRequest asks an invoker to say when it serves a version.
type ConfirmRequest struct {
	Name    string    `json:"name"`
	Version int       `json:"version"`
	Created time.Time `json:"created"` // distinguishes it from a removed version of the same number

	// Alias asks about an alias in place of a version: whether calls follow it as of a revision, or its removal.
	Alias    string `json:"alias,omitempty"`
	Revision uint64 `json:"revision,omitempty"`
	Removed  bool   `json:"removed,omitempty"`
}

// Confirmation is what an invoker answers to a ConfirmRequest.
type Confirmation struct {
	Error string   `json:"error,omitempty"` // why it cannot serve the version; empty: it does
	Needs []string `json:"needs,omitempty"` // what the function needs and it does not know, so that others get all calls
}

// ListRequest asks for a page of a list.
type ListRequest struct {
	After string `json:"after,omitempty"` // the Next of the page before; empty: the first page
}

// ParseListRequest reads a ListRequest, or none. The error's code is 400.
func ParseListRequest(b []byte) (q ListRequest, err error) {
	if len(b) == 0 {
		return q, nil
	}
	if err := json.Unmarshal(b, &q); err != nil {
		return q, Errorf(CodeBadRequest, "", `the body must be empty or {"after":"..."}: %v`, err)
	}
	return q, nil
}

// InfoRequest asks about one function, and about a page of its versions.
type InfoRequest struct {
	Name   string `json:"name"`
	Before int    `json:"before,omitempty"` // the Next of the page before; 0: the first page
}

// ParseInfoRequest reads an InfoRequest. The error's code is 400, also for a name that no function can have.
func ParseInfoRequest(b []byte) (q InfoRequest, err error) {
	if err := json.Unmarshal(b, &q); err != nil {
		return q, Errorf(CodeBadRequest, "", `the body must be {"name":"..."}: %v`, err)
	}
	return q, CheckName(q.Name)
}

// DeployReply answers a deployment. When it arrives, the next call of the function works.
type DeployReply struct {
	Function Function `json:"function"`           // the version that is now the latest
	Created  bool     `json:"created"`            // false: these bytes and this manifest were the latest already
	Warnings []string `json:"warnings,omitempty"` // what the author should know: streams and routes that overlap
	// Held says, for people, which versions the calls by the function's name get, if those are not all its. It is the first
	// of the warnings, too.
	Held string `json:"held,omitempty"`
}

// ListReply lists the functions by name.
type ListReply struct {
	Functions []Function `json:"functions"`         // the latest version of each
	Damaged   []Damage   `json:"damaged,omitempty"` // whose records cannot be read; in the first page
	// Unserved has the functions that the invoker that answers has failed to make ready, and why; in the first page.
	Unserved []Damage `json:"unserved,omitempty"`
	// Queues has the queues of those that have one.
	Queues map[string]QueueInfo `json:"queues,omitempty"`
	// Next is set if there are more: a request with it as After gets the next page.
	Next string `json:"next,omitempty"`
	// Abridged has the names of functions that do not fit a message as a whole: see Function.Abridged.
	Abridged []string `json:"abridged,omitempty"`
}

// Damage says what is wrong with the stored record of a function. An invoker that has read it before goes on serving
// what it has read.
type Damage struct {
	Name   string `json:"name"`   // the record's key, which need not be a name that a function can have
	Reason string `json:"reason"` // for people

	// Needs has the words of the record's needs that the invoker does not know. If there are any, the record is sound,
	// and that invoker does not serve the function.
	Needs []string `json:"needs,omitempty"`
}

// InfoReply has everything about one function.
type InfoReply struct {
	Function Function   `json:"function"`         // the latest version
	Versions []Function `json:"versions"`         // all that are kept, oldest first
	Stats    Stats      `json:"stats"`            // of the invoker that answers
	Damage   string     `json:"damage,omitempty"` // what is wrong with the stored record now, by the invoker that answers
	// Queue is the state of its queue of jobs; nil if it has none.
	Queue *QueueInfo `json:"queue,omitempty"`
	// Deployed is the entry of the audit by which the latest version came to be; nil if the audit does not have it.
	Deployed *AuditEntry `json:"deployed,omitempty"`
	// Unknown has the words of what the function needs that the invoker that answers does not know. If there are any, it
	// does not serve the function, and has read of it what it could.
	Unknown []string `json:"unknown_needs,omitempty"`
	// Unserved is why the invoker that answers has failed to make the latest version ready, such as a bucket of a grant
	// that is not there any more. It tries again by itself.
	Unserved string `json:"unserved,omitempty"`
	// Next is set if there are older versions: a request with it as Before gets the next page.
	Next int `json:"next,omitempty"`
	// Abridged has the versions that do not fit a message as a whole: see Function.Abridged.
	Abridged []int `json:"abridged,omitempty"`
}

// maxAbridged is how much an abridged function has of what may be long, in bytes.
const maxAbridged = 64

// Abridged returns the function without its arguments, environment, triggers and needs, for a message that has no room
// for them.
func (f Function) Abridged() Function {
	f.Args, f.Env, f.Triggers, f.Needs = nil, nil, nil, nil
	f.Language = CleanValue(f.Language, maxAbridged)
	return f
}

// RemoveReply answers a removal.
type RemoveReply struct {
	Removed  string `json:"removed"`  // the function's name
	Versions int    `json:"versions"` // how many versions it had
}

// Stats are the figures of a function on one invoker since it started. They travel as the
// data of the endpoint in $SRV.STATS replies too. Times are nanoseconds.
type Stats struct {
	Requests int64         `json:"requests"`           // calls that were answered
	Errors   int64         `json:"errors"`             // of them with an error
	InFlight int           `json:"in_flight"`          // calls that run, or are just being answered
	Waiting  int           `json:"waiting"`            // calls in the queue
	Cold     int64         `json:"cold_starts"`        // calls that had to load or compile the version first
	P50      time.Duration `json:"p50"`                // from receipt to reply
	P99      time.Duration `json:"p99"`                // from receipt to reply
	Memory   uint64        `json:"memory,omitempty"`   // the most linear memory that a process has had, in bytes
	Digest   string        `json:"digest,omitempty"`   // of the latest version
	Language string        `json:"language,omitempty"` // of the latest version
	Version  int           `json:"version,omitempty"`  // the latest

	// Versions are the figures of each version that has been called, oldest first, and Aliases those of what aliases mean
	// now. They are those of all subjects of the function, and stand beside its first one only.
	Versions []VersionStats `json:"versions,omitempty"`
	Aliases  []AliasStats   `json:"aliases,omitempty"`

	// Start is the start kind of the latest version, and StartReason why it is that one. As long as the invoker
	// has not loaded the version, Start is what its manifest asks for, and there is no reason.
	Start       string `json:"start,omitempty"`
	StartReason string `json:"start_reason,omitempty"`
}

// VersionStats are the figures of one version of a function on one invoker.
type VersionStats struct {
	Version  int   `json:"version"`
	Requests int64 `json:"requests"` // calls that were answered
	Errors   int64 `json:"errors"`   // of them with an error
	InFlight int64 `json:"in_flight,omitempty"`
}

// AliasStats are the figures of one version of an alias on one invoker, since the alias has its revision there. Times are
// nanoseconds.
type AliasStats struct {
	Alias    string        `json:"alias"`
	Revision uint64        `json:"revision"`
	Version  int           `json:"version"`
	Weight   int           `json:"weight"`
	Requests int64         `json:"requests"`
	Errors   int64         `json:"errors"`
	P50      time.Duration `json:"p50"`
	P99      time.Duration `json:"p99"`
}
