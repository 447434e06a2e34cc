package protocol

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Event is one line of a batch (section 13 of the specification): a message of a stream as an object of JSON. The names
// of its data are those of the JSON format of CloudEvents 1.0, section 3.1.
type Event struct {
	Subject  string          `json:"subject"`
	Sequence uint64          `json:"sequence"` // in its stream
	Time     time.Time       `json:"time"`     // when it was stored
	Header   Header          `json:"headers,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`        // the body, if it is JSON
	Base64   []byte          `json:"data_base64,omitempty"` // any other body; an empty one is in neither
}

// AppendEvent appends the line of an event with a body, its end included. A body that is JSON becomes data, as it is
// but for blanks; any other becomes data_base64. Bytes that are not UTF-8 become U+FFFD in the subject and in headers.
func AppendEvent(b []byte, e Event, body []byte) []byte {
	b = appendSubject(append(b, `{"subject":`...), e.Subject)
	b = strconv.AppendUint(append(b, `,"sequence":`...), e.Sequence, 10)
	b = e.Time.UTC().AppendFormat(append(b, `,"time":"`...), time.RFC3339Nano)
	b = append(b, '"')
	if len(e.Header) > 0 {
		b = appendJSON(append(b, `,"headers":`...), e.Header)
	}
	if len(body) > 0 {
		b = appendData(b, body)
	}
	return append(b, "}\n"...)
}

// appendData appends the member that has a body.
func appendData(b, body []byte) []byte {
	if utf8.Valid(body) {
		out := bytes.NewBuffer(append(b, `,"data":`...))
		if json.Compact(out, body) == nil {
			return out.Bytes()
		}
	}
	b = append(b, `,"data_base64":"`...)
	return append(base64.StdEncoding.AppendEncode(b, body), '"')
}

// appendSubject appends a subject as a string of JSON: as it is, if it has only what usual ones have.
func appendSubject(b []byte, subject string) []byte {
	for _, c := range []byte(subject) {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return appendJSON(b, subject)
		}
	}
	return append(append(append(b, '"'), subject...), '"')
}

// appendJSON appends plain data as JSON, which cannot fail.
func appendJSON(b []byte, v any) []byte {
	text, _ := json.Marshal(v)
	return append(b, text...)
}

// BatchID returns the id of the job that several events of the trigger become together, by the sequence of the first,
// and how many they are. One event alone has the id of EventID.
func (t Trigger) BatchID(first uint64, count int, stream time.Time) string {
	return batchID(t.SourceID(), first, count, formatStamp(stream))
}

// formatStamp returns what in an id tells a stream from another one that had its name before.
func formatStamp(stream time.Time) string { return strconv.FormatInt(stream.UnixMicro(), 36) }

func batchID(source string, first uint64, count int, stamp string) string {
	if count == 1 {
		return "_s" + source + "-" + strconv.FormatUint(first, 10) + "-" + stamp
	}
	return "_b" + source + "-" + strconv.FormatUint(first, 10) + "-" + strconv.Itoa(count) + "-" + stamp
}

// Part is what of a batch is tried again as a job of its own.
type Part struct {
	ID       string
	Body     []byte // its lines
	Count    int    // how many they are
	Attempts int    // verdicts that count for it
	Wait     bool   // it is tried again after the pause of a retry; false: at once
}

// SplitBatch returns the parts of a batch that are tried again after a verdict, each by itself. before is how many
// verdicts the batch has had without this one, most how many it may have. It returns nil if the verdict is one of the
// batch as a whole, as of any other job: it succeeded, it has one line only, or it is to be tried again as it is.
//
//   - Lines that stderr names, see FailedLines, are tried again; the others are done.
//   - A process that says 69 or 75 blames no line: the batch is tried again as a whole, until it has had most verdicts.
//   - Any other failure halves the batch, and counts for neither half, until the line that is to blame is alone.
func SplitBatch(id string, body []byte, r *Reply, before, most int) []Part {
	source, stamp, ok := parseBatchID(id)
	lines := bytes.SplitAfter(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
	if !ok || r.Err == nil || len(lines) < 2 {
		return nil
	}
	lines[len(lines)-1] = append(bytes.Clone(lines[len(lines)-1]), '\n')
	part := func(lines [][]byte, attempts int, wait bool) Part {
		return Part{ID: batchID(source, sequenceOf(lines[0]), len(lines), stamp), Body: bytes.Join(lines, nil),
			Count: len(lines), Attempts: attempts, Wait: wait}
	}
	outcome := FromExit(uint32(max(0, r.Exit)))
	if failed := FailedLines(len(lines), r); failed != nil {
		var parts []Part
		for _, n := range failed {
			wait, attempts := outcome.Delivery == Retry, before
			if wait && before+1 < most {
				attempts++
			}
			parts = append(parts, part(lines[n-1:n], attempts, wait))
		}
		return parts
	}
	wait := outcome.Code == CodeUnavailable
	if wait && before+1 < most {
		return nil
	}
	half := len(lines) / 2
	return []Part{part(lines[:half], before, wait), part(lines[half:], before, wait)}
}

// parseBatchID reads an id of BatchID. ok is false for that of one event, too.
func parseBatchID(id string) (source, stamp string, ok bool) {
	parts := strings.Split(id, "-")
	source, ok = strings.CutPrefix(parts[0], "_b")
	if !ok || len(parts) != 4 {
		return "", "", false
	}
	return source, parts[3], true
}

// sequenceOf returns the sequence that a line of a batch names.
func sequenceOf(line []byte) uint64 {
	var e struct {
		Sequence uint64 `json:"sequence"`
	}
	_ = json.Unmarshal(line, &e) // an invoker has written it
	return e.Sequence
}

// failedLine is what a line of stderr begins with that names lines of a batch.
const failedLine = "failed: "

// FailedLines returns which lines of a batch a process says have failed, from 1, in order and each once. It says so
// on stderr, a line each, "failed: 3" or "failed: 3-7", with any text behind a further blank; and it ends with an exit
// code that is no success. FailedLines returns nil if it names none, or one that the batch does not have. It also
// returns nil if the end of stderr that the reply has may lack names.
func FailedLines(count int, r *Reply) []int {
	if r.Exit <= 0 || len(r.Body) >= MaxTail {
		return nil
	}
	failed, any := make([]bool, count), false
	for line := range strings.Lines(string(r.Body)) {
		text, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), failedLine)
		if !ok {
			continue
		}
		text, _, _ = strings.Cut(text, " ")
		first, last, ranged := strings.Cut(text, "-")
		if !ranged {
			last = first
		}
		from, err := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err != nil || err2 != nil || from < 1 || to > count || from > to {
			return nil
		}
		for n := from; n <= to; n++ {
			failed[n-1], any = true, true
		}
	}
	if !any {
		return nil
	}
	var numbers []int
	for i, bad := range failed {
		if bad {
			numbers = append(numbers, i+1)
		}
	}
	return numbers
}
