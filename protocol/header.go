package protocol

import (
	"bytes"
	"maps"
	"slices"
	"strings"
)

// Names of headers. Ours begin with Fn-; those of NATS services are ADR-32's.
const (
	HeaderError     = "Nats-Service-Error"      // reply: the error's message
	HeaderErrorCode = "Nats-Service-Error-Code" // reply: its code

	HeaderID       = "Fn-Id"       // request: the caller's id for the call; reply: the call's id
	HeaderTimeout  = "Fn-Timeout"  // request: how long the caller will wait, such as "500ms"
	HeaderReport   = "Fn-Report"   // request: "1" asks for the report headers
	HeaderStdout   = "Fn-Stdout"   // request: "1" asks for stdout on failure; error reply: its bytes at the body's end
	HeaderDryRun   = "Fn-Dry-Run"  // request: "1" checks everything and runs nothing
	HeaderEvent    = "Fn-Event"    // request: "1" says that it is a CloudEvent, see Request.Event
	HeaderHops     = "Fn-Hops"     // request: how often it, and what it came of, was passed on
	HeaderManifest = "Fn-Manifest" // deploy: the manifest as JSON
	HeaderEdit     = "Fn-Edit"     // deploy: "1" says that the module is an edit of the one before, and others follow

	HeaderVersion  = "Fn-Version"  // job: the version that runs it; absent: the latest
	HeaderDelay    = "Fn-Delay"    // job: how long after its acceptance it begins, such as "10m"
	HeaderAt       = "Fn-At"       // job: when it begins, RFC 3339
	HeaderPriority = "Fn-Priority" // job: high, normal or low, see Priority
	HeaderAttempts = "Fn-Attempts" // job: verdicts before it is dead, in place of job.attempts
	HeaderAttempt  = "Fn-Attempt"  // job of an invoker, record: how many verdicts it has had
	HeaderAccepted = "Fn-Accepted" // job of an invoker, record: when it was accepted, RFC 3339
	HeaderStory    = "Fn-Story"    // job of an invoker, dead letter: its attempts, as JSON, see Attempt
	HeaderRevision = "Fn-Revision" // job of an invoker: revision of the record that its outcome replaces
	HeaderState    = "Fn-State"    // record: a JobState
	HeaderReason   = "Fn-Reason"   // dead letter, record: why the job is dead, one of the Reason constants
	HeaderSubject  = "Fn-Subject"  // dead letter, job that has left its queue: the job's subject
	HeaderArgs     = "Fn-Args"     // job of a trigger: its arguments, a list of strings as JSON
	HeaderTo       = "Fn-To"       // job of a trigger: where its reply is passed on
	HeaderBatch    = "Fn-Batch"    // job of a trigger: how many events its body has, a line each, see Event
	HeaderRefused  = "Fn-Refused"  // job of a trigger: why its event cannot be a job

	HeaderSourceStream   = "Fn-Source-Stream"   // job of a trigger: the stream of the event, or of the first of a batch
	HeaderSourceSubject  = "Fn-Source-Subject"  // job of a trigger: the subject that the event came on
	HeaderSourceSequence = "Fn-Source-Sequence" // job of a trigger: its sequence in the stream
	HeaderSourceTime     = "Fn-Source-Time"     // job of a trigger: when it was stored, RFC 3339

	HeaderTarget    = "Fn-Target"    // message that waits: the subject on which it is published when it is due
	HeaderMoves     = "Fn-Moves"     // message that waits: how often its queue had no room for it
	HeaderScheduled = "Fn-Scheduled" // job of a schedule: the time that it is for, RFC 3339

	HeaderStream   = "Fn-Stream" // request: "1" asks for chunks; answer: the invoker knows what that is, see Streamer
	HeaderCredit   = "Fn-Credit" // request, answer: up to which number chunks may come
	HeaderSequence = "Fn-Seq"    // chunk: its number, from 1
	HeaderEnd      = "Fn-End"    // chunk: "1" for the last one

	HeaderObject = "Fn-Body-Object" // the body is this object of the bucket fn_bodies
	HeaderSize   = "Fn-Body-Size"   // its size in bytes
	HeaderDigest = "Fn-Body-Digest" // its digest, "sha256:" and 64 hexadecimal digits
	HeaderBucket = "Fn-Body-Bucket" // job, record, dead letter: its bucket, if it is another one

	HeaderFunction = "Fn-Function" // report: NAME@VERSION
	HeaderExit     = "Fn-Exit"     // report, error, and a reply with another one than 0: the exit code
	HeaderDuration = "Fn-Duration" // report: wall time of the process, such as "1.25ms"
	HeaderFuel     = "Fn-Fuel"     // report: how much work it was
	HeaderMemory   = "Fn-Memory"   // report: the most memory it had, in bytes
	HeaderStart    = "Fn-Start"    // report: the start kind
	HeaderReads    = "Fn-Reads"    // report: how often its last run has read something that it is granted
	HeaderWrites   = "Fn-Writes"   // report: how much it has changed of what it is granted
)

// Bounds of a request's headers. A request with more is refused with CodeHeaders.
const (
	MaxHeaders     = 256      // values
	MaxHeaderBytes = 64 << 10 // of all names and values on the wire
)

// Header holds the headers of a message, as nats.Header does. Clients write names in any
// case, so names are compared without regard to it (ADR-4 keeps the case they were sent in).
type Header map[string][]string

// Get returns the first value of a header, or "". It is fastest when the case is the
// specification's.
func (h Header) Get(name string) string {
	if v := h.Values(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// Values returns all values of a header. Of a name that comes in several spellings it returns those of one: Fold
// comes first.
func (h Header) Values(name string) []string {
	if v, ok := h[name]; ok || len(h) == 0 {
		return v
	}
	var best string
	for k := range h {
		if len(k) == len(name) && strings.EqualFold(k, name) && (best == "" || k < best) {
			best = k
		}
	}
	if best == "" { // a header without a name is none that anybody asks for
		return nil
	}
	return h[best]
}

// first returns the first value of a header of exactly this name, or "".
func (h Header) first(name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// spelled reports whether each header Fn-*, but for those of parameters, is spelled as the specification does: then
// first finds what Get does, and need not look at all names for one that is not there.
func (h Header) spelled() bool {
	for name := range h {
		if len(name) < 3 || name[0]|0x20 != 'f' || name[1]|0x20 != 'n' || strings.HasPrefix(name, HeaderParam) {
			continue
		}
		upper := true
		for i := range len(name) {
			c := name[i]
			if letter := c|0x20 >= 'a' && c|0x20 <= 'z'; letter && upper != (c < 'a') {
				return false
			}
			upper = c == '-'
		}
	}
	return true
}

// is reports whether a header has a value and no other, in the case of name and in no other.
func (h Header) is(name, value string) bool {
	if v := h[name]; len(v) != 1 || v[0] != value {
		return false
	}
	for k := range h {
		if len(k) == len(name) && k != name && strings.EqualFold(k, name) {
			return false
		}
	}
	return true
}

// Set replaces the values of a header, whatever case it was written in.
func (h Header) Set(name, value string) {
	h.Delete(name)
	h[name] = []string{value}
}

// Delete takes a header off, whatever case it was written in.
func (h Header) Delete(name string) {
	for k := range h {
		if len(k) == len(name) && strings.EqualFold(k, name) {
			delete(h, k)
		}
	}
}

// Size returns how many bytes the headers take on the wire.
func (h Header) Size() int {
	if len(h) == 0 {
		return 0
	}
	size := len(headerBegin + headerEnd + headerEnd)
	for k, values := range h {
		for _, v := range values {
			size += len(k) + len(v) + len(": \r\n")
		}
	}
	return size
}

// Folds reports whether there are names that differ in case only.
func (h Header) Folds() bool {
	var hashes uint64 // a bit for each
	for name := range h {
		bit := uint64(1) << (hashFold(name) % 64)
		if hashes&bit != 0 {
			return h.foldsSome()
		}
		hashes |= bit
	}
	return false
}

// hashFold is FNV-1a (fnvhash.github.io), the same for names that differ in case only.
func hashFold(name string) uint32 {
	hash := uint32(2166136261)
	for i := range len(name) {
		hash = (hash ^ uint32(name[i]|0x20)) * 16777619
	}
	return hash
}

// foldsSome is Folds, and allocates if there are many.
func (h Header) foldsSome() bool {
	var names [24]string
	if len(h) <= len(names) {
		n := 0
		for name := range h {
			for _, other := range names[:n] {
				if len(other) == len(name) && strings.EqualFold(other, name) {
					return true
				}
			}
			names[n] = name
			n++
		}
		return false
	}
	seen := make(map[string]bool, len(h))
	for name := range h {
		seen[strings.ToLower(name)] = true
	}
	return len(seen) < len(h)
}

// Fold returns h with all values of a name under one spelling of it: h itself if no two names differ in case only.
// Spellings and their values come in the order of their bytes; ParseHeader knows the order in which they were sent.
func (h Header) Fold() Header {
	if !h.Folds() {
		return h
	}
	folded, spellings := Header{}, map[string]string{} // by the name in lower case
	for _, name := range slices.Sorted(maps.Keys(h)) {
		folded.add(spellings, name, h[name]...)
	}
	return folded
}

// add adds values to a header under the spelling that its name had first.
func (h Header) add(spellings map[string]string, name string, values ...string) {
	lower := strings.ToLower(name)
	if _, ok := spellings[lower]; !ok {
		spellings[lower] = name
	}
	h[spellings[lower]] = append(h[spellings[lower]], values...)
}

// check returns what a request's headers are refused for.
func (h Header) check() error {
	count, size := 0, 0
	var bad error
	for name, values := range h {
		count += len(values)
		for _, v := range values {
			size += len(name) + len(v) + len(": \r\n")
		}
		if bad == nil {
			bad = checkHeaderName(name)
		}
	}
	if count > MaxHeaders || size > MaxHeaderBytes {
		return Errorf(CodeHeaders, "", "the request has %d headers with %d bytes: send at most %d with %d bytes",
			count, size, MaxHeaders, MaxHeaderBytes)
	}
	return bad
}

// checkHeaderName returns nil for one or more visible characters of ASCII without a colon (ADR-4).
func checkHeaderName(name string) error {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c > '~' || c == ':' {
			return Errorf(CodeBadRequest, "", "header name %.40q: use visible characters of ASCII, and no colon", name)
		}
	}
	if name == "" {
		return Errorf(CodeBadRequest, "", "a header has no name")
	}
	return nil
}

// What a block of headers begins with, and how its lines end. The last line is empty.
const (
	headerBegin = "NATS/1.0"
	headerEnd   = "\r\n"
)

// ParseHeader reads a block of headers as it comes on the wire (ADR-4). All values of a name have the spelling that
// came first, in the order in which they were sent.
//
// # Errors
//
// A block with a line that is no header, or with anything behind the empty line, is an Error with CodeBadRequest.
// What stands before the first bad line is returned all the same.
func ParseHeader(block []byte) (Header, error) {
	h := Header{}
	spellings := map[string]string{} // by the name in lower case
	for n, first := 1, true; ; n, first = n+1, false {
		line, rest, ended := bytes.Cut(block, []byte("\n"))
		line, block = bytes.TrimSuffix(line, []byte("\r")), rest
		name, value, colon := strings.Cut(string(line), ":")
		switch {
		case !ended:
			return h, Errorf(CodeBadRequest, "", "line %d of the headers has no end", n)
		case first && !bytes.HasPrefix(line, []byte(headerBegin)):
			return h, Errorf(CodeBadRequest, "", "the headers begin with %.20q, not with %s", line, headerBegin)
		case first:
			continue
		case len(line) == 0 && len(rest) > 0:
			return h, Errorf(CodeBadRequest, "", "line %d of the headers is empty, and more follows", n)
		case len(line) == 0:
			return h, nil
		case !colon:
			return h, Errorf(CodeBadRequest, "", "line %d of the headers has no colon: %.40q", n, line)
		}
		if err := checkHeaderName(name); err != nil {
			return h, Errorf(CodeBadRequest, "", "line %d of the headers: %w", n, err)
		}
		h.add(spellings, name, strings.TrimLeft(value, " \t"))
	}
}

// CleanValue makes s fit to be a header's value: control characters become blanks, so that
// nothing in it can begin another header, and it is cut at max bytes.
func CleanValue(s string, max int) string {
	if len(s) > max {
		s = strings.ToValidUTF8(s[:max], "")
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
