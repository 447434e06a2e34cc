package protocol

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// JobState is where a job is in its life.
type JobState string

// The states of a job. Only the last three are outcomes, which a record has; StateRedriven is the record of a job that
// was dead and has been given back to its queue.
const (
	StateQueued    JobState = "queued"    // accepted, not begun
	StateRunning   JobState = "running"   // an invoker has it
	StateWaiting   JobState = "waiting"   // for its time, or for its next attempt
	StateDone      JobState = "done"      // it succeeded
	StateDead      JobState = "dead"      // it failed for good, and is a dead letter
	StateCancelled JobState = "cancelled" // somebody cancelled it
	StateRedriven  JobState = "redriven"  // in a record only: it has no outcome any more
)

// JobStates returns the states that a job can be in, for people.
func JobStates() []JobState {
	return []JobState{StateQueued, StateRunning, StateWaiting, StateDone, StateDead, StateCancelled}
}

// Decided reports whether a job in this state has its outcome.
func (s JobState) Decided() bool { return s == StateDone || s == StateDead || s == StateCancelled }

// Reasons why a job is dead.
const (
	ReasonVerdict   = "verdict"   // its exit code, or its error, says that trying again would be useless
	ReasonAttempts  = "attempts"  // it failed as often as it may
	ReasonAge       = "max_age"   // its next attempt would be too late
	ReasonCrash     = "crash"     // its invoker ended whenever it ran alone
	ReasonMalformed = "malformed" // the message cannot be a job
	ReasonFunction  = "function"  // the function, or the version, does not exist any more
)

// Attempt is one attempt of a job: one element of the story that a dead letter tells.
type Attempt struct {
	Number   int           `json:"number"`             // from 1
	Time     time.Time     `json:"time"`               // when it ended
	Invoker  string        `json:"invoker,omitempty"`  // that ran it
	Version  string        `json:"version,omitempty"`  // of the function
	Exit     int           `json:"exit"`               // exit code; -1 if the process did not get that far
	Code     int           `json:"code,omitempty"`     // error code
	Error    string        `json:"error,omitempty"`    // what has failed
	Stderr   string        `json:"stderr,omitempty"`   // its end
	Duration time.Duration `json:"duration,omitempty"` // of the process, nanoseconds
	Fuel     uint64        `json:"fuel,omitempty"`     // work of the process
}

// Bounds of a story, which travels in a header.
const (
	MaxStory     = 8 << 10 // bytes
	maxStoryTail = 512     // of the stderr of an attempt
)

// AddAttempt returns a story with one more attempt. Where there is no room for all, the attempts in the middle go.
func AddAttempt(story []Attempt, a Attempt) []Attempt {
	a.Error = CleanValue(a.Error, MaxErrorText)
	if len(a.Stderr) > maxStoryTail {
		a.Stderr = a.Stderr[len(a.Stderr)-maxStoryTail:]
	}
	story = append(slices.Clone(story), a)
	for len(story) > 2 && len(FormatStory(story)) > MaxStory {
		story = slices.Delete(story, 1, 2)
	}
	return story
}

// FormatStory returns a story as the value of HeaderStory.
func FormatStory(story []Attempt) string {
	b, _ := json.Marshal(story) // of plain data, it cannot fail
	return string(b)
}

// ParseStory reads the value of HeaderStory. What cannot be read is no story: it is for people.
func ParseStory(s string) []Attempt {
	var story []Attempt
	if len(s) > 4*MaxStory || json.Unmarshal([]byte(s), &story) != nil {
		return nil
	}
	return story
}

// Record is the outcome of a job, as BucketResults has it: the reply of the last attempt, and what became of the job.
// Its value is stdout, or what an error reply has as body; all else are headers.
type Record struct {
	State    JobState
	Reason   string    // of StateDead: one of the Reason constants
	Attempts int       // verdicts
	Accepted time.Time // when the job was accepted
	Reply    Reply     // of the last attempt
}

// Message returns the record as headers and a body.
func (r *Record) Message() (Header, []byte) {
	h, body := r.Reply.Message()
	if h == nil {
		h = Header{}
	}
	set := func(name, value string) {
		if value != "" {
			h[name] = []string{value}
		}
	}
	set(HeaderState, string(r.State))
	set(HeaderReason, r.Reason)
	if r.Attempts > 0 {
		set(HeaderAttempt, strconv.Itoa(r.Attempts))
	}
	if !r.Accepted.IsZero() {
		set(HeaderAccepted, r.Accepted.UTC().Format(time.RFC3339Nano))
	}
	return h, body
}

// ParseRecord reads a record. The error's code is 500 for what is none.
func ParseRecord(h Header, body []byte) (Record, error) {
	r := Record{State: JobState(h.Get(HeaderState)), Reason: h.Get(HeaderReason)}
	if !r.State.Decided() && r.State != StateRedriven {
		return r, Errorf(CodeFailed, "", "a record's header %s is %.40q: this is no outcome of a job", HeaderState, r.State)
	}
	r.Attempts, _ = strconv.Atoi(h.Get(HeaderAttempt))
	r.Accepted, _ = time.Parse(time.RFC3339Nano, h.Get(HeaderAccepted))
	var err error
	r.Reply, err = ParseReply(h, body)
	return r, err
}
