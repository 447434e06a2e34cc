package protocol

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// RootAudit is the tree of what was asked of the control verbs: polyvoke.audit.VERB.NAME.PHASE.
const RootAudit = "polyvoke.audit"

// StreamAudit is the stream that keeps the tree RootAudit.
const StreamAudit = "FN_AUDIT"

// What a client says about itself when it asks for a change. Nothing proves it.
const (
	HeaderByHost = "Fn-By-Host" // control: the name of the client's machine
	HeaderByUser = "Fn-By-User" // control: whoever is logged in there
	HeaderByTool = "Fn-By-Tool" // control: the program and its version
)

// MaxStated is how long each of what a client says about itself may be, in bytes. What is longer is cut.
const MaxStated = 64

// auditNobody stands in a subject where a request names no function, or one that cannot be.
const auditNobody = "_"

// AuditPhase is what an AuditEntry is about.
type AuditPhase string

// The phases.
const (
	AuditBegin  AuditPhase = "begin"  // it was asked for; nothing has been done yet
	AuditDone   AuditPhase = "done"   // it was done
	AuditSame   AuditPhase = "same"   // it was so already: nothing has changed
	AuditFailed AuditPhase = "failed" // it was refused, or failed
)

// Stated is what a client says about itself. Nothing proves it.
type Stated struct {
	Host string `json:"host,omitempty"`
	User string `json:"user,omitempty"`
	Tool string `json:"tool,omitempty"`
}

// Put writes the headers that say it.
func (s Stated) Put(h Header) {
	for name, value := range map[string]string{HeaderByHost: s.Host, HeaderByUser: s.User, HeaderByTool: s.Tool} {
		if value = CleanValue(value, MaxStated); value != "" {
			h[name] = []string{value}
		}
	}
}

// ParseStated reads the headers that Put writes. What is too long is cut, and control characters become blanks.
func ParseStated(h Header) Stated {
	value := func(name string) string { return CleanValue(h.Get(name), MaxStated) }
	return Stated{Host: value(HeaderByHost), User: value(HeaderByUser), Tool: value(HeaderByTool)}
}

// String says it for people.
func (s Stated) String() string {
	who := strings.Trim(s.User+"@"+s.Host, "@")
	if s.Tool == "" {
		return who
	}
	return strings.TrimSpace(who + " with " + s.Tool)
}

// AuditEntry is a message of the stream FN_AUDIT: that a change was asked for, or what came of it. Two of one ID, of
// phase begin and of another, belong together.
type AuditEntry struct {
	ID       string     `json:"id"` // the request's Fn-Id, or one that the invoker gave it
	Verb     APIVerb    `json:"verb"`
	Phase    AuditPhase `json:"phase"`
	Function string     `json:"function,omitempty"` // empty: the request names none
	Target   string     `json:"target,omitempty"`   // what of the function: a job, an alias, a version
	Version  int        `json:"version,omitempty"`  // that the function, or the runtime, has now
	Digest   string     `json:"digest,omitempty"`   // of that version
	Code     int        `json:"code,omitempty"`     // of what failed
	Error    string     `json:"error,omitempty"`    // why, for people
	Again    bool       `json:"again,omitempty"`    // an invoker had begun it before, and given no answer
	Signer   string     `json:"signer,omitempty"`   // public nkey whose signature of the version was verified
	Stated   Stated     `json:"stated,omitzero"`    // by the client; not proved
	Invoker  Member     `json:"invoker"`            // that did it
	Time     time.Time  `json:"time"`               // by that invoker's clock

	// Sum distinguishes requests that differ although their ids do not.
	Sum string `json:"sum"`
}

// Subject returns where the entry is published.
func (e *AuditEntry) Subject() string {
	return AuditSubject(string(e.Verb), cmp.Or(e.Function, auditNobody), string(e.Phase))
}

// MessageID returns the Nats-Msg-Id of the entry: it is stored once, whichever invoker stores it.
func (e *AuditEntry) MessageID() string {
	id := e.ID + "." + e.Sum
	if e.Phase == AuditBegin {
		return id + ".begin"
	}
	return id
}

// AuditSubject returns a subject of the audit, or a pattern of such subjects: "*" for a verb, a function or a phase
// stands for all.
func AuditSubject(verb, function, phase string) string {
	return RootAudit + "." + verb + "." + function + "." + phase
}

// ParseAuditEntry reads a message of the audit. The error's code is 502.
func ParseAuditEntry(b []byte) (e AuditEntry, err error) {
	if err := json.Unmarshal(b, &e); err != nil {
		return e, Errorf(CodeBadOutput, "", "a message of %s cannot be read: %w", StreamAudit, err)
	}
	return e, nil
}

// audited are the verbs that change something, and by which key of the request's body they say of what: "name" and
// "function" are functions, "job" is FUNCTION.ID. A verb that changes something for good stands here, and nowhere else.
var audited = map[APIVerb]string{
	APIDeploy: "manifest", APIRemove: "name", APIRuntimeAdd: "", APIRuntimePin: "name",
	APIAliasSet: "function", APIAliasRemove: "function", APIRollback: "function",
	APIPause: "name", APIResume: "name", APIJobCancel: "job", APIJobPurge: "function",
	APIDeadRedrive: "job", APIDeadDrop: "job",
}

// Audited reports whether requests of the verb change something, so that the audit has them. To open a queue is part of
// a durable call, which any caller may ask for: the audit does not have it.
func (v APIVerb) Audited() bool {
	_, changes := audited[v]
	return changes
}

// AuditedVerbs returns the verbs that the audit has, in no order.
func AuditedVerbs() []APIVerb {
	all := make([]APIVerb, 0, len(audited))
	for v := range audited {
		all = append(all, v)
	}
	return all
}

// NewAuditEntry returns the entry of a request before anything is done for it. Whatever is wrong with the request, the
// entry has what can be read. The caller gives it an ID if it has none, Invoker and Time.
func NewAuditEntry(verb APIVerb, h Header, body []byte) AuditEntry {
	e := AuditEntry{ID: CleanValue(h.Get(HeaderID), MaxID), Verb: verb, Phase: AuditBegin, Stated: ParseStated(h)}
	e.concern(h, body)
	sum := sha256.New()
	for _, part := range []string{string(verb), h.Get(HeaderManifest), h.Get(HeaderObject), h.Get(HeaderDigest)} {
		_, _ = fmt.Fprintf(sum, "%d\n%s", len(part), part)
	}
	_, _ = io.Writer(sum).Write(body) // a hash takes all
	e.Sum = fmt.Sprintf("%x", sum.Sum(nil)[:12])
	return e
}

// concern finds out what a request is about.
func (e *AuditEntry) concern(h Header, body []byte) {
	var q struct{ Name, Function, Job, Alias string }
	key := audited[e.Verb]
	switch key {
	case "":
		return
	case "manifest":
		body = []byte(h.Get(HeaderManifest))
	}
	if json.Unmarshal(body, &q) != nil {
		return // the request is refused
	}
	name, version, _ := strings.Cut(q.Name, "@")
	if key == "name" || key == "manifest" {
		e.Function, e.Target = name, version
	} else {
		e.Function, e.Target = q.Function, q.Alias
		if function, id, err := ParseJobKey(q.Job); err == nil {
			e.Function, e.Target = function, id
		}
	}
	if CheckName(e.Function) != nil {
		e.Function = ""
	}
	e.Target = CleanValue(e.Target, MaxID)
}
