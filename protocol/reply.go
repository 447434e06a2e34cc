package protocol

import (
	"slices"
	"strconv"
	"time"
)

// Reply is the answer to one call. Every call has one.
type Reply struct {
	ID     string  // of the call; empty if nobody asked and nothing failed
	Header Header  // as they came; of a reply that is made only the trace context goes out
	Body   []byte  // stdout; in an error reply the tail of stderr, or the message
	Stdout []byte  // in an error reply the end of stdout, if the caller asked for it
	Claim  *Claim  // if not nil, the body is there
	Report *Report // if the caller asked for it
	Err    *Error  // nil for success
	Exit   int     // the exit code, see Function.Replies; -1 if the process did not get that far

	// Recording is the run, if Request.Record asked for it and a process ran. No header carries it.
	Recording *Recording
}

// Report says how a call went: Lambda's REPORT line as headers.
type Report struct {
	Function Ref           // NAME@VERSION that ran
	Duration time.Duration // wall time of the process
	Fuel     uint64        // how much work it was; 0 if unknown
	Memory   uint64        // the most linear memory it had, in bytes
	Start    string        // start kind
	Reads    int64         // by grants: how often it has read something outside
	Writes   int64         // by grants: how much it has changed outside
}

// MaxErrorText is the length of the longest error message in a header, in bytes.
const MaxErrorText = 512

// MaxTail is the longest tail of stderr that an error reply carries, in bytes.
const MaxTail = 4 << 10

// Message returns the reply as headers and a body. A success that nobody asked about has no
// headers, since they cost 10 to 30 % of a small message.
func (r *Reply) Message() (Header, []byte) {
	if r.Err == nil && r.ID == "" && r.Report == nil && r.Claim == nil && r.Exit <= 0 &&
		r.Header.Trace().IsZero() {
		return nil, r.Body
	}
	h := Header{}
	set := func(name, value string) { h[name] = []string{value} }
	if r.ID != "" {
		set(HeaderID, CleanValue(r.ID, MaxID))
	}
	if r.Claim != nil {
		r.Claim.Put(h)
	}
	if t := r.Header.Trace(); !t.IsZero() {
		set(HeaderTraceparent, t.String())
	}
	if r.Exit > 0 || r.Exit == 0 && (r.Err != nil || r.Report != nil) {
		set(HeaderExit, strconv.Itoa(r.Exit))
	}
	if p := r.Report; p != nil {
		set(HeaderFunction, p.Function.String())
		set(HeaderDuration, p.Duration.String())
		if p.Fuel > 0 {
			set(HeaderFuel, strconv.FormatUint(p.Fuel, 10))
		}
		set(HeaderMemory, strconv.FormatUint(p.Memory, 10))
		set(HeaderStart, p.Start)
		if p.Reads > 0 {
			set(HeaderReads, strconv.FormatInt(p.Reads, 10))
		}
		if p.Writes > 0 {
			set(HeaderWrites, strconv.FormatInt(p.Writes, 10))
		}
	}
	if r.Err == nil {
		return h, r.Body
	}
	text := CleanValue(r.Err.Error(), MaxErrorText)
	set(HeaderError, text)
	set(HeaderErrorCode, strconv.Itoa(r.Err.Code))
	body := r.Body
	if len(body) == 0 {
		body = []byte(text + "\n") // the official command line prints "nil body" for none
	}
	if len(r.Stdout) > 0 {
		set(HeaderStdout, strconv.Itoa(len(r.Stdout)))
		body = slices.Concat(body, r.Stdout)
	}
	return h, body
}

// Shorten makes an error reply fit a message of max bytes, headers included: it keeps the end of its body, or else the
// beginning of its text, and without room for that its code. A success stays as it is.
func (r *Reply) Shorten(max int) {
	h, body := r.Message()
	over := h.Size() + len(body) - max
	if r.Err == nil || over <= 0 {
		return
	}
	if len(r.Body) > over {
		r.Body = r.Body[over:]
		return
	}
	short := Reply{ID: r.ID, Exit: r.Exit, Err: &Error{Code: r.Err.Code, Err: r.Err}}
	h, body = short.Message()
	room := max - h.Size() - len(body)
	if room < 0 {
		short.ID, room = "", 0
	}
	short.Err.Msg = CleanValue(r.Err.Error(), min(MaxErrorText, room/2)) // it is header and body
	*r = short
}

// ParseReply reads the answer to a call. Clients must look at both error headers (ADR-32), so
// a reply that has only one of them is an error too.
func ParseReply(h Header, body []byte) (Reply, error) {
	r := Reply{Header: h, Body: body, ID: h.Get(HeaderID), Exit: -1}
	if len(h) == 0 {
		r.Exit = 0
		return r, nil
	}
	text, code := h.Get(HeaderError), h.Get(HeaderErrorCode)
	if text != "" || code != "" {
		n, err := strconv.Atoi(code)
		if err != nil || n < 100 || n > 999 {
			n = CodeFailed
		}
		r.Err = &Error{Code: n, Msg: text}
		if n, err := strconv.Atoi(h.Get(HeaderStdout)); err == nil && n > 0 {
			at := max(0, len(body)-n)
			r.Body, r.Stdout = body[:at:at], body[at:]
		}
	} else {
		r.Exit = 0
	}
	if s := h.Get(HeaderExit); s != "" {
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			return r, Errorf(CodeFailed, "", "reply header %s: %.20q is not an exit code", HeaderExit, s)
		}
		r.Exit = int(n)
	}
	r.Report = parseReport(h)
	var err error
	r.Claim, err = ParseClaim(h)
	return r, err
}

// parseReport reads the report headers. It returns nil if there is no report, and leaves
// zero what cannot be read: a report is for people.
func parseReport(h Header) *Report {
	name := h.Get(HeaderFunction)
	if name == "" {
		return nil
	}
	ref, err := ParseRef(name)
	if err != nil {
		return nil
	}
	p := &Report{Function: ref, Start: h.Get(HeaderStart)}
	p.Duration, _ = time.ParseDuration(h.Get(HeaderDuration))
	p.Fuel, _ = strconv.ParseUint(h.Get(HeaderFuel), 10, 64)
	p.Memory, _ = strconv.ParseUint(h.Get(HeaderMemory), 10, 64)
	p.Reads, _ = strconv.ParseInt(h.Get(HeaderReads), 10, 64)
	p.Writes, _ = strconv.ParseInt(h.Get(HeaderWrites), 10, 64)
	return p
}
