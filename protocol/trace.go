package protocol

import (
	"encoding/hex"
	"maps"
	"strings"
)

// Headers of the W3C's Trace Context (www.w3.org/TR/trace-context), as clients of HTTP and of NATS send them.
const (
	HeaderTraceparent = "traceparent" // request, and reply to one that had it: a trace and the place in it
	HeaderTracestate  = "tracestate"  // request: what vendors add, passed on as it is
)

// maxTracestate is the length of the longest tracestate that is passed on, in bytes.
const maxTracestate = 512

// Trace is a place in a trace: what the header traceparent says. The zero value is none.
type Trace struct {
	ID      [16]byte // of the trace
	Span    [8]byte  // the place in it
	Sampled bool     // whoever has begun the trace keeps it
}

// IsZero reports whether t is no place in a trace.
func (t Trace) IsZero() bool { return t.ID == [16]byte{} }

// String returns the traceparent, or "" for the zero value.
func (t Trace) String() string {
	if t.IsZero() {
		return ""
	}
	b := make([]byte, 0, 55)
	b = append(b, "00-"...)
	b = hex.AppendEncode(b, t.ID[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, t.Span[:])
	if t.Sampled {
		return string(append(b, "-01"...))
	}
	return string(append(b, "-00"...))
}

// ParseTrace reads a traceparent. A version that is not known yet is read as the specification says: as version 00,
// whatever follows. The result is zero for what is none: then a trace begins anew, and nobody is told.
func ParseTrace(s string) (t Trace) {
	if len(s) < 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' || s[:2] == "ff" || strings.ToLower(s) != s {
		return t
	}
	if len(s) > 55 && (s[:2] == "00" || s[55] != '-') {
		return t
	}
	var version, flags [1]byte
	for _, part := range []struct {
		to   []byte
		from string
	}{{version[:], s[:2]}, {t.ID[:], s[3:35]}, {t.Span[:], s[36:52]}, {flags[:], s[53:55]}} {
		if _, err := hex.Decode(part.to, []byte(part.from)); err != nil {
			return Trace{}
		}
	}
	if t.IsZero() || t.Span == [8]byte{} {
		return Trace{}
	}
	t.Sampled = flags[0]&1 != 0
	return t
}

// Trace returns the place in a trace that the headers name; zero for none. Of several traceparents none counts.
func (h Header) Trace() Trace {
	if v := h.Values(HeaderTraceparent); len(v) == 1 {
		return ParseTrace(v[0])
	}
	return Trace{}
}

// WithTrace returns a copy of the headers that names another place in a trace.
func (h Header) WithTrace(t Trace) Header {
	c := make(Header, len(h)+1)
	maps.Copy(c, h)
	c.Set(HeaderTraceparent, t.String())
	return c
}

// PassTrace puts the trace context of a message into the headers of another that comes of it. What is no trace context
// stays behind.
func (h Header) PassTrace(to Header) {
	if len(h) == 0 {
		return
	}
	t := h.Trace()
	if t.IsZero() {
		return
	}
	to.Set(HeaderTraceparent, t.String())
	state := strings.Join(h.Values(HeaderTracestate), ",")
	if state != "" && len(state) <= maxTracestate && CleanValue(state, maxTracestate) == state {
		to.Set(HeaderTracestate, state)
	}
}
