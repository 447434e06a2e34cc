package console

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// event is what a stream has sent.
type event struct {
	name string
	data map[string]any
}

// listen opens a stream of events, which ends with ctx, and returns what comes.
func (b *bench) listen(ctx context.Context, path string) <-chan event {
	b.t.Helper()
	r := b.request(http.MethodGet, path, nil).WithContext(ctx)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		b.t.Fatalf("%s: %s, %v", path, resp.Status, resp.Header)
	}
	events := make(chan event)
	go func() {
		defer close(events)
		defer resp.Body.Close()
		var e event
		for lines := bufio.NewReader(resp.Body); ; {
			l, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			if name, ok := strings.CutPrefix(l, "event: "); ok {
				e.name = strings.TrimSpace(name)
			}
			if data, ok := strings.CutPrefix(l, "data: "); ok {
				e.data = nil
				_ = json.Unmarshal([]byte(data), &e.data)
				select {
				case events <- e:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return events
}

// TestEvents checks that a page hears of what is new, and only of what has changed, and that streams end with the
// console, and are not too many.
func TestEvents(t *testing.T) {
	b := start(t)
	b.deploy("first")
	ctx, end := context.WithCancel(t.Context())
	defer end()
	events := b.listen(ctx, "/_/live/functions")
	rows := func(key string) {
		t.Helper()
		for e := range events {
			if changed, _ := e.data["rows"].(map[string]any); e.name == "rows" && changed[key] != nil {
				return
			}
		}
		t.Fatalf("the stream has ended without %s", key)
	}
	rows("first")
	b.deploy("second")
	rows("second")
	b.Call("fn.first", []byte("x"))
	rows("first") // its figures

	calls := b.listen(ctx, "/_/live/calls")
	for e := range calls {
		if e.name == "rows" {
			break
		}
	}
	b.Call("fn.second.exit.65", []byte("kept"))
	for e := range calls {
		if html, _ := json.Marshal(e.data); strings.Contains(string(html), "400 bad request") {
			break
		}
	}
	if c := b.calls.Last(1, nil)[0]; string(c.Body) != "kept" {
		t.Errorf("while somebody looks, a body is kept: %q", c.Body)
	}

	lines := b.listen(ctx, "/_/live/functions/second")
	for e := range lines {
		if e.name == "part" {
			break
		}
	}
	b.Call("fn.second.lines.1", nil)
	for e := range lines {
		if e.name == "lines" {
			break
		}
	}
}

// TestStreamsAreBounded opens as many streams as there can be, and one more.
func TestStreamsAreBounded(t *testing.T) {
	b := start(t)
	for range maxStreams {
		b.console.streams <- struct{}{}
	}
	resp, text := b.do(b.request(http.MethodGet, "/_/live/functions", nil))
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%s %s", resp.Status, text)
	}
	<-b.console.streams
	r := b.request(http.MethodGet, "/_/live/functions", nil)
	stream, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	b.console.end.Do(func() { close(b.console.ended) }) // as the end of Serve does
	if _, err := io.Copy(io.Discard, stream.Body); err != nil {
		t.Errorf("the stream has not ended in order: %v", err)
	}
}
