package triggers

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/protocol/cloudevents"
)

// event is a message of a stream.
type event struct {
	stream    string
	subject   string
	header    nats.Header
	body      []byte
	sequence  uint64
	time      time.Time // when it was stored
	created   time.Time // its stream was
	delivered uint64    // how often, with this time
}

// event reads a message that JetStream has delivered.
func (s *source) event(m jetstream.Msg) (event, error) {
	meta, err := m.Metadata()
	if err != nil {
		return event{}, err
	}
	return event{stream: s.name, subject: m.Subject(), header: m.Headers(), body: m.Data(), created: s.created,
		sequence: meta.Sequence.Stream, time: meta.Timestamp, delivered: meta.NumDelivered}, nil
}

// job returns the message that the event is as a job of a function. What cannot be a job says so in a header, and the
// queue makes a dead letter of it. unpassed is why the reply will not be passed on, though the trigger says so.
func (e *event) job(function string, t protocol.Trigger) (m *nats.Msg, unpassed error) {
	h := plain(e.header, t.Source())
	body := e.body
	args, err := e.args(t)
	if err == nil && t.Events {
		var ce cloudevents.Event
		if ce, err = cloudevents.Parse(h, body); err == nil {
			h, body = ce.Request(h), ce.Data
		}
	}
	if h == nil {
		h = protocol.Header{}
	}
	if err != nil {
		h[protocol.HeaderRefused] = []string{protocol.CleanValue(err.Error(), protocol.MaxErrorText)}
	}
	if len(args) > 0 {
		h[protocol.HeaderArgs] = []string{protocol.FormatArgs(args)}
	}
	to, unpassed := t.Destination(e.subject)
	if len(to) > protocol.MaxCall {
		to, unpassed = "", protocol.Errorf(protocol.CodeBadRequest, "", "subject %.40q... has %d bytes; NATS takes %d", to,
			len(to), protocol.MaxCall)
	}
	if to != "" {
		h[protocol.HeaderTo] = []string{to}
	}
	e.name(h, t.EventID(e.sequence, e.created))
	return &nats.Msg{Subject: redo(function), Header: nats.Header(h), Data: body}, unpassed
}

// redo returns the subject on which invokers publish jobs of a function. Arguments are in a header: they need not be
// tokens of a subject, and a line of the server has no room for all.
func redo(function string) string {
	return protocol.RedoSubject(protocol.RootJob + "." + function)
}

// name puts the id of a job into its headers, and where its event comes from.
func (e *event) name(h protocol.Header, id string) {
	h[protocol.HeaderID], h[jetstream.MsgIDHeader] = []string{id}, []string{id}
	h[protocol.HeaderSourceStream] = []string{e.stream}
	h[protocol.HeaderSourceSubject] = []string{protocol.CleanValue(e.subject, protocol.MaxCall)}
	h[protocol.HeaderSourceSequence] = []string{strconv.FormatUint(e.sequence, 10)}
	h[protocol.HeaderSourceTime] = []string{e.time.UTC().Format(time.RFC3339Nano)}
}

// args returns the arguments of the event's job: what the wildcards of the filter stand for; of a bucket, a name and
// what happened to it.
func (e *event) args(t protocol.Trigger) ([]string, error) {
	switch t.Source() {
	case protocol.SourceKV:
		bucket, _ := t.Bucket()
		return []string{strings.TrimPrefix(e.subject, "$KV."+bucket+"."), e.operation()}, nil
	case protocol.SourceObject:
		return e.object()
	}
	_, filter := t.SourceStream()
	if filter == "" {
		return nil, nil
	}
	args, ok := protocol.Match(filter, e.subject)
	if !ok {
		return nil, protocol.Errorf(protocol.CodeBadRequest, "", "subject %.80q is none of %s", e.subject, filter)
	}
	if strings.IndexByte(e.subject, 0) >= 0 {
		return nil, protocol.Errorf(protocol.CodeBadRequest, "",
			"subject %.80q has a NUL byte, which an argument cannot have", e.subject)
	}
	return args, nil
}

// What happened to a key or an object.
const (
	opPut    = "put"
	opDelete = "delete"
	opPurge  = "purge"
)

// operation returns what happened to a key (NATS ADR-8). A key whose time is over, or that a limit has removed, has
// been deleted.
func (e *event) operation() string {
	switch e.header.Get("KV-Operation") {
	case "DEL":
		return opDelete
	case "PURGE":
		return opPurge
	}
	switch e.header.Get(jetstream.MarkerReasonHeader) {
	case "":
		return opPut
	case "Purge":
		return opPurge
	}
	return opDelete
}

// object returns the name of an object, and what happened to it (NATS ADR-20).
func (e *event) object() ([]string, error) {
	var o struct {
		Name    string `json:"name"`
		Deleted bool   `json:"deleted"`
	}
	if len(e.body) > 0 {
		if err := json.Unmarshal(e.body, &o); err != nil {
			return nil, protocol.Errorf(protocol.CodeBadRequest, "", "the description of the object is no JSON: %w", err)
		}
	} else { // a limit of the bucket has removed it, and left a marker
		token := e.subject[strings.LastIndexByte(e.subject, '.')+1:]
		name, err := base64.URLEncoding.DecodeString(token)
		if err != nil {
			return nil, protocol.Errorf(protocol.CodeBadRequest, "", "subject %.80q names no object", e.subject)
		}
		o.Name, o.Deleted = string(name), true
	}
	if strings.IndexByte(o.Name, 0) >= 0 {
		return nil, protocol.Errorf(protocol.CodeBadRequest, "",
			"object %.80q has a NUL byte in its name, which an argument cannot have", o.Name)
	}
	if o.Deleted {
		return []string{o.Name, opDelete}, nil
	}
	return []string{o.Name, opPut}, nil
}

// passed are the headers of polyvoke's own that an event keeps: how often it was passed on, and where its body is.
var passed = map[string]bool{"fn-hops": true, "fn-body-object": true, "fn-body-size": true, "fn-body-digest": true}

// plain returns the headers of an event that its job has too: all but those that mean something to polyvoke or to NATS.
// It is nil if there are none.
func plain(h nats.Header, source string) protocol.Header {
	var kept protocol.Header
	for name, values := range h {
		switch lower := strings.ToLower(name); {
		case strings.HasPrefix(lower, "nats-"):
		case strings.HasPrefix(lower, "fn-") && !passed[lower]:
		case source == protocol.SourceKV && lower == "kv-operation":
		default:
			if kept == nil {
				kept = protocol.Header{}
			}
			kept[name] = values
		}
	}
	return kept
}

// mostHeaders is the most that the headers of a job have, in bytes. JetStream takes 64 KiB (err_code 10097), and a dead
// letter has a story besides.
const mostHeaders = 48 << 10

// fit makes a job's message one that the server takes: a body for which there is no room goes into a bucket. An event
// whose headers leave no room for those of a job cannot be one.
func (w *worker) fit(ctx context.Context, m *nats.Msg) error {
	h := protocol.Header(m.Header)
	if h.Size() > mostHeaders {
		size := h.Size()
		for name := range h {
			if !strings.HasPrefix(name, "Fn-") && name != jetstream.MsgIDHeader || name == protocol.HeaderArgs {
				delete(h, name)
			}
		}
		h[protocol.HeaderRefused] = []string{fmt.Sprintf("its headers, with those of a job, have %d bytes; at most %d", size,
			mostHeaders)}
	}
	if int64(h.Size()+len(m.Data)) <= w.f.js.Conn().MaxPayload() {
		return nil
	}
	claim, err := w.f.config.Bodies.PutBytes(ctx, m.Data)
	if err != nil {
		return err
	}
	claim.Bucket = protocol.BucketJobs
	claim.Put(h)
	m.Data = nil
	return nil
}
