package protocol

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/protocol/schedule"
)

// Trigger is what calls a function besides fn.NAME. It has exactly one source: the key that is named like one of the
// Source constants. Messages of a subject call the function at once. What comes of any other source is an event, and
// each event becomes a job of the function, or each batch of events (section 13 of the specification).
type Trigger struct {
	// Subject is a pattern; the tokens that its wildcards match become arguments.
	Subject string `json:"subject,omitempty"`
	// Queue is the queue group. Empty means one of the function's own, so that each
	// message runs each function once however many invokers there are.
	Queue string `json:"queue,omitempty"`

	// Stream is a JetStream stream, each message of which is an event.
	Stream string `json:"stream,omitempty"`
	// Filter is a pattern of the stream's subjects. The tokens that its wildcards match become arguments. Empty means
	// all messages, and no arguments.
	Filter string `json:"filter,omitempty"`
	// Batch is how many events are one job at most. Zero means that each is a job of its own.
	Batch int `json:"batch,omitempty"`
	// Window is how long a batch waits for more events. Zero means that it does not.
	Window Duration `json:"window,omitempty"`
	// Ordered means that an event becomes a job when the job of the one before has its outcome.
	Ordered bool `json:"ordered,omitempty"`
	// Start says where a trigger that is new begins, see ParseStart. Empty means StartNew.
	Start string `json:"start,omitempty"`

	// Schedule says when the function runs: the fields of a crontab line, or @every and a duration.
	Schedule string `json:"schedule,omitempty"`
	// Zone is the time zone of the schedule, by its IANA name. Empty means UTC.
	Zone string `json:"zone,omitempty"`
	// Missed says what becomes of runs whose time has passed while nobody was there. Empty means MissedOnce.
	Missed string `json:"missed,omitempty"`
	// Overlap says what becomes of a run whose predecessor has no outcome. Empty means OverlapQueue.
	Overlap string `json:"overlap,omitempty"`

	// KV is a bucket of keys, each change in which is an event: BUCKET, or BUCKET.KEYS with a pattern of keys.
	KV string `json:"kv,omitempty"`
	// Object is a bucket of objects, each change in which is an event.
	Object string `json:"object,omitempty"`
	// Create means that a source that is missing is made, with the server's defaults.
	Create bool `json:"create,omitempty"`

	// Events means that messages are CloudEvents.
	Events bool `json:"events,omitempty"`
	// To is the subject on which the body of a successful reply is published too. {1} in it, as a token, is
	// what the first wildcard of Pattern stands for, {2} the second, and so on. Empty means nowhere.
	To string `json:"to,omitempty"`
}

// Sources of triggers. Each is also the word of needs for it, but for SourceSubject, which needs none.
const (
	SourceSubject  = "subject"
	SourceStream   = "stream"
	SourceSchedule = "schedule"
	SourceKV       = "kv"
	SourceObject   = "object"
)

// Sources returns all sources of triggers.
func Sources() []string {
	return []string{SourceSubject, SourceStream, SourceSchedule, SourceKV, SourceObject}
}

// What becomes of runs of a schedule whose time has passed (Trigger.Missed), or whose predecessor still runs
// (Trigger.Overlap).
const (
	MissedOnce   = "once" // one run for all of them
	MissedAll    = "all"  // each of them
	MissedSkip   = "skip" // none
	OverlapQueue = "queue"
	OverlapSkip  = "skip"
)

// Bounds of triggers.
const (
	MaxBatch    = 1000                       // events
	MaxWindow   = Duration(10 * time.Second) // less than JetStream waits for an acknowledgement
	MaxStream   = 255                        // bytes of a stream's name
	MaxBucket   = MaxStream - len("OBJ_")    // bytes of a bucket's name: a bucket is a stream
	MaxSchedule = schedule.MaxText           // bytes of a schedule
	MaxZone     = schedule.MaxZone           // bytes of a time zone's name
)

// Source returns what the trigger's events come of, one of the Source constants. It returns "" if the trigger has no
// source, or several.
func (t Trigger) Source() string {
	source := ""
	for i, value := range []string{t.Subject, t.Stream, t.Schedule, t.KV, t.Object} {
		switch {
		case value == "":
		case source != "":
			return ""
		default:
			source = Sources()[i]
		}
	}
	return source
}

// Durable reports whether the trigger's events become jobs, so that its function has a queue.
func (t Trigger) Durable() bool { return t.Source() != SourceSubject }

// SubjectTriggers returns the triggers of the function that have a subject, each with its index in Triggers.
func (f *Function) SubjectTriggers() iter.Seq2[int, Trigger] {
	return func(yield func(int, Trigger) bool) {
		for i, t := range f.Triggers {
			if t.Subject != "" && !yield(i, t) {
				return
			}
		}
	}
}

// HasQueue reports whether the function has a queue of jobs by its manifest alone.
func (f *Function) HasQueue() bool {
	for _, t := range f.Triggers {
		if t.Durable() {
			return true
		}
	}
	return f.Job != nil
}

// String returns the trigger's source, for people.
func (t Trigger) String() string {
	switch source := t.Source(); source {
	case SourceSubject:
		return t.Subject
	case SourceStream:
		if t.Filter != "" {
			return fmt.Sprintf("stream %s, %s", t.Stream, t.Filter)
		}
		return "stream " + t.Stream
	case SourceSchedule:
		if t.Zone != "" {
			return fmt.Sprintf("schedule %s, %s", t.Schedule, t.Zone)
		}
		return "schedule " + t.Schedule
	default:
		return source + " " + cmp.Or(t.KV, t.Object)
	}
}

// Bucket returns the bucket of a KV trigger, and the pattern of its keys.
func (t Trigger) Bucket() (bucket, keys string) {
	bucket, keys, _ = strings.Cut(t.KV, ".")
	return bucket, cmp.Or(keys, ">")
}

// Prefixes of the subjects that buckets are made of (NATS ADR-8 and ADR-20).
const (
	prefixKV     = "$KV."
	prefixObject = "$O."
)

// SourceStream returns the stream that has the trigger's events, and the pattern of the subjects that they come on: ""
// for all of the stream. Both are "" for a trigger whose events are in none: of a subject, or of a schedule.
func (t Trigger) SourceStream() (stream, filter string) {
	switch t.Source() {
	case SourceStream:
		return t.Stream, t.Filter
	case SourceKV:
		bucket, keys := t.Bucket()
		return "KV_" + bucket, prefixKV + bucket + "." + keys
	case SourceObject:
		return "OBJ_" + t.Object, prefixObject + t.Object + ".M.>"
	}
	return "", ""
}

// Pattern returns the pattern of subjects whose wildcards Trigger.To speaks of: "" if there are none.
func (t Trigger) Pattern() string {
	if t.Subject != "" || t.Batch > 0 {
		return t.Subject
	}
	switch t.Source() {
	case SourceStream, SourceKV:
		_, filter := t.SourceStream()
		return filter
	}
	return ""
}

// SourceID returns ten hexadecimal digits that differ for triggers with different sources. What else a manifest says
// about a trigger has no part in it, so that a trigger keeps its place when it is deployed again.
func (t Trigger) SourceID() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{t.Source(), t.Subject, t.Stream, t.Filter, t.Schedule, t.Zone, t.KV,
		t.Object}, "\x00")))
	return hex.EncodeToString(sum[:5])
}

// EventID returns the id of the job that an event of the trigger becomes: it is made of the event's sequence in its
// stream, and of when that was made, since a stream that is made again counts from 1.
func (t Trigger) EventID(sequence uint64, stream time.Time) string {
	return batchID(t.SourceID(), sequence, 1, formatStamp(stream))
}

// Values of Trigger.Start besides a sequence and a time.
const (
	StartNew = "new" // what comes from now on
	StartAll = "all" // what is there too
)

// Start is where a trigger that is new begins. The zero value is StartNew.
type Start struct {
	All      bool
	Sequence uint64    // the first one; 0: not by sequence
	Time     time.Time // the earliest; zero: not by time
}

// ParseStart reads where a trigger begins: "new", "all", a sequence of the stream such as "42", or a time of RFC 3339.
func ParseStart(s string) (Start, error) {
	switch s {
	case "", StartNew:
		return Start{}, nil
	case StartAll:
		return Start{All: true}, nil
	}
	if n, err := strconv.ParseUint(s, 10, 63); err == nil && n > 0 && s[0] != '0' {
		return Start{Sequence: n}, nil
	}
	if at, err := time.Parse(time.RFC3339, s); err == nil && at.Year() >= 1970 {
		return Start{Time: at}, nil
	}
	return Start{}, Errorf(CodeRefused, "", `start = %.40q: use "new", "all", the sequence of a message, such as "42", `+
		`or a time, such as "2026-12-01T08:00:00Z"`, s)
}

// QueueOf returns the queue group in which the function name takes the trigger's messages.
func (t Trigger) QueueOf(name string) string {
	if t.Queue != "" {
		return t.Queue
	}
	return RootCall + "-" + name
}

// TriggerKey identifies a trigger of a function that has a subject: no two have the same subject and the same queue
// group.
type TriggerKey struct {
	// Subject is the pattern, as it stands in the manifest.
	Subject string
	// Queue is the queue group, as QueueOf returns it. Empty means any trigger with the subject.
	Queue string
}

// IsZero reports whether the key names no trigger.
func (k TriggerKey) IsZero() bool { return k == TriggerKey{} }

// Trigger returns the trigger that a key names. It returns false if the function has none, or has it no more.
func (f *Function) Trigger(k TriggerKey) (Trigger, bool) {
	for _, t := range f.SubjectTriggers() {
		if t.Subject == k.Subject && (k.Queue == "" || t.QueueOf(f.Name) == k.Queue) {
			return t, true
		}
	}
	return Trigger{}, false
}
