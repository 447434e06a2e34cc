package protocol

import (
	"encoding/json"
	"time"
)

// The control verbs of durable calls.
const (
	APIJobOpen   APIVerb = "job-open"   // NameRequest: the function gets a queue, if it has none -> QueueInfo
	APIJobs      APIVerb = "jobs"       // JobsRequest -> JobsReply
	APIJob       APIVerb = "job"        // JobRequest -> JobReply
	APIJobResult APIVerb = "job-result" // JobRequest, header Fn-Timeout -> the outcome, as the reply of a call
	APIJobCancel APIVerb = "job-cancel" // JobRequest -> JobReply
	APIJobPurge  APIVerb = "job-purge"  // PurgeRequest -> PortionReply

	APIDead        APIVerb = "dead"         // JobsRequest -> JobsReply
	APIDeadShow    APIVerb = "dead-show"    // JobRequest -> LetterReply
	APIDeadRedrive APIVerb = "dead-redrive" // DeadRequest -> PortionReply
	APIDeadDrop    APIVerb = "dead-drop"    // DeadRequest -> PortionReply

	APIPause  APIVerb = "pause"  // PauseRequest -> QueueInfo
	APIResume APIVerb = "resume" // NameRequest -> QueueInfo
)

// QueueInfo is the state of a function's queue.
type QueueInfo struct {
	Function    string    `json:"function"`
	Stream      string    `json:"stream"`                 // that has the jobs
	Subject     string    `json:"subject"`                // on which they are published
	Created     time.Time `json:"created,omitzero"`       // when the stream was made, see NewJobID; zero: there is none
	Queued      int64     `json:"queued"`                 // jobs that no invoker has yet
	Running     int64     `json:"running"`                // jobs that an invoker has
	Waiting     int64     `json:"waiting"`                // jobs that wait for their time, or for their next attempt
	Dead        int64     `json:"dead"`                   // dead letters
	PausedUntil time.Time `json:"paused_until,omitzero"`  // zero: it is not paused
	Forever     bool      `json:"until_resume,omitempty"` // it is paused until it is resumed

	Triggers []TriggerLag `json:"triggers,omitempty"` // those of the function that have a stream; only of one function
}

// TriggerLag is how far a trigger is behind its source.
type TriggerLag struct {
	Trigger string `json:"trigger"`
	Events  int64  `json:"events"`          // that are no jobs yet
	Error   string `json:"error,omitempty"` // why that is not known
}

// Paused reports whether the queue gives no jobs away.
func (q *QueueInfo) Paused() bool { return !q.PausedUntil.IsZero() }

// JobRequest asks about one job.
type JobRequest struct {
	Job string `json:"job"` // FUNCTION.ID

	// Now asks job-result not to wait, whatever Fn-Timeout says.
	Now bool `json:"now,omitempty"`
}

// ParseJobRequest reads a JobRequest. The error's code is 400.
func ParseJobRequest(b []byte) (function, id string, err error) {
	var q JobRequest
	if err := json.Unmarshal(b, &q); err != nil {
		return "", "", Errorf(CodeBadRequest, "", `the body must be {"job":"FUNCTION.ID"}: %v`, err)
	}
	return ParseJobKey(q.Job)
}

// ParseResultRequest is ParseJobRequest for job-result.
func ParseResultRequest(b []byte) (function, id string, now bool, err error) {
	var q JobRequest
	if function, id, err = ParseJobRequest(b); err == nil {
		err = json.Unmarshal(b, &q)
	}
	return function, id, q.Now, err
}

// Bounds of lists of jobs.
const (
	DefaultJobsLimit = 100
	MaxJobsLimit     = 1000
	MaxPortion       = 250 // jobs that one request changes
)

// JobsRequest asks for a page of a list of jobs.
type JobsRequest struct {
	Function string   `json:"function,omitempty"` // empty: of all functions
	State    JobState `json:"state,omitempty"`    // empty: in any state
	After    string   `json:"after,omitempty"`    // the Next of the page before; empty: the first page
	Limit    int      `json:"limit,omitempty"`    // of jobs in a page; 0: DefaultJobsLimit
}

// ParseJobsRequest reads a JobsRequest, or none. The error's code is 400.
func ParseJobsRequest(b []byte) (q JobsRequest, err error) {
	if len(b) > 0 {
		if err := json.Unmarshal(b, &q); err != nil {
			return q, Errorf(CodeBadRequest, "",
				`the body must be empty or {"function":"...","state":"...","after":"...","limit":100}: %v`, err)
		}
	}
	if q.Function != "" {
		if err := CheckName(q.Function); err != nil {
			return q, err
		}
	}
	if q.State != "" {
		if err := CheckJobState(q.State); err != nil {
			return q, err
		}
	}
	if q.Limit < 0 || q.Limit > MaxJobsLimit {
		return q, Errorf(CodeBadRequest, "", "limit %d: use 1 to %d, or leave it out for %d", q.Limit, MaxJobsLimit,
			DefaultJobsLimit)
	}
	if q.Limit == 0 {
		q.Limit = DefaultJobsLimit
	}
	return q, nil
}

// CheckJobState returns nil if a job can be in a state. The error's code is 400.
func CheckJobState(s JobState) error {
	for _, known := range JobStates() {
		if s == known {
			return nil
		}
	}
	return Errorf(CodeBadRequest, "", "a job cannot be in the state %.40q: use one of %v", s, JobStates())
}

// JobInfo is what a list says of a job. Fields that are not known are left out.
type JobInfo struct {
	Job      string    `json:"job"` // FUNCTION.ID
	State    JobState  `json:"state"`
	Subject  string    `json:"subject,omitempty"`  // on which it was published
	Attempts int       `json:"attempts,omitempty"` // verdicts that it has had
	Priority string    `json:"priority,omitempty"` // high or low; of one with an outcome it is not known
	Accepted time.Time `json:"accepted,omitzero"`
	Begins   time.Time `json:"begins,omitzero"` // of StateWaiting: when it is due
	Ended    time.Time `json:"ended,omitzero"`  // of one with an outcome: when it got that
	Reason   string    `json:"reason,omitempty"`
	Exit     *int      `json:"exit,omitempty"` // of the last attempt
	Code     int       `json:"code,omitempty"`
	Error    string    `json:"error,omitempty"`
	Size     int64     `json:"size"` // of its body, or of its result if it has one, in bytes
}

// JobsReply lists jobs.
type JobsReply struct {
	Jobs []JobInfo `json:"jobs"`
	// Next is set if there are more: a request with it as After gets the next page. A page can be empty and have one.
	Next string `json:"next,omitempty"`
}

// JobReply is what is known about one job.
type JobReply struct {
	JobInfo
	Story  []Attempt `json:"story,omitempty"`  // the attempts that it has had, as far as they are known
	Paused bool      `json:"paused,omitempty"` // its queue gives no jobs away
}

// LetterReply is a dead letter.
type LetterReply struct {
	JobReply
	Header Header `json:"headers,omitempty"` // those of the job
	Body   []byte `json:"body,omitempty"`    // that of the job
	Cut    bool   `json:"cut,omitempty"`     // the body has more bytes than there was room for
}

// PurgeRequest asks to cancel the jobs of a function that do not run. Jobs that come later are left alone.
type PurgeRequest struct {
	Function string `json:"function"`
	After    string `json:"after,omitempty"` // the Next of the reply before; empty: begin
}

// ParsePurgeRequest reads a PurgeRequest. The error's code is 400.
func ParsePurgeRequest(b []byte) (q PurgeRequest, err error) {
	if err := json.Unmarshal(b, &q); err != nil {
		return q, Errorf(CodeBadRequest, "", `the body must be {"function":"..."}: %v`, err)
	}
	return q, CheckName(q.Function)
}

// DeadRequest names dead letters: one, those of a function, or all.
type DeadRequest struct {
	Job      string `json:"job,omitempty"`      // FUNCTION.ID
	Function string `json:"function,omitempty"` // all of a function
	All      bool   `json:"all,omitempty"`      // all of all functions
	Version  string `json:"version,omitempty"`  // of the function, that redriven jobs run on; empty: what they asked for
	After    string `json:"after,omitempty"`    // the Next of the reply before; empty: begin
}

// ParseDeadRequest reads a DeadRequest. The error's code is 400.
func ParseDeadRequest(b []byte) (q DeadRequest, err error) {
	const form = `exactly one of "job", "function" and "all"`
	if err := json.Unmarshal(b, &q); err != nil {
		return q, Errorf(CodeBadRequest, "", "the body must be an object with %s: %v", form, err)
	}
	named := 0
	for _, is := range []bool{q.Job != "", q.Function != "", q.All} {
		if is {
			named++
		}
	}
	if named != 1 {
		return q, Errorf(CodeBadRequest, "", "the body must have %s: it has %d", form, named)
	}
	if q.Job != "" {
		_, _, err = ParseJobKey(q.Job)
	} else if q.Function != "" {
		err = CheckName(q.Function)
	}
	if err == nil && q.Version != "" {
		_, err = ParseRef("f@" + q.Version)
		if err != nil {
			err = Errorf(CodeBadRequest, "", "version %.80q: use a number from 1 or an alias", q.Version)
		}
	}
	return q, err
}

// PortionReply says what became of a portion of several jobs.
type PortionReply struct {
	Done   int          `json:"done"`             // jobs that were changed
	Failed []JobFailure `json:"failed,omitempty"` // jobs that stay as they are
	Left   int64        `json:"left"`             // about how many are still to be looked at
	// Next is set if the work goes on: a request with it as After does the next portion.
	Next string `json:"next,omitempty"`
}

// JobFailure says why something was not done to a job.
type JobFailure struct {
	Job   string `json:"job"`
	Code  int    `json:"code"`
	Error string `json:"error"`
}

// PauseRequest asks that a queue gives no jobs away. What runs goes on, and new jobs are accepted.
type PauseRequest struct {
	Name string   `json:"name"`
	For  Duration `json:"for,omitempty"` // how long; 0: until it is resumed
}

// ParsePauseRequest reads a PauseRequest. The error's code is 400.
func ParsePauseRequest(b []byte) (q PauseRequest, err error) {
	if err := json.Unmarshal(b, &q); err != nil {
		return q, Errorf(CodeBadRequest, "", `the body must be {"name":"...","for":"1h"}, or without "for": %v`, err)
	}
	return q, CheckName(q.Name)
}
