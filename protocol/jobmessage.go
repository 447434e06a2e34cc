package protocol

import (
	"cmp"
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"time"
)

// JobMessage is a job as it comes out of its queue.
type JobMessage struct {
	Request  Request       // what runs; its ID is empty if the caller gave none
	Redo     bool          // an invoker published it, see RedoSubject
	Delay    time.Duration // how long after its acceptance it begins
	At       time.Time     // when it begins; zero: at once, or by Delay
	Priority Priority      // which jobs it begins before
	Most     int           // verdicts before it is dead; 0: what the manifest says
	Before   int           // verdicts that it has had
	Accepted time.Time     // when it was accepted; zero: when its message was stored
	Story    []Attempt     // its attempts
	Revision uint64        // of the record that its outcome replaces; 0: there is none
	Line     string        // that of its key, if the job has its turn there, see TurnSubject
	To       string        // where its reply is passed on when it is done; empty: nowhere
}

// headersOfInvokers are those that mean nothing in a message of a caller: there they are taken off.
var headersOfInvokers = []string{HeaderAttempt, HeaderAccepted, HeaderStory, HeaderRevision, HeaderState, HeaderReason,
	HeaderSubject, HeaderTarget, HeaderMoves, HeaderScheduled, HeaderArgs, HeaderTo, HeaderBatch,
	HeaderRefused, HeaderSourceStream, HeaderSourceSubject, HeaderSourceSequence, HeaderSourceTime}

// OfCaller returns the headers of a message that a caller has published, without those that mean something only in
// messages of invokers. It may change h.
func OfCaller(h Header) Header {
	for _, name := range headersOfInvokers {
		h.Delete(name)
	}
	if h.Get(HeaderBucket) != BucketJobs {
		h.Delete(HeaderBucket)
	}
	return h
}

// ParseJob reads a message of a queue. A bad header is an error with code 400 or 431, and what could be read is
// returned all the same.
func ParseJob(subject string, h Header, body []byte) (JobMessage, error) {
	name, args, redo, err := ParseJobSubject(subject)
	j := JobMessage{Redo: redo}
	j.Request = Request{Function: Ref{Name: name}, Subject: subject, Args: args, Body: body, Patient: true}
	_, line, moved := parseMoved(subject)
	j.Line = line
	if err != nil || len(h) == 0 && !moved {
		return j, err
	}
	if err := h.check(); err != nil {
		return j, err
	}
	h = h.Fold()
	if redo {
		err = j.readOwn(h, moved)
	} else {
		h = without(h, headersOfInvokers...)
		if h.Get(HeaderBucket) != BucketJobs {
			h = without(h, HeaderBucket)
		}
	}
	bad := j.Request.ReadHeader(h)
	if err = cmp.Or(err, bad, j.checkID()); err != nil {
		return j, err
	}
	if j.Request.DryRun {
		return j, Errorf(CodeBadRequest, "", "header %s: a job is run", HeaderDryRun)
	}
	j.Request.Header = without(h, HeaderStory, HeaderRevision, HeaderDelay, HeaderAt, HeaderPriority, HeaderAttempts,
		HeaderVersion, HeaderBucket, HeaderArgs, HeaderTo, HeaderSubject)
	return j, j.readHeader(h)
}

// checkID checks the id that a job came with, and forgets it if it is none: whatever else is wrong with the job, what
// becomes of it is written down under its id.
func (j *JobMessage) checkID() error {
	id, check := j.Request.ID, CheckJobID
	if id == "" {
		return nil
	}
	if j.Redo {
		check = checkJobID
	}
	if err := check(id); err != nil {
		j.Request.ID = ""
		return Errorf(CodeBadRequest, "", "header %s: %w", HeaderID, err)
	}
	return nil
}

// readHeader reads what callers say about a job.
func (j *JobMessage) readHeader(h Header) error {
	r := &j.Request
	if v := h.Get(HeaderVersion); v != "" {
		ref, err := ParseRef(r.Function.Name + "@" + v)
		if err != nil {
			return Errorf(CodeBadRequest, "", "header %s: %w", HeaderVersion, err)
		}
		r.Function = ref
	}
	if s := h.Get(HeaderDelay); s != "" {
		d, err := ParseDuration(s)
		if err != nil || d > MaxJobAge {
			return Errorf(CodeBadRequest, "", "header %s: %.40q is no duration of at most %s, such as 10m", HeaderDelay, s,
				MaxJobAge)
		}
		j.Delay = time.Duration(d)
	}
	if s := h.Get(HeaderAt); s != "" {
		at, err := time.Parse(time.RFC3339Nano, s)
		if err != nil || time.Until(at) > time.Duration(MaxJobAge) {
			return Errorf(CodeBadRequest, "", "header %s: %.40q is no time of RFC 3339 in the next %s, such as %s", HeaderAt,
				s, MaxJobAge, "2026-12-01T08:00:00Z")
		}
		j.At = at
	}
	var err error
	if j.Priority, err = ParsePriority(h.Get(HeaderPriority)); err != nil {
		return Errorf(CodeBadRequest, "", "header %s: %w", HeaderPriority, err)
	}
	if s := h.Get(HeaderAttempts); s != "" {
		n, err := strconv.ParseUint(s, 10, 31)
		if err != nil || n < 1 || n > MaxAttempts {
			return Errorf(CodeBadRequest, "", "header %s: %.40q is no number from 1 to %d", HeaderAttempts, s, MaxAttempts)
		}
		j.Most = int(n)
	}
	return nil
}

// readOwn reads what invokers say about a job. What cannot be read counts as not there, but for arguments: without them
// it would be another job. moved says that the job has left its queue.
func (j *JobMessage) readOwn(h Header, moved bool) (err error) {
	j.Before = max(0, atoi(h.Get(HeaderAttempt)))
	j.Accepted, _ = time.Parse(time.RFC3339Nano, h.Get(HeaderAccepted))
	j.Story = ParseStory(h.Get(HeaderStory))
	j.Revision, _ = strconv.ParseUint(h.Get(HeaderRevision), 10, 64)
	j.To = h.Get(HeaderTo)
	if moved {
		if err := j.readMoved(h.Get(HeaderSubject)); err != nil {
			return err
		}
	}
	if s := h.Get(HeaderRefused); s != "" {
		return Errorf(CodeBadRequest, "", "%.512s", s)
	}
	if s := h.Get(HeaderArgs); s != "" {
		j.Request.Args, err = ParseArgs(s)
	}
	return err
}

// readMoved takes the subject and the arguments of a job that has left its queue from the subject that it was accepted on.
func (j *JobMessage) readMoved(subject string) error {
	name, args, _, err := ParseJobSubject(subject)
	if err != nil {
		return Errorf(CodeBadRequest, "", "header %s: %w", HeaderSubject, err)
	}
	if _, _, moved := parseMoved(subject); moved || name != j.Request.Function.Name {
		return Errorf(CodeBadRequest, "", "header %s: %.80q is not where a job of %s is accepted", HeaderSubject, subject,
			j.Request.Function.Name)
	}
	j.Request.Subject, j.Request.Args = subject, args
	return nil
}

// FormatArgs returns arguments as the value of HeaderArgs. Bytes that are not UTF-8 become U+FFFD.
func FormatArgs(args []string) string { return string(appendJSON(nil, args)) }

// ParseArgs reads the value of HeaderArgs. The error's code is 400.
func ParseArgs(s string) (args []string, err error) {
	if err := json.Unmarshal([]byte(s), &args); err != nil {
		return nil, Errorf(CodeBadRequest, "", "header %s: %.40q is no list of strings: %w", HeaderArgs, s, err)
	}
	for _, a := range args {
		if strings.IndexByte(a, 0) >= 0 {
			return nil, Errorf(CodeBadRequest, "", "header %s: %.80q has a NUL byte, which an argument cannot have",
				HeaderArgs, a)
		}
	}
	return args, nil
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// without returns headers without some: h itself if it has none of them, and nil if nothing is left.
func without(h Header, names ...string) Header {
	kept := h
	for _, name := range names {
		if kept.Values(name) == nil {
			continue
		}
		if len(kept) == len(h) {
			kept = maps.Clone(h)
		}
		kept.Delete(name)
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}
