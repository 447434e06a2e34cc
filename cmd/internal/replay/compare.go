// Package replay compares what a recorded run came to with what it comes to when it is run again.
//
// In go a recording and the outcome of another run; out comes a Result, which is the same or says what differs first.
package replay

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/polyvoke/polyvoke/cmd/internal/localrun"
	"github.com/polyvoke/polyvoke/protocol"
)

// Side is one of the two runs that are compared.
type Side struct {
	Exit   int    `json:"exit"`            // -1: the process did not get that far
	Code   int    `json:"code,omitempty"`  // error code; 0: it succeeded
	Error  string `json:"error,omitempty"` // what has failed
	Fuel   uint64 `json:"fuel,omitempty"`
	Memory uint64 `json:"memory,omitempty"` // bytes
	Stdout int64  `json:"stdout"`           // bytes
	Digest string `json:"stdout_digest,omitempty"`
	Logs   string `json:"stderr,omitempty"` // the end

	reply []byte // stdout, or its beginning
}

// Difference is one thing that is not the same.
type Difference struct {
	What     string `json:"what"`           // exit, code, stdout, stderr, fuel, memory, files or draws
	Text     string `json:"text"`           // for people
	Line     int    `json:"line,omitempty"` // of the first difference, from 1; 0: it is not known
	Byte     int64  `json:"byte,omitempty"` // offset of the first difference, where Line is set
	Recorded string `json:"recorded,omitempty"`
	Replayed string `json:"replayed,omitempty"`
	Counts   bool   `json:"counts"` // it makes the runs differ; else it is only told
}

// Result is the comparison of one recording.
type Result struct {
	Job         string       `json:"job,omitempty"`  // FUNCTION.ID
	Function    string       `json:"function"`       // NAME@VERSION that was recorded
	With        string       `json:"with,omitempty"` // digest of the code that was run, if it is not that one
	Same        bool         `json:"same"`
	Skipped     string       `json:"skipped,omitempty"` // why it was not run again
	Differences []Difference `json:"differences,omitempty"`
	Recorded    *Side        `json:"recorded,omitempty"`
	Replayed    *Side        `json:"replayed,omitempty"`
}

// New returns the result for a recording that has not been run yet, and for the digest of the code that it is run with.
func New(r *protocol.Recording, digest string) *Result {
	out := &Result{Job: protocol.ResultKey(r.Function.Name, r.ID), Function: r.Function.Name}
	if r.Function.Version > 0 {
		out.Function = r.Function.Ref().String()
	}
	if digest != r.Function.Digest {
		out.With = digest
	}
	return out
}

// Skip says that the recording could not be run again.
func (r *Result) Skip(err error) { r.Skipped = err.Error() }

// Compare compares a recording with the outcome of another run. With the code of the recording all must be the same.
// With other code the reply and the exit code must be; logs, fuel, memory, files and draws are told. Of a run that was ended
// from outside, by its deadline, only that counts: how far it came is a matter of time.
func (r *Result) Compare(rec *protocol.Recording, o *localrun.Outcome) {
	a := Side{Exit: rec.Exit, Code: rec.Code, Error: rec.Error, Fuel: rec.Fuel, Memory: rec.Memory,
		Stdout: rec.Stdout.Size, Digest: rec.Stdout.Digest, Logs: string(rec.Stderr.Kept), reply: rec.Stdout.Kept}
	b := Side{Exit: o.Exit, Code: o.Code, Error: o.Error, Fuel: o.Usage.Fuel, Memory: o.Usage.Memory,
		Stdout: int64(len(o.Stdout)), Digest: protocol.Digest(o.Stdout), Logs: string(o.Stderr), reply: o.Stdout}
	r.Recorded, r.Replayed = &a, &b
	exact := r.With == "" && !o.Cut
	if a.Exit != b.Exit {
		r.add("exit", true, "exit %s, and now %s", exitText(a.Exit), exitText(b.Exit))
	}
	if a.Code != b.Code {
		r.add("code", true, "%s, and now %s", codeText(&a), codeText(&b))
	}
	if a.Digest != b.Digest {
		r.stdout(&a, &b, !o.Cut)
	}
	if a.Logs != b.Logs || rec.Stderr.Size != o.StderrSize {
		r.lines("stderr", rec.Stderr.Kept, o.Stderr, exact)
	}
	if a.Fuel != b.Fuel {
		r.add("fuel", exact, "fuel %d, and now %d%s", a.Fuel, b.Fuel, ratio(a.Fuel, b.Fuel))
	}
	if a.Memory != b.Memory {
		r.add("memory", exact, "memory %d bytes, and now %d%s", a.Memory, b.Memory, ratio(a.Memory, b.Memory))
	}
	if o.Files != "" {
		r.add("files", exact, "files: %s", o.Files)
	}
	if o.Draws != "" {
		r.add("draws", exact, "time and entropy: %s", o.Draws)
	}
	r.Same = true
	for _, d := range r.Differences {
		r.Same = r.Same && !d.Counts
	}
}

// add adds a difference.
func (r *Result) add(what string, counts bool, format string, a ...any) {
	r.Differences = append(r.Differences, Difference{What: what, Counts: counts, Text: fmt.Sprintf(format, a...)})
}

// stdout adds the difference of two replies. Of the recorded one there may be only the beginning.
func (r *Result) stdout(a, b *Side, counts bool) {
	now := b.reply
	if cut := int64(len(a.reply)) < a.Stdout; cut {
		now = now[:min(len(now), len(a.reply))]
		if bytes.Equal(a.reply, now) {
			r.add("stdout", counts, "stdout: %d bytes, and now %d: they differ after the first %d bytes, which are what "+
				"was kept", a.Stdout, b.Stdout, len(a.reply))
			return
		}
	}
	r.lines("stdout", a.reply, now, counts)
}

// lines adds the first difference of two texts.
func (r *Result) lines(what string, a, b []byte, counts bool) {
	at := 0
	for at < min(len(a), len(b)) && a[at] == b[at] {
		at++
	}
	line := 1 + bytes.Count(a[:at], []byte{'\n'})
	d := Difference{What: what, Counts: counts, Line: line, Byte: int64(at), Recorded: lineAt(a, at),
		Replayed: lineAt(b, at)}
	d.Text = fmt.Sprintf("%s: %d bytes, and now %d: they differ from line %d, byte %d on", what, len(a), len(b), line, at)
	r.Differences = append(r.Differences, d)
}

// maxLine is how much of a line is shown, in bytes.
const maxLine = 200

// lineAt returns the line around a place, or what of it is shown.
func lineAt(b []byte, at int) string {
	at = min(at, len(b))
	begin := bytes.LastIndexByte(b[:at], '\n') + 1
	if at-begin > maxLine/2 {
		begin = at - maxLine/2
	}
	line := b[begin:]
	if end := bytes.IndexByte(b[at:], '\n'); end >= 0 {
		line = b[begin : at+end]
	}
	line = line[:min(len(line), maxLine)]
	if !utf8.Valid(line) {
		return fmt.Sprintf("%q", line)
	}
	return string(line)
}

// ratio returns how many times as much the second is, for people.
func ratio(a, b uint64) string {
	if a == 0 || b == 0 {
		return ""
	}
	return fmt.Sprintf(" (%.2fx)", float64(b)/float64(a))
}

// exitText is an exit code for people.
func exitText(code int) string {
	if code < 0 {
		return "none"
	}
	return fmt.Sprint(code)
}

// codeText is an error code for people.
func codeText(s *Side) string {
	if s.Code == 0 {
		return "success"
	}
	return fmt.Sprintf("%d %s", s.Code, s.Error)
}
