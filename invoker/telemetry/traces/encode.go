package traces

import (
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// What follows is ExportTraceServiceRequest of OTLP 1 (github.com/open-telemetry/opentelemetry-proto), the fields of
// which have these numbers.
const (
	fieldResourceSpans = 1 // of the request

	fieldResource   = 1 // of ResourceSpans
	fieldScopeSpans = 2

	fieldScope = 1 // of ScopeSpans
	fieldSpans = 2

	fieldAttributes = 1 // of Resource
	fieldName       = 1 // of InstrumentationScope
	fieldVersion    = 2

	fieldTraceID   = 1 // of Span
	fieldSpanID    = 2
	fieldParent    = 4
	fieldSpanName  = 5
	fieldKind      = 6
	fieldBegin     = 7
	fieldEnd       = 8
	fieldSpanAttrs = 9
	fieldStatus    = 15
	fieldFlags     = 16
	fieldMessage   = 2 // of Status
	fieldCode      = 3
	statusError    = 2
	fieldKey       = 1 // of KeyValue
	fieldValue     = 2
	fieldString    = 1 // of AnyValue
	fieldInt       = 3
	flagsOfSampled = 1
)

// encode returns the request that exports spans.
func encode(resource []Attribute, scope, version string, spans []*Span) []byte {
	var r []byte
	s := make([]byte, 0, 512*len(spans))
	for _, a := range resource {
		r = a.append(r, fieldAttributes)
	}
	s = appendMessage(s, fieldScope, appendText(appendText(nil, fieldName, scope), fieldVersion, version))
	var span []byte
	for _, one := range spans {
		span = one.append(span[:0])
		s = appendMessage(s, fieldSpans, span)
	}
	all := appendMessage(nil, fieldResource, r)
	all = appendMessage(all, fieldScopeSpans, s)
	return appendMessage(nil, fieldResourceSpans, all)
}

// append appends a Span.
func (s *Span) append(b []byte) []byte {
	b = appendMessage(b, fieldTraceID, s.Trace.ID[:])
	b = appendMessage(b, fieldSpanID, s.Trace.Span[:])
	if s.Parent != [8]byte{} {
		b = appendMessage(b, fieldParent, s.Parent[:])
	}
	b = appendText(b, fieldSpanName, s.Name)
	b = appendNumber(b, fieldKind, uint64(s.Kind))
	b = protowire.AppendFixed64(protowire.AppendTag(b, fieldBegin, protowire.Fixed64Type), uint64(s.Begin.UnixNano()))
	b = protowire.AppendFixed64(protowire.AppendTag(b, fieldEnd, protowire.Fixed64Type), uint64(s.End.UnixNano()))
	for _, a := range s.Attributes {
		b = a.append(b, fieldSpanAttrs)
	}
	if s.Error != "" {
		status := appendText(nil, fieldMessage, s.Error)
		b = appendMessage(b, fieldStatus, appendNumber(status, fieldCode, statusError))
	}
	return protowire.AppendFixed32(protowire.AppendTag(b, fieldFlags, protowire.Fixed32Type), flagsOfSampled)
}

// append appends a field of the type KeyValue. The sizes are known before, so that nothing is copied.
func (a Attribute) append(b []byte, as protowire.Number) []byte {
	text := valid(a.Text)
	value := 1 + protowire.SizeBytes(len(text)) // of AnyValue; each of these fields has a tag of one byte
	if text == "" {
		value = 1 + protowire.SizeVarint(uint64(a.Int))
	}
	b = protowire.AppendTag(b, as, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(1+protowire.SizeBytes(len(a.Key))+1+protowire.SizeBytes(value)))
	b = protowire.AppendString(protowire.AppendTag(b, fieldKey, protowire.BytesType), a.Key)
	b = protowire.AppendTag(b, fieldValue, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(value))
	if text == "" {
		return appendNumber(b, fieldInt, uint64(a.Int))
	}
	return appendText(b, fieldString, text)
}

// appendMessage appends a field of bytes.
func appendMessage(b []byte, field protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), message)
}

// appendText appends a text, which must be UTF-8 for whatever reads it.
func appendText(b []byte, field protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), valid(text))
}

// valid returns a text as UTF-8, with U+FFFD in place of bytes that are none.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// appendNumber appends a number.
func appendNumber(b []byte, field protowire.Number, n uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
}

// rejected reads ExportTraceServiceResponse: how many spans the collector did not take, and why.
func rejected(b []byte) (n uint64, why string) {
	partial := field(b, 1)
	message := field(partial, 2)
	for len(partial) > 0 {
		number, kind, size := protowire.ConsumeTag(partial)
		if size < 0 {
			return 0, ""
		}
		if partial = partial[size:]; number == 1 && kind == protowire.VarintType {
			n, _ = protowire.ConsumeVarint(partial)
		}
		if size = protowire.ConsumeFieldValue(number, kind, partial); size < 0 {
			return 0, ""
		}
		partial = partial[size:]
	}
	return n, string(message)
}

// field returns the last bytes of a field, or nil.
func field(b []byte, want protowire.Number) (found []byte) {
	for len(b) > 0 {
		number, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			return nil
		}
		b = b[size:]
		if number == want && kind == protowire.BytesType {
			found, _ = protowire.ConsumeBytes(b)
		}
		if size = protowire.ConsumeFieldValue(number, kind, b); size < 0 {
			return nil
		}
		b = b[size:]
	}
	return found
}
