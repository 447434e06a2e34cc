package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// RecordingFormat is the number of the newest format of recordings. This package reads those up to it, and writes the
// oldest that says all: 2 has files, 1 does not.
const RecordingFormat = 2

// Bounds of a recording, in bytes.
const (
	MaxRecording      = 900 << 10 // the whole, so that a message has room for it
	MaxRecordedStdin  = 256 << 10 // a longer stdin is left out
	MaxRecordedStdout = 16 << 10  // what is kept of stdout is its beginning
	MaxRecordedDraws  = 400 << 10 // the text of what the process was given of time and entropy
	maxLeftOut        = 16        // reasons
)

// Recording is one run of a function: all that it was given, and what came of it. With the module it can be run again,
// and does the same. Arguments and environment follow from the manifest and the request.
type Recording struct {
	Format   int       `json:"format"`            // see RecordingFormat
	Function Function  `json:"function"`          // the manifest of the version that ran; Runtime is what ran a script
	ID       string    `json:"id"`                // of the call, or of the job
	Attempt  int       `json:"attempt,omitempty"` // of the job, from 1; 0: it was no job
	Time     time.Time `json:"time"`              // when it began
	Invoker  string    `json:"invoker,omitempty"` // that ran it

	Subject  string    `json:"subject"`            // see Request
	Args     []string  `json:"args,omitempty"`     // of the request
	Header   Header    `json:"header,omitempty"`   // of the request
	Deadline time.Time `json:"deadline"`           // that the process saw
	Stdin    Output    `json:"stdin"`              // the request's body
	Draws    string    `json:"draws,omitempty"`    // time and entropy, as package recording writes them
	LeftOut  []string  `json:"left_out,omitempty"` // what is missing, so that it cannot be run again; nil: nothing

	Files *RecordedFiles `json:"files,omitempty"` // what it did with what it was granted; nil: nothing is known of that

	Stdout   Output        `json:"stdout"`
	Stderr   Output        `json:"stderr"`             // its end is kept
	Exit     int           `json:"exit"`               // exit code; -1 if the process did not get that far
	Code     int           `json:"code,omitempty"`     // error code; 0: it succeeded
	Error    string        `json:"error,omitempty"`    // what has failed
	Fuel     uint64        `json:"fuel,omitempty"`     // work of the process
	Memory   uint64        `json:"memory,omitempty"`   // the most linear memory that it had, in bytes
	Start    string        `json:"start,omitempty"`    // start kind
	Duration time.Duration `json:"duration,omitempty"` // of the process, nanoseconds
}

// Output is what a process has read or written, of which a part may be kept.
type Output struct {
	Size   int64  `json:"size"`             // of the whole, in bytes
	Digest string `json:"digest,omitempty"` // of the whole; empty: it is not known
	Kept   []byte `json:"kept,omitempty"`   // the whole, its beginning or its end
}

// Beginning returns an output with at most n bytes of its beginning.
func Beginning(b []byte, n int) Output {
	return Output{Size: int64(len(b)), Digest: Digest(b), Kept: slices.Clone(b[:min(len(b), n)])}
}

// Whole reports whether all of it is kept.
func (o *Output) Whole() bool { return int64(len(o.Kept)) == o.Size }

// Leave says that something is missing.
func (r *Recording) Leave(format string, a ...any) {
	if len(r.LeftOut) < maxLeftOut {
		r.LeftOut = append(r.LeftOut, fmt.Sprintf(format, a...))
	}
}

// SetStdin keeps the request's body, or says that it is too long to be kept.
func (r *Recording) SetStdin(body []byte) {
	if r.Stdin = Beginning(body, MaxRecordedStdin); !r.Stdin.Whole() {
		r.Stdin.Kept = nil
		r.Leave("stdin: its %d bytes are more than the %s that a recording keeps", len(body), Size(MaxRecordedStdin))
	}
}

// Request returns the request that was recorded.
func (r *Recording) Request() Request {
	return Request{ID: r.ID, Function: r.Function.Ref(), Subject: r.Subject, Args: r.Args, Header: r.Header,
		Body: r.Stdin.Kept, Deadline: r.Deadline}
}

// Encode returns the recording as JSON. What makes it larger than most bytes is left out, first the draws and the
// files, since they are of no use without stdin: the result says so. The error's code is 413 if that is not enough.
func (r Recording) Encode(most int) ([]byte, error) {
	for _, drop := range []func(){
		func() {},
		func() {
			r.Draws, r.Stdin.Kept, r.Files = "", nil, nil
			r.Leave("stdin: NATS takes messages of %d bytes (max_payload)", most)
		},
		func() { r.Stdout.Kept, r.Stderr.Kept, r.Header = nil, nil, nil; r.Leave("headers and output: no room") },
	} {
		drop()
		if r.Format = 1; r.Files != nil {
			r.Format = 2
		}
		b, err := json.Marshal(r)
		if err != nil {
			return nil, Errorf(CodeFailed, "", "a recording cannot be written: %w", err)
		}
		if len(b) <= min(most, MaxRecording) {
			return b, nil
		}
	}
	return nil, Errorf(CodeTooLarge, "", "the recording of %s is longer than %d bytes", r.ID, min(most, MaxRecording))
}

// ParseRecording reads what Encode returns. It may come from anybody: all that is used to run it is checked. The
// error's code is 422.
func ParseRecording(b []byte) (*Recording, error) {
	if len(b) > MaxRecording {
		return nil, Errorf(CodeRefused, "", "a recording has at most %d bytes, and this has %d", MaxRecording, len(b))
	}
	r := new(Recording)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, Errorf(CodeRefused, "", "this is no recording of polyvoke: %v", err)
	}
	return r, r.check()
}

// check returns what is wrong with a recording.
func (r *Recording) check() error {
	if r.Format < 1 || r.Format > RecordingFormat {
		return Errorf(CodeRefused, "", "the recording has the format %d, and this version reads those up to %d: "+
			"use the version of polyvoke that wrote it", r.Format, RecordingFormat)
	}
	if err := r.Function.Check(); err != nil {
		return Errorf(CodeRefused, "", "the recording's %w", err)
	}
	texts := append([]string{r.ID, r.Subject, r.Invoker, r.Error, r.Start}, r.LeftOut...)
	if slices.ContainsFunc(append(texts, r.Args...), func(s string) bool {
		return strings.ContainsRune(s, 0) || !utf8.ValidString(s)
	}) {
		return Errorf(CodeRefused, "", "the recording has a text with a NUL byte, or one that is not UTF-8")
	}
	if err := r.Header.check(); err != nil {
		return Errorf(CodeRefused, "", "the recording's headers: %w", err)
	}
	if len(r.Draws) > MaxRecordedDraws || len(r.LeftOut) > maxLeftOut+1 {
		return Errorf(CodeRefused, "", "the recording has more draws, or leaves out more, than a run can")
	}
	for _, o := range []Output{r.Stdin, r.Stdout, r.Stderr} {
		if o.Size < int64(len(o.Kept)) {
			return Errorf(CodeRefused, "", "the recording keeps %d bytes of %d", len(o.Kept), o.Size)
		}
	}
	return r.Files.check(&r.Function)
}

// Names of what StreamRecords is made of.
const (
	StreamRecords = "FN_RECORDS" // recordings, one a job, by RecordSubject

	// rootRecord is where invokers publish recordings.
	rootRecord = rootOwn + ".record"
)

// RecordSubject returns the subject of the recording of a job.
func RecordSubject(name, id string) string { return rootRecord + "." + name + "." + id }

// RecordSubjects returns the subject of all recordings of a function, or, if name is empty, of all functions.
func RecordSubjects(name string) string {
	if name == "" {
		return rootRecord + ".*.*"
	}
	return rootRecord + "." + name + ".*"
}

// ParseRecordSubject reads the subject of a recording.
func ParseRecordSubject(subject string) (name, id string, err error) {
	rest, ok := strings.CutPrefix(subject, rootRecord+".")
	if !ok {
		return "", "", Errorf(CodeBadRequest, "", "subject %.80q is not that of a recording", subject)
	}
	return ParseJobKey(rest)
}

// Sampling says which runs are recorded. The zero value is none.
type Sampling struct {
	Share  float64 // of all, from 0 to 1
	Failed bool    // those that fail
}

// errSampling says what a sampling looks like.
var errSampling = errors.New(`use "off", "failed", "all", or a share such as "1%"`)

// ParseSampling reads off, failed, all, or a share such as 1%. Empty is off.
func ParseSampling(s string) (Sampling, error) {
	switch s {
	case "", "off":
		return Sampling{}, nil
	case "failed":
		return Sampling{Failed: true}, nil
	case "all":
		return Sampling{Share: 1}, nil
	}
	number, percent := strings.CutSuffix(s, "%")
	share, err := strconv.ParseFloat(number, 64)
	if err != nil || !percent || !(share > 0 && share <= 100) {
		return Sampling{}, fmt.Errorf("%.40q: %w", s, errSampling)
	}
	return Sampling{Share: share / 100}, nil
}

// Off reports whether nothing is recorded.
func (s Sampling) Off() bool { return s == Sampling{} }

// Draw decides whether a run that is about to begin is to be recorded, perhaps in vain: see Keeps.
func (s Sampling) Draw() bool { return s.Failed || s.Share > 0 && rand.Float64() < s.Share }

// Keeps reports whether what was recorded is to be kept, now that the run has ended.
func (s Sampling) Keeps(failed bool) bool { return s.Share > 0 || s.Failed && failed }

// The control verbs of recordings.
const (
	APIRecording  APIVerb = "recording"  // JobRequest -> the recording
	APIRecordings APIVerb = "recordings" // RecordingsRequest -> RecordingsReply
	APIModule     APIVerb = "module"     // ModuleRequest -> the module as body, or as a claim
)

// MaxRecordings is how many recordings a list has at most.
const MaxRecordings = 1000

// RecordingsRequest asks for the last recordings of a function.
type RecordingsRequest struct {
	Function string `json:"function"`
	Last     int    `json:"last,omitempty"` // how many; 0: MaxRecordings
}

// ParseRecordingsRequest reads a RecordingsRequest. The error's code is 400.
func ParseRecordingsRequest(b []byte) (q RecordingsRequest, err error) {
	if err := json.Unmarshal(b, &q); err != nil {
		return q, Errorf(CodeBadRequest, "", `the body must be {"function":"...","last":100}: %v`, err)
	}
	if q.Last == 0 {
		q.Last = MaxRecordings
	}
	if q.Last < 0 || q.Last > MaxRecordings {
		return q, Errorf(CodeBadRequest, "", "last must be 1 to %d", MaxRecordings)
	}
	return q, CheckName(q.Function)
}

// RecordingsReply has the jobs with a recording, as FUNCTION.ID, the oldest recording first.
type RecordingsReply struct {
	Jobs []string `json:"jobs"`
}

// ModuleRequest asks for a module or a packed script by its digest, or for the bundle of an interpreter.
type ModuleRequest struct {
	Digest  string `json:"digest,omitempty"`
	Runtime string `json:"runtime,omitempty"` // NAME or NAME@VERSION, if Digest is empty
}

// ParseModuleRequest reads a ModuleRequest. The error's code is 400.
func ParseModuleRequest(b []byte) (q ModuleRequest, err error) {
	if err := json.Unmarshal(b, &q); err != nil {
		return q, Errorf(CodeBadRequest, "", `the body must be {"digest":"sha256:..."} or {"runtime":"..."}: %v`, err)
	}
	switch {
	case (q.Digest == "") == (q.Runtime == ""):
		return q, Errorf(CodeBadRequest, "", "ask either for a digest or for a runtime")
	case q.Digest != "":
		return q, CheckDigest(q.Digest)
	}
	_, err = ParseRef(q.Runtime)
	return q, err
}
