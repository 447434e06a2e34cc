package protocol

import (
	"cmp"
	"strconv"
	"time"
	"unicode/utf8"
)

// Request is one call.
type Request struct {
	// ID names the call in replies, logs and reports. Empty means that whoever serves the
	// call gives it one when it is first needed.
	ID string
	// Function is the function, or the version of it, that is called.
	Function Ref
	// Subject is where the message came in.
	Subject string
	// Args are the subject's tokens behind the name, or those that a trigger's wildcards
	// matched. They are argv behind the function's name.
	Args []string
	// Header are the message's headers. Nil if it had none.
	Header Header
	// Body becomes stdin.
	Body []byte
	// Claim, if not nil, says where the body is; Body is empty then.
	Claim *Claim
	// Timeout is how long the caller will wait; 0 means as long as the function may take.
	Timeout time.Duration
	// Report asks for report headers in the reply.
	Report bool
	// Stdout asks for what the process has written to stdout in the reply if it fails, too.
	Stdout bool
	// DryRun asks for everything but the run itself, as Lambda's invocation type DryRun does.
	DryRun bool
	// Event says that the message is a CloudEvent, in binary or in structured mode: the process gets its attributes as
	// headers ce-NAME, and its data as the body (package cloudevents). A message that is none is refused with 400.
	Event bool
	// Stream asks for the reply in chunks (see RootStream), and Credit, if not 0, says that no more than so many may come
	// before the client has given more. A Streamer sets both itself.
	Stream bool
	Credit int64
	// Chunks says that the body comes in chunks; Body is empty and Claim nil then.
	Chunks bool
	// Trigger is the trigger by which the request came: where its reply is passed on is what the manifest says there.
	// The zero value is that of a call of the function itself. No header carries it.
	Trigger TriggerKey
	// Patient asks an invoker of this process to keep the call waiting until its deadline where it would be refused
	// with 429 for want of room. No header carries it.
	Patient bool
	// Record asks an invoker of this process for the Recording of the run in the reply. No header carries it.
	Record bool
	// Once, if not zero, says that the request may come again under the same ID, as a job does, and when it was first
	// accepted: that tells it from an older one of the same ID. What its runs write by their grants is there once. No
	// header carries it.
	Once time.Time
	// Repeated says that a request with Once may have come before. No header carries it.
	Repeated bool
	// Limit, if not 0, takes the place of the function's limits.timeout in an invoker of this process. No header
	// carries it.
	Limit time.Duration
	// Hops is how often the message, and what it came of, was passed on by triggers (see Trigger.To).
	Hops int
	// Deadline is when the call must have ended. Whoever receives the call sets it.
	Deadline time.Time
}

// MaxID is the length of the longest id that a caller may give a call, in bytes.
const MaxID = 128

// ParseRequest reads a message that came in on a call's subject.
func ParseRequest(subject string, h Header, body []byte) (Request, error) {
	ref, args, err := ParseCall(subject)
	if err != nil {
		return Request{Subject: subject}, err
	}
	r := Request{Function: ref, Subject: subject, Args: args, Body: body}
	return r, r.ReadHeader(h)
}

// ReadHeader takes over the headers that mean something in a request. A bad one is an error, and the good ones are
// taken over all the same, so that the answer can carry the id. Headers are kept folded, see Header.Fold.
func (r *Request) ReadHeader(h Header) error {
	if len(h) == 0 {
		return nil
	}
	err := h.check()
	if err == nil {
		h = h.Fold()
	}
	if err = cmp.Or(err, r.readID(h)); err != nil {
		return err
	}
	r.Header = h
	get := h.Get
	if h.spelled() {
		get = h.first
	}
	r.Report = get(HeaderReport) == "1"
	r.Stdout = get(HeaderStdout) == "1"
	r.DryRun = get(HeaderDryRun) == "1"
	r.Event = get(HeaderEvent) == "1"
	if t := get(HeaderTimeout); t != "" {
		d, err := ParseDuration(t)
		if err != nil {
			return Errorf(CodeBadRequest, "", "header %s: %w", HeaderTimeout, err)
		}
		r.Timeout = time.Duration(d)
	}
	if hops := get(HeaderHops); hops != "" {
		n, err := strconv.ParseUint(hops, 10, 31)
		if err != nil {
			return Errorf(CodeBadRequest, "", "header %s: %.20q is not a number of hops", HeaderHops, hops)
		}
		r.Hops = int(n)
	}
	object := get(HeaderObject)
	if err := r.readStream(get, object); err != nil || r.Chunks || object == "" {
		return err
	}
	r.Claim, err = ParseClaim(h)
	return err
}

// readStream takes over what says that bodies come in chunks.
func (r *Request) readStream(get func(name string) string, object string) (err error) {
	if r.Stream = get(HeaderStream) == "1"; !r.Stream {
		return nil
	}
	r.Chunks = object == BodyChunks
	if text := get(HeaderCredit); text != "" {
		if r.Credit, err = ParseCredit(text); err == nil && r.Credit < 1 {
			err = Errorf(CodeBadRequest, "", "header %s: %s lets no chunk come", HeaderCredit, text)
		}
	}
	if err == nil && r.Chunks && len(r.Body) > 0 {
		err = Errorf(CodeBadRequest, "", "header %s says that the body comes in chunks, but the message has one", HeaderObject)
	}
	return err
}

// readID takes over the id.
func (r *Request) readID(h Header) error {
	id := h.Get(HeaderID)
	if !utf8.ValidString(id) || CleanValue(id, MaxID) != id {
		return Errorf(CodeBadRequest, "", "header %s: use at most %d bytes of UTF-8 without control characters",
			HeaderID, MaxID)
	}
	r.ID = id
	return nil
}

// Message returns the request as a message: what ParseRequest reads. The request's headers are
// kept; the fields come on top. It returns nil headers for a request that needs none. The error's code is 400 for what
// cannot be a subject or the name of a header, and 431 for too many headers or too long ones.
func (r *Request) Message() (subject string, h Header, body []byte, err error) {
	subject, err = CallSubject(r.Function, r.Args...)
	if err == nil {
		err = r.Header.check()
	}
	if err != nil {
		return "", nil, nil, err
	}
	h = make(Header, len(r.Header)+2) // id and timeout, usually
	for k, v := range r.Header {
		h[k] = v
	}
	if r.ID != "" && !h.is(HeaderID, r.ID) {
		h.Set(HeaderID, r.ID)
	}
	if r.Timeout > 0 {
		h.Set(HeaderTimeout, r.Timeout.String())
	}
	if r.Report {
		h.Set(HeaderReport, "1")
	}
	if r.Stdout {
		h.Set(HeaderStdout, "1")
	}
	if r.DryRun {
		h.Set(HeaderDryRun, "1")
	}
	if r.Event {
		h.Set(HeaderEvent, "1")
	}
	if r.Hops > 0 {
		h.Set(HeaderHops, strconv.Itoa(r.Hops))
	}
	if r.Claim != nil {
		r.Claim.Put(h)
	}
	r.putStream(h)
	if len(h) == 0 {
		h = nil
	}
	return subject, h, r.Body, nil
}

// putStream writes what says that bodies come in chunks.
func (r *Request) putStream(h Header) {
	if !r.Stream {
		return
	}
	h.Set(HeaderStream, "1")
	if r.Credit > 0 {
		h.Set(HeaderCredit, strconv.FormatInt(r.Credit, 10))
	}
	if r.Chunks {
		h.Set(HeaderObject, BodyChunks)
		h.Delete(HeaderSize) // so that an older invoker refuses it
	}
}
