package traces

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// The bounds of the exporter; the first three are the defaults of OpenTelemetry's own.
const (
	queueSize   = 2048                   // spans that wait; more are dropped
	batchSize   = 512                    // spans of one request
	batchTime   = 5 * time.Second        // that a span waits for others
	exportTime  = 10 * time.Second       // that one request may take
	tries       = 3                      // of one request
	firstPause  = 500 * time.Millisecond // between the first two
	longestRest = 30 * time.Second       // that a collector can ask for
	farewell    = 5 * time.Second        // for what waits at the end
	mostAnswer  = 64 << 10               // bytes of an answer that are read
)

// Config says where spans go.
type Config struct {
	// Endpoint is where they are posted, as TracesURL returns it. It must be set.
	Endpoint string
	// Header has headers of each request, such as Authorization.
	Header http.Header
	// Service is the resource's service.name. Empty means polyvoke.
	Service string
	// Instance is the resource's service.instance.id, and Version its service.version. Empty means none.
	Instance, Version string
	// Resource has more attributes of the resource.
	Resource []Attribute
	// Batch is how long a span waits for others. 0 means five seconds.
	Batch time.Duration
	// Client makes the requests. Nil means one that follows no redirections.
	Client *http.Client
	// Log takes what operators should know. Nil discards it.
	Log *slog.Logger
}

// Exporter posts spans to a collector, many at a time. Nothing waits for it: what it has no room for is dropped, and
// counted. Its methods may be called from several goroutines; Run is called once.
type Exporter struct {
	c        Config
	resource []Attribute
	queue    chan *Span
	exported atomic.Uint64
	dropped  atomic.Uint64
	away     bool // the collector was, the last time
}

// NewExporter returns an exporter. Nothing is sent before Run.
func NewExporter(c Config) *Exporter {
	c.Batch = cmp.Or(c.Batch, batchTime)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Client == nil {
		c.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	resource := append([]Attribute{{Key: "service.name", Text: cmp.Or(c.Service, "polyvoke")}}, c.Resource...)
	for _, a := range []Attribute{{Key: "service.instance.id", Text: c.Instance}, {Key: "service.version", Text: c.Version},
		{Key: "telemetry.sdk.name", Text: "polyvoke"}, {Key: "telemetry.sdk.language", Text: "go"}} {
		if a.Text != "" {
			resource = append(resource, a)
		}
	}
	return &Exporter{c: c, resource: resource, queue: make(chan *Span, queueSize)}
}

// TracesURL returns where traces are posted for a base URL of a collector, as OTEL_EXPORTER_OTLP_ENDPOINT has it. The
// error's code is 400.
func TracesURL(base string) (string, error) {
	const path = "/v1/traces"
	u, err := url.Parse(base)
	switch {
	case err != nil:
		return "", protocol.Errorf(protocol.CodeBadRequest, "", "%v", err)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return "", protocol.Errorf(protocol.CodeBadRequest, "",
			"%.200q is no URL of a collector: write http://HOST:4318 or https://HOST", base)
	case !strings.HasSuffix(u.Path, path):
		u.Path = strings.TrimSuffix(u.Path, "/") + path
	}
	return u.String(), nil
}

// Put hands over a span, which must not be changed afterwards. It does not wait.
func (e *Exporter) Put(s *Span) {
	select {
	case e.queue <- s:
	default:
		e.dropped.Add(1)
	}
}

// Counts returns how many spans have been exported, and how many were dropped.
func (e *Exporter) Counts() (exported, dropped uint64) { return e.exported.Load(), e.dropped.Load() }

// Run exports spans until ctx ends, and then those that wait, within five seconds.
func (e *Exporter) Run(ctx context.Context) {
	working, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(farewell, end) })()
	for {
		select {
		case first := <-e.queue:
			e.export(working, ctx.Done(), e.gather(ctx, first))
			continue
		default:
		}
		select {
		case first := <-e.queue:
			e.export(working, ctx.Done(), e.gather(ctx, first))
		case <-ctx.Done():
			if len(e.queue) == 0 {
				return
			}
		}
	}
}

// gather returns a span and those that come soon.
func (e *Exporter) gather(ctx context.Context, first *Span) []*Span {
	all := []*Span{first}
	t := time.NewTimer(e.c.Batch)
	defer t.Stop()
	for len(all) < batchSize {
		select {
		case s := <-e.queue:
			all = append(all, s)
			continue
		default:
		}
		select {
		case s := <-e.queue:
			all = append(all, s)
		case <-t.C:
			return all
		case <-ctx.Done():
			return all
		}
	}
	return all
}

// export posts spans, a few times if need be. Once hurry is closed it makes no pauses.
func (e *Exporter) export(ctx context.Context, hurry <-chan struct{}, spans []*Span) {
	body := encode(e.resource, "polyvoke", e.c.Version, spans)
	pause := firstPause
	for try := 1; ; try++ {
		refused, rest, err := e.post(ctx, body)
		if err == nil {
			refused = min(refused, uint64(len(spans)))
			e.exported.Add(uint64(len(spans)) - refused)
			e.dropped.Add(refused)
			e.report(nil)
			return
		}
		if rest < 0 || try == tries || ctx.Err() != nil {
			e.dropped.Add(uint64(len(spans)))
			e.report(err)
			return
		}
		select {
		case <-time.After(max(pause, rest)):
		case <-hurry:
		}
		pause *= 2
	}
}

// report tells the operator of a collector that is away, and that it is back.
func (e *Exporter) report(err error) {
	switch {
	case err != nil && !e.away:
		e.c.Log.Warn("traces are dropped: the collector does not take them", "otlp", redact(e.c.Endpoint), "err", err)
	case err == nil && e.away:
		e.c.Log.Info("the collector takes traces again", "otlp", redact(e.c.Endpoint))
	}
	e.away = err != nil
}

// redact returns a URL without a password.
func redact(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	return u.Redacted()
}

// post posts a request once. rest is how long to wait before the next try, or negative if there is no use in one.
func (e *Exporter) post(ctx context.Context, body []byte) (refused uint64, rest time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, exportTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.c.Endpoint, bytes.NewReader(body))
	if err != nil {
		return 0, -1, err
	}
	for name, values := range e.c.Header {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	answer, err := e.c.Client.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // the rest is in the log line already
		}
		return 0, 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, mostAnswer))
	switch answer.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		if err != nil {
			return 0, 0, err
		}
		n, why := rejected(text)
		if n > 0 {
			e.c.Log.Warn("spans of traces were rejected by the collector", "spans", n, "err", clean(why))
		}
		return n, 0, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After")) // a date is rare: 0 will do
		rest = min(longestRest, time.Duration(max(0, min(seconds, 3600)))*time.Second)
	default:
		rest = -1
	}
	return 0, rest, fmt.Errorf("it answered %s", clean(answer.Status))
}
