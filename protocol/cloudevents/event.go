// Package cloudevents reads and writes events of CloudEvents 1.0 as messages of NATS.
//
// In goes a message, in binary mode (attributes as headers) or in structured mode (all of it as JSON); out comes an
// Event, whose attributes a process gets as headers of its request, and whose data it gets as the body. What functions
// publish becomes an event on the way out. The sources are "CloudEvents 1.0.2", its "JSON Event Format", and "NATS
// Protocol Binding for CloudEvents 1.0.3". Section 13 of the specification says what polyvoke makes of them.
package cloudevents

import (
	"maps"
	"mime"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/polyvoke/polyvoke/protocol"
)

// Names of the attributes that CloudEvents itself defines.
const (
	SpecVersion     = "specversion"
	ID              = "id"
	Source          = "source"
	Type            = "type"
	Subject         = "subject"
	Time            = "time"
	DataContentType = "datacontenttype"
	DataSchema      = "dataschema"
)

// Version is the only specversion that events can have.
const Version = "1.0"

// Prefix stands before an attribute's name in a header, in lower case.
const Prefix = "ce-"

// Bounds of an event. The headers of its message have bounds of their own, see protocol.MaxHeaders.
const (
	MaxAttributes = 64       // of an event
	MaxName       = 64       // bytes of an attribute's name; the standard recommends 20
	MaxValues     = 32 << 10 // bytes of all attributes' values
)

// Event is one event. Its methods change nothing, and may be called from several goroutines.
type Event struct {
	// Attributes are its context attributes by name, those of extensions included, as they mean and not as they are
	// escaped. Numbers and truth values are in their canonical form, such as 7 and true.
	Attributes map[string]string
	// Data is its data: what a process reads on stdin. Nil if it has none.
	Data []byte
}

// New returns the event that a function's output is: its source is the function, and its type that of a reply. The
// id names the call, or the job; with the source it is unique, so that an output which is published twice is one event.
func New(function, id string, at time.Time, data []byte) Event {
	return Event{Data: data, Attributes: map[string]string{SpecVersion: Version, ID: id, Source: "/polyvoke/" + function,
		Type: function + ".reply", Time: at.UTC().Format(time.RFC3339Nano)}}
}

// Check returns what is wrong with the event's attributes. The error's code is 400.
func (e Event) Check() error {
	if v := e.Attributes[SpecVersion]; v != Version {
		return bad("specversion is %.20q: send an event of CloudEvents %s", v, Version)
	}
	if len(e.Attributes) > MaxAttributes {
		return bad("%d attributes; at most %d", len(e.Attributes), MaxAttributes)
	}
	total := 0
	for _, name := range slices.Sorted(maps.Keys(e.Attributes)) {
		value := e.Attributes[name]
		if err := checkName(name); err != nil {
			return err
		}
		if err := checkValue(name, value); err != nil {
			return err
		}
		total += len(value)
	}
	if total > MaxValues {
		return bad("the attributes have %d bytes; at most %d", total, MaxValues)
	}
	for _, name := range []string{ID, Source, Type} {
		if e.Attributes[name] == "" {
			return bad("%s is missing: every event has an id, a source and a type", name)
		}
	}
	return nil
}

// checkName returns nil for lower-case letters and digits ("CloudEvents 1.0.2", Naming Conventions).
func checkName(name string) error {
	if name == "" || len(name) > MaxName {
		return bad("attribute %.40q has %d bytes: use 1 to %d", name, len(name), MaxName)
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return bad("attribute %.40q: a name has lower-case letters and digits only", name)
		}
	}
	if name == "data" {
		return bad("attribute data: the data is the message's body")
	}
	return nil
}

// checkValue returns what is wrong with the value of an attribute.
func checkValue(name, value string) error {
	if !utf8.ValidString(value) {
		return bad("%s is not UTF-8", name)
	}
	for _, r := range value {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0xfdd0 && r <= 0xfdef || r&0xfffe == 0xfffe {
			return bad("%s has the character %U, which no attribute can have", name, r)
		}
	}
	var err error
	switch name {
	case Source, DataSchema:
		_, err = url.Parse(value)
	case Time:
		_, err = time.Parse(time.RFC3339Nano, value)
	case DataContentType:
		_, _, err = mime.ParseMediaType(value)
	}
	if err != nil || value == "" && (name == Subject || name == DataSchema) {
		return bad("%s is %.40q: this is no %s of an event", name, value, name)
	}
	return nil
}

// Request returns the headers of a request that has the event: those that its message had besides the event, and each
// attribute as ce-NAME, not escaped. The body is Data.
func (e Event) Request(h protocol.Header) protocol.Header {
	return e.header(h, func(s string) string { return s })
}

// Message returns the event as a message in binary mode, with the headers that it has besides. Values are
// percent-encoded, as the binding says. The body is Data.
func (e Event) Message(h protocol.Header) protocol.Header { return e.header(h, escape) }

// header returns h with the attributes in place of those that it had.
func (e Event) header(h protocol.Header, form func(string) string) protocol.Header {
	out := protocol.Header{}
	for name, values := range h {
		if _, ok := attribute(name); !ok && !strings.EqualFold(name, contentType) {
			out[name] = values
		}
	}
	for name, value := range e.Attributes {
		out[Prefix+name] = []string{form(value)}
	}
	return out
}

// attribute returns the name of the attribute that a header has, in lower case.
func attribute(header string) (name string, ok bool) {
	if len(header) <= len(Prefix) || !strings.EqualFold(header[:len(Prefix)], Prefix) {
		return "", false
	}
	return strings.ToLower(header[len(Prefix):]), true
}

// bad returns an error for an event that is none.
func bad(format string, a ...any) error {
	return protocol.Errorf(protocol.CodeBadRequest, "", "the message is no CloudEvent: "+format, a...)
}

// Open makes of a request that has an event what a process gets: attributes as headers, the data as body. The request
// must have its body, and no claim. Its error's code is 400; then the request is as it was.
func Open(r *protocol.Request) error {
	e, err := Parse(r.Header, r.Body)
	if err != nil {
		return err
	}
	r.Header, r.Body = e.Request(r.Header), e.Data
	return nil
}
