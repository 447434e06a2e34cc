package protocol

import (
	"strings"
	"testing"
)

const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestParseTrace(t *testing.T) {
	for name, row := range map[string]struct{ in, out string }{
		"sampled":         {traceparent, traceparent},
		"not sampled":     {strings.TrimSuffix(traceparent, "1") + "0", strings.TrimSuffix(traceparent, "1") + "0"},
		"other flags":     {strings.TrimSuffix(traceparent, "01") + "ff", traceparent},
		"later version":   {"cc" + traceparent[2:], traceparent},
		"later and more":  {"cc" + traceparent[2:] + "-what-the-future", traceparent},
		"later, no dash":  {"cc" + traceparent[2:] + ".what", ""},
		"version 00 more": {traceparent + "-00", ""},
		"version ff":      {"ff" + traceparent[2:], ""},
		"upper case":      {strings.ToUpper(traceparent), ""},
		"no trace":        {"00-" + strings.Repeat("0", 32) + traceparent[35:], ""},
		"no span":         {traceparent[:36] + strings.Repeat("0", 16) + "-01", ""},
		"short":           {traceparent[:54], ""},
		"not hexadecimal": {"00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01", ""},
		"bad version":     {"0g" + traceparent[2:], ""},
		"empty":           {"", ""},
	} {
		if got := ParseTrace(row.in).String(); got != row.out {
			t.Errorf("%s: %q is %q, want %q", name, row.in, got, row.out)
		}
	}
}

func FuzzParseTrace(f *testing.F) {
	f.Add(traceparent)
	f.Add("cc" + traceparent[2:] + "-x")
	f.Fuzz(func(t *testing.T, s string) {
		one := ParseTrace(s)
		if again := ParseTrace(one.String()); again != one {
			t.Errorf("%q is %v, and that is %v", s, one, again)
		}
	})
}

func TestPassTrace(t *testing.T) {
	for name, row := range map[string]struct {
		from          Header
		parent, state string
	}{
		"none":        {nil, "", ""},
		"other":       {Header{"a": {"b"}}, "", ""},
		"both":        {Header{"Traceparent": {traceparent}, "Tracestate": {"a=b", "c=d"}}, traceparent, "a=b,c=d"},
		"two parents": {Header{"traceparent": {traceparent, traceparent}, "tracestate": {"a=b"}}, "", ""},
		"bad parent":  {Header{"traceparent": {"x"}, "tracestate": {"a=b"}}, "", ""},
		"hostile":     {Header{"traceparent": {traceparent}, "tracestate": {"a=b\r\nFn-To: x"}}, traceparent, ""},
		"long":        {Header{"traceparent": {traceparent}, "tracestate": {strings.Repeat("a", 513)}}, traceparent, ""},
	} {
		to := Header{"kept": {"1"}}
		row.from.PassTrace(to)
		if to.Get(HeaderTraceparent) != row.parent || to.Get(HeaderTracestate) != row.state || to.Get("kept") != "1" {
			t.Errorf("%s: %v", name, to)
		}
	}
	h := Header{"Traceparent": {"old"}, "a": {"b"}}
	if c := h.WithTrace(ParseTrace(traceparent)); c.Get("TRACEPARENT") != traceparent || len(c) != 2 || len(h) != 2 ||
		h.Get("traceparent") != "old" {
		t.Errorf("a copy is %v, of %v", c, h)
	}
}
