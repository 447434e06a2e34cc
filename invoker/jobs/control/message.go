package control

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// callerSubject returns the subject on which a caller published what is on a subject of a queue.
func callerSubject(subject string) string {
	if job := subject[strings.Index(subject, ".")+1:]; protocol.RedoSubject(job) == subject {
		return job
	}
	return subject
}

// bodySize returns the length of a body, wherever it is.
func bodySize(h protocol.Header, body []byte) int64 {
	if claim, err := protocol.ParseClaim(h); err == nil && claim != nil {
		return claim.Size
	}
	return int64(len(body))
}

// priority returns the priority that headers say, if it is another one than the usual one.
func priority(h protocol.Header) string {
	if p, err := protocol.ParsePriority(h.Get(protocol.HeaderPriority)); err == nil && p != protocol.PriorityNormal {
		return p.String()
	}
	return ""
}

// attempts returns how many verdicts a message of an invoker says that its job has had.
func attempts(h protocol.Header) int {
	n, _ := strconv.Atoi(h.Get(protocol.HeaderAttempt)) // otherwise none
	return max(n, 0)
}

// letterInfo says what a dead letter says, or its headers alone.
func letterInfo(function, id string, m *store.Message) (protocol.JobInfo, []protocol.Attempt) {
	h := m.Header.Fold()
	i := protocol.JobInfo{Job: protocol.ResultKey(function, id), State: protocol.StateDead, Attempts: attempts(h),
		Ended: m.Time, Subject: callerSubject(h.Get(protocol.HeaderSubject)), Reason: h.Get(protocol.HeaderReason),
		Error: h.Get(protocol.HeaderError), Size: bodySize(h, m.Data)}
	i.Priority = priority(h)
	i.Code, _ = strconv.Atoi(h.Get(protocol.HeaderErrorCode))
	i.Accepted, _ = time.Parse(time.RFC3339Nano, h.Get(protocol.HeaderAccepted))
	if n, err := strconv.Atoi(h.Get(protocol.HeaderExit)); err == nil {
		i.Exit = &n
	}
	if n, err := strconv.ParseInt(h.Get("Nats-Msg-Size"), 10, 64); err == nil && m.Data == nil {
		i.Size = cmp.Or(i.Size, n)
	}
	return i, protocol.ParseStory(h.Get(protocol.HeaderStory))
}
