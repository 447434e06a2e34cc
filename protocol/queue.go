package protocol

import (
	"strconv"
	"strings"
	"time"
)

// What durable calls are kept in (section 13 of the specification).
const (
	StreamDead    = "FN_DEAD"    // dead letters, dead.NAME.ID
	StreamLater   = "FN_LATER"   // messages that wait for their time: later.NAME.ID, and due.NAME.ID afterwards
	BucketResults = "fn_results" // outcomes, NAME.ID
	BucketMarks   = "fn_marks"   // what invokers tell one another about jobs, see store.Marks

	streamQueue = "FN_JOB_" // and NAME: the queue of a function

	// rootRedo is where invokers publish jobs that were accepted before: retries, delayed ones, redriven ones, events of
	// triggers. Callers have no business there, so its headers are trusted.
	rootRedo = rootOwn + "." + RootJob
)

// QueueStream returns the name of the stream that has a function's jobs.
func QueueStream(name string) string { return streamQueue + name }

// QueueOwner returns the function whose queue a stream is. It returns false for any other stream.
func QueueOwner(stream string) (name string, ok bool) {
	name, ok = strings.CutPrefix(stream, streamQueue)
	return name, ok && CheckName(name) == nil
}

// QueueSubjects returns the subjects of a function's queue.
func QueueSubjects(name string) []string {
	return []string{RootJob + "." + name, RootJob + "." + name + ".>", rootRedo + "." + name, rootRedo + "." + name + ".>"}
}

// JobSubject returns the subject on which callers publish jobs of a function. The arguments are those of CallSubject.
func JobSubject(name string, args ...string) (string, error) {
	subject, err := CallSubject(Ref{Name: name}, args...)
	return RootJob + strings.TrimPrefix(subject, RootCall), err
}

// RedoSubject returns the subject on which invokers publish a job that was accepted on a subject of QueueSubjects.
func RedoSubject(subject string) string {
	if strings.HasPrefix(subject, rootOwn+".") {
		return subject
	}
	return rootOwn + "." + subject
}

// ParseJobSubject reads the subject of a job. redo says that an invoker published it, and no caller. A job of a line, or
// of a priority, has its arguments in HeaderSubject, see ParseJob.
func ParseJobSubject(subject string) (name string, args []string, redo bool, err error) {
	if name, _, ok := parseMoved(subject); ok {
		return name, nil, true, nil
	}
	rest, redo := strings.CutPrefix(subject, rootOwn+".")
	rest, ok := strings.CutPrefix(rest, RootJob+".")
	if !ok {
		return "", nil, redo, Errorf(CodeBadRequest, "", "subject %.80q is not a job: it must begin with %s.", subject,
			RootJob)
	}
	ref, args, err := ParseCall(RootCall + "." + rest)
	if err == nil && ref.Version != "" {
		err = Errorf(CodeBadRequest, "", "subject %.80q names a version: use the header %s", subject, HeaderVersion)
	}
	return ref.Name, args, redo, err
}

// parseMoved reads the subject of a job that has left its queue: that of a turn, or of a priority.
func parseMoved(subject string) (name, line string, ok bool) {
	if name, line, ok = parseTurn(subject); ok {
		return name, line, true
	}
	r, ok := ParseRankSubject(subject)
	return r.Function, r.Line, ok
}

// LaterSubject returns the subject under which a message waits for its time.
func LaterSubject(name, id string) string { return RootLater + "." + name + "." + id }

// DueSubject returns the subject on which a message of LaterSubject comes when it is due.
func DueSubject(name, id string) string { return RootDue + "." + name + "." + id }

// DeadSubject returns the subject of a dead letter.
func DeadSubject(name, id string) string { return RootDead + "." + name + "." + id }

// ResultKey returns the key of a job's outcome in BucketResults.
func ResultKey(name, id string) string { return name + "." + id }

// ParseJobKey reads NAME.ID, the form of ResultKey, which people write too.
func ParseJobKey(s string) (name, id string, err error) {
	name, id, ok := strings.Cut(s, ".")
	if !ok {
		return "", "", Errorf(CodeBadRequest, "", "job %.80q: write FUNCTION.ID", s)
	}
	if err := CheckName(name); err != nil {
		return "", "", err
	}
	return name, id, checkJobID(id)
}

// MaxJobID is the length of the longest id of a job, in bytes.
const MaxJobID = 64

// CheckJobID returns nil if a caller may give a job the id: 1 to 64 letters, digits, - and _, the first one a letter or
// a digit. Ids that begin with _ are given by invokers.
func CheckJobID(id string) error {
	if len(id) > MaxJobID || !plainName(id) {
		return Errorf(CodeBadRequest, "", "job id %.40q: use 1 to %d letters, digits, - and _, a letter or digit first", id,
			MaxJobID)
	}
	return nil
}

// checkJobID is CheckJobID for ids of any origin.
func checkJobID(id string) error { return CheckJobID(strings.TrimPrefix(id, "_")) }

// NewJobID returns the id of a job that came without one: it is made of its place in the queue's stream, and of when
// that stream was made, since a stream that is made again counts from 1. Any client can so make it from a PubAck and
// the stream's information.
func NewJobID(sequence uint64, stream time.Time) string {
	return "_" + strconv.FormatUint(sequence, 10) + "-" + strconv.FormatInt(stream.UnixMilli(), 36)
}

// ParseNewJobID reads what NewJobID makes. ok is false for any other id.
func ParseNewJobID(id string) (sequence uint64, stream time.Time, ok bool) {
	number, made, ok := strings.Cut(strings.TrimPrefix(id, "_"), "-")
	sequence, err := strconv.ParseUint(number, 10, 64)
	milliseconds, err2 := strconv.ParseInt(made, 36, 64)
	stream = time.UnixMilli(milliseconds)
	return sequence, stream, ok && err == nil && err2 == nil && NewJobID(sequence, stream) == id
}
