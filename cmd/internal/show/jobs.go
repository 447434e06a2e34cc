package show

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/protocol"
)

// Outcome is the outcome of a job as job result --json prints it.
type Outcome struct {
	Job      string            `json:"job"`
	State    protocol.JobState `json:"state"`
	Reason   string            `json:"reason,omitempty"`
	Attempts int               `json:"attempts,omitempty"`
	Accepted time.Time         `json:"accepted,omitzero"`
	Reply
}

// OutcomeDocument makes an outcome a document.
func OutcomeDocument(o *client.Outcome) Outcome {
	d := Outcome{Job: o.Job, State: o.State, Reason: o.Reason, Attempts: o.Attempts, Accepted: o.Accepted,
		Reply: ReplyDocument(o.Reply)}
	d.Header = nil // it repeats all that
	return d
}

// Queue says in words how a queue is.
func Queue(q *protocol.QueueInfo) string {
	text := fmt.Sprintf("queued %d, running %d, waiting %d, dead %d", q.Queued, q.Running, q.Waiting, q.Dead)
	switch {
	case q.Forever:
		text += "; paused until polyvoke resume " + q.Function
	case q.Paused():
		text += "; paused until " + q.PausedUntil.Local().Format(time.DateTime)
	}
	return text
}

// brief says of a queue what is not nothing.
func brief(q *protocol.QueueInfo) string {
	var words []string
	for _, n := range []struct {
		count int64
		what  string
	}{{q.Queued, "queued"}, {q.Running, "running"}, {q.Waiting, "waiting"}, {q.Dead, "dead"}} {
		if n.count > 0 {
			words = append(words, fmt.Sprint(n.count, " ", n.what))
		}
	}
	if q.Paused() {
		words = append(words, "paused")
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

// queueFact is Queue, or nothing of a function without one.
func queueFact(q *protocol.QueueInfo) string {
	if q == nil {
		return ""
	}
	return Queue(q)
}

// Jobs prints a table of jobs.
func Jobs(w io.Writer, p terminal.Paint, jobs []protocol.JobInfo) {
	var rows [][]string
	for _, j := range jobs {
		attempts := ""
		if j.Attempts > 0 {
			attempts = strconv.Itoa(j.Attempts)
		}
		rows = append(rows, []string{j.Job, string(j.State), attempts, age(j.Accepted), terminal.Bytes(j.Size), note(&j)})
	}
	terminal.Table(w, p, []string{"JOB", "STATE", " ATTEMPTS", " ACCEPTED", " SIZE", "NOTE"}, rows)
}

// age says how long ago something was.
func age(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return terminal.Age(time.Since(t))
}

// maxNote is how much of an error a table shows, in bytes.
const maxNote = 80

// note says what matters about a job in its state.
func note(j *protocol.JobInfo) string {
	switch j.State {
	case protocol.StateWaiting:
		return due(j)
	case protocol.StateDead:
		return Join(": ", j.Reason, protocol.CleanValue(j.Error, maxNote))
	}
	return ""
}

// due says when a job begins that waits.
func due(j *protocol.JobInfo) string {
	switch in := time.Until(j.Begins); {
	case j.Begins.IsZero():
		return ""
	case in <= 0:
		return "due"
	default:
		return "due in " + in.Round(time.Second).String()
	}
}

// Job prints what is known about a job.
func Job(w io.Writer, p terminal.Paint, j protocol.JobReply) {
	terminal.Facts(w, p, j.Job, facts(&j))
	story(w, p, j.Story)
}

// facts are what is known about a job, but for its attempts.
func facts(j *protocol.JobReply) [][2]string {
	state := string(j.State)
	if j.Paused {
		state += " (its queue is paused)"
	}
	exit := ""
	if j.Exit != nil && *j.Exit >= 0 {
		exit = strconv.Itoa(*j.Exit)
	}
	failure := j.Error
	if j.Code > 0 {
		failure = fmt.Sprintf("%d: %s", j.Code, j.Error)
	}
	return [][2]string{{"state", state}, {"subject", j.Subject}, {"priority", j.Priority},
		{"accepted", when(j.Accepted)}, {"begins", when(j.Begins)},
		{"ended", when(j.Ended)}, {"attempts", strconv.Itoa(j.Attempts)}, {"reason", j.Reason}, {"exit code", exit},
		{"error", failure}, {"size", terminal.Bytes(j.Size)}}
}

// when says when something was or will be.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.DateTime)
}

// story prints the attempts of a job, each with the end of its stderr.
func story(w io.Writer, p terminal.Paint, attempts []protocol.Attempt) {
	if len(attempts) == 0 {
		return
	}
	var rows [][]string
	for _, a := range attempts {
		exit := ""
		if a.Exit >= 0 {
			exit = strconv.Itoa(a.Exit)
		}
		rows = append(rows, []string{strconv.Itoa(a.Number), when(a.Time), a.Version, exit, strconv.Itoa(a.Code),
			a.Duration.Round(time.Microsecond).String(), strconv.FormatUint(a.Fuel, 10), a.Invoker})
	}
	fmt.Fprintln(w)
	terminal.Table(w, p, []string{" ATTEMPT", "ENDED", " VERSION", " EXIT", " CODE", " DURATION", " FUEL", "INVOKER"}, rows)
	for _, a := range attempts {
		for _, text := range []string{a.Error, a.Stderr} {
			for line := range strings.Lines(strings.TrimSpace(text)) {
				terminal.Line(w, fmt.Sprintf("  %d: %s", a.Number, strings.TrimRight(line, "\n")))
			}
		}
	}
}

// lag says how far the triggers of a function are behind.
func lag(q *protocol.QueueInfo) string {
	if q == nil {
		return ""
	}
	var all []string
	for _, t := range q.Triggers {
		all = append(all, Join(": ", t.Trigger, cmp.Or(t.Error, terminal.Plural(int(t.Events), "event"))))
	}
	return strings.Join(all, "; ")
}

// nextRuns says when the schedules of a function are due next: three times, in the zone of each.
func nextRuns(triggers []protocol.Trigger) string {
	var all []string
	for _, t := range triggers {
		if t.Source() != protocol.SourceSchedule {
			continue
		}
		var runs []string
		for _, at := range t.NextRuns(time.Now(), 3) {
			runs = append(runs, at.Format(time.DateTime+" MST"))
		}
		all = append(all, Join(": ", t.Schedule, strings.Join(runs, ", ")))
	}
	return strings.Join(all, "; ")
}

// maxBody is how much of the body of a dead letter is shown to people, in bytes.
const maxBody = 2000

// Letter prints a dead letter.
func Letter(w io.Writer, p terminal.Paint, l protocol.LetterReply) {
	Job(w, p, l.JobReply)
	for _, name := range slices.Sorted(maps.Keys(l.Header)) {
		for _, v := range l.Header[name] {
			terminal.Line(w, fmt.Sprintf("  header %s: %s", name, v))
		}
	}
	fmt.Fprintln(w)
	switch body := l.Body; {
	case !utf8.Valid(body):
		fmt.Fprintf(w, "(the body is binary: %s; --json has it)\n", terminal.Bytes(l.Size))
	case len(body) > maxBody:
		fmt.Fprintf(w, "%s\n(%s of %s; --json has more)\n", strings.ToValidUTF8(string(body[:maxBody]), ""),
			terminal.Bytes(maxBody), terminal.Bytes(l.Size))
	case len(body) > 0:
		fmt.Fprintf(w, "%s\n", strings.TrimRight(string(body), "\n"))
	}
}

// LetterOutput is a dead letter as dead show --json prints it. A body that is not text is in base64.
type LetterOutput struct {
	protocol.JobReply
	Header protocol.Header `json:"headers,omitempty"`
	Body   string          `json:"body"`
	Base64 bool            `json:"base64,omitempty"`
	Cut    bool            `json:"cut,omitempty"` // there is more of the body than a reply of NATS can have
}

// LetterDocument makes a dead letter a document.
func LetterDocument(l protocol.LetterReply) LetterOutput {
	d := LetterOutput{JobReply: l.JobReply, Header: l.Header, Body: string(l.Body), Cut: l.Cut}
	if !utf8.Valid(l.Body) {
		d.Body, d.Base64 = base64.StdEncoding.EncodeToString(l.Body), true
	}
	return d
}
