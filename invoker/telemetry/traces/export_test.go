package traces

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/polyvoke/polyvoke/protocol"
)

func contextOf(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithCancel(context.WithoutCancel(t.Context()))
}

// span returns a span that is kept.
func span(name string) *Span {
	tr := New(1, nil).child(protocol.Trace{})
	return &Span{Trace: tr, Name: name, Kind: kindServer, Begin: time.Now(), End: time.Now()}
}

// TestRetry has a collector that is away for a moment.
func TestRetry(t *testing.T) {
	r := newReceiver(t)
	busy := func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }
	cut := func(http.ResponseWriter) { panic(http.ErrAbortHandler) }
	r.answers = append(r.answers, busy, cut)
	e, end := r.exporter(t, nil)
	e.Put(span("kept"))
	if got := r.next(t); len(got) != 1 || got[0].Name != "kept" {
		t.Errorf("%v came", got)
	}
	end()
	if exported, dropped := e.Counts(); exported != 1 || dropped != 0 {
		t.Errorf("%d exported, %d dropped", exported, dropped)
	}
}

// TestRefused has a collector that will never take a request, or takes a part of it.
func TestRefused(t *testing.T) {
	partial := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 1)
	partial = appendText(partial, 2, "no\x1b[31m such thing")
	answer := appendMessage(nil, 1, partial)
	for name, row := range map[string]struct {
		answer            func(http.ResponseWriter)
		exported, dropped uint64
	}{
		"bad request": {func(w http.ResponseWriter) { w.WriteHeader(400) }, 0, 3},
		"elsewhere":   {func(w http.ResponseWriter) { w.Header().Set("Location", "/x"); w.WriteHeader(307) }, 0, 3},
		"a part":      {func(w http.ResponseWriter) { _, _ = w.Write(answer) }, 2, 1},
		"garbage":     {func(w http.ResponseWriter) { _, _ = w.Write([]byte("\xff\xff\xff{}")) }, 3, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t)
			r.answers = append(r.answers, row.answer)
			e, end := r.exporter(t, func(c *Config) { c.Batch = time.Hour })
			for range 3 {
				e.Put(span("x"))
			}
			end()
			if exported, dropped := e.Counts(); exported != row.exported || dropped != row.dropped {
				t.Errorf("%d exported, %d dropped; want %d, %d", exported, dropped, row.exported, row.dropped)
			}
		})
	}
}

// TestAway hands over more than there is room for while nobody takes it. Put does not wait, and nothing is lost without
// being counted.
func TestAway(t *testing.T) {
	r := newReceiver(t)
	r.Close()
	e, end := r.exporter(t, nil)
	const spans = 2 * queueSize
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range spans / 4 {
				e.Put(span("x"))
			}
		})
	}
	all.Wait()
	end()
	if exported, dropped := e.Counts(); exported != 0 || dropped != spans {
		t.Errorf("%d exported, %d dropped", exported, dropped)
	}
}

// TestHammerExporter has many goroutines hand over spans, which all come or are counted.
func TestHammerExporter(t *testing.T) {
	r := newReceiver(t)
	got := 0
	counted := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(counted)
		for {
			select {
			case d := <-r.requests:
				got += len(d.ResourceSpans[0].ScopeSpans[0].Spans)
			case <-ended:
				for len(r.requests) > 0 {
					d := <-r.requests
					got += len(d.ResourceSpans[0].ScopeSpans[0].Spans)
				}
				return
			}
		}
	}()
	e, end := r.exporter(t, nil)
	var all sync.WaitGroup
	const each = 2000
	for range 8 {
		all.Go(func() {
			for range each {
				e.Put(span("x"))
			}
		})
	}
	all.Wait()
	end()
	close(ended)
	<-counted
	if exported, dropped := e.Counts(); exported+dropped != 8*each || uint64(got) != exported || exported == 0 {
		t.Errorf("%d exported, %d dropped, %d came", exported, dropped, got)
	}
}

func TestTracesURL(t *testing.T) {
	for in, out := range map[string]string{
		"http://127.0.0.1:4318":                 "http://127.0.0.1:4318/v1/traces",
		"http://127.0.0.1:4318/":                "http://127.0.0.1:4318/v1/traces",
		"https://example.org/otlp":              "https://example.org/otlp/v1/traces",
		"https://example.org/x/v1/traces?key=1": "https://example.org/x/v1/traces?key=1",
		"localhost:4318":                        "",
		"grpc://example.org":                    "",
		"http://":                               "",
		"http://[":                              "",
		"":                                      "",
	} {
		got, err := TracesURL(in)
		if got != out || (err == nil) != (out != "") || err != nil && protocol.CodeOf(err) != protocol.CodeBadRequest {
			t.Errorf("%q is %q, %v; want %q", in, got, err, out)
		}
	}
}

func FuzzRejected(f *testing.F) {
	f.Add([]byte("\x0a\x06\x08\x01\x12\x02no"))
	f.Fuzz(func(_ *testing.T, b []byte) { rejected(b) })
}
