package console

import (
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
)

// TestPages looks at every view of a console whose functions have done something.
func TestPages(t *testing.T) {
	b := start(t)
	b.deploy("greet", func(f *protocol.Function) {
		f.Language, f.Env = "C", map[string]string{"WHO": "<b>Ada</b>"}
		f.HTTP = []protocol.HTTPRoute{{Route: "POST /greet/{name}"}}
		f.Triggers = []protocol.Trigger{{Subject: "greet.*"}, {Schedule: "30 6 * * 1-5", Zone: "Europe/Berlin"}}
		f.Job = &protocol.Job{Attempts: 2, Backoff: protocol.Backoff{First: protocol.MinBackoff, Most: protocol.MinBackoff}}
	})
	b.Call("fn.greet", []byte("hello"))
	b.Call("fn.greet.exit.65", nil, func(r *protocol.Request) { r.ID = "seven" })
	b.Call("fn.greet.lines.3", nil, func(r *protocol.Request) { r.ID = "eight" })
	dead := b.job("greet", `{"order": 42}`, "exit", "65")
	done := b.job("greet", "fine")

	b.wants(b.get("/_/"), `href="/_/functions/greet"`, "polyvoke new go hello", "1.2.3")
	b.wants(b.eventually("/_/functions/greet", "bad request"), "POST /greet/{name}", "greet.*", "&lt;b&gt;Ada&lt;/b&gt;",
		"30 6 * * 1-5", "job.greet", "fn.greet", "concurrency", "class=\"bar", "calls in this process", `class="text">e<`)
	b.wants(b.get("/_/calls"), "greet", "400 bad request", `href="/_/calls/1"`)
	b.wants(b.get("/_/calls?failed=1"), "400 bad request")
	b.wants(b.get("/_/calls/seven"), "greet", "exit 65", "playground?call=")
	b.wants(b.eventually("/_/calls/eight", `class="text">e<`), "stderr")
	b.wants(b.get("/_/playground?call=seven"), `value="greet"`, "exit.65")
	b.wants(b.get("/_/upload"), "Drop files")
	b.wants(b.eventually("/_/dead", dead), "verdict", "Redrive all")
	b.wants(b.get("/_/dead/"+dead), "42", "bad data", "Redrive")
	b.wants(b.get("/_/dead?q=order"), dead)
	b.wants(b.get("/_/dead?q=nowhere"), "No dead letter like this")
	b.wants(b.eventually("/_/jobs?state=done", done), "done")
	b.wants(b.eventually("/_/jobs/"+done, "fine"), "Story")
	b.wants(b.get("/_/jobs?q=42&function=greet"), "")
	b.wants(b.get("/_/schedules"), "30 6 * * 1-5", "Europe/Berlin", "CE")
	b.wants(b.get("/_/connections"), "No connections", "[[websocket]]")
	b.wants(b.get("/_/runtimes"), "javascript", "lua")
	b.wants(b.get("/_/invokers"), "127.0.0.1", "longest message")
	b.wants(b.get("/_/languages"), `href="/_/languages/go"`)
	b.wants(b.get("/_/languages/go"), "package main", "polyvoke new go hello", "GOOS=wasip1", "sockets")
	b.wants(b.get("/_/languages/python"), "import", "runtime")
}

// TestMissing checks that what is not there is said, with the right status.
func TestMissing(t *testing.T) {
	b := start(t)
	for path, status := range map[string]int{
		"/_/functions/none": 404, "/_/functions/a.b": 400, "/_/calls/7": 404, "/_/calls/x": 404, "/_/jobs/none.1": 404,
		"/_/jobs/x": 400, "/_/dead/none.1": 404, "/_/languages/cobol": 404, "/_/static/none": 404, "/_/else": 404,
		"/_/live/functions/a%20b": 400,
	} {
		resp, text := b.do(b.request(http.MethodGet, path, nil))
		if resp.StatusCode != status {
			t.Errorf("%s: %s, want %d\n%s", path, resp.Status, status, text)
		}
	}
	b.wants(b.get("/_/"), "No function yet")
	b.wants(b.get("/_/calls"), "No calls yet")
	b.wants(b.get("/_/jobs"), "polyvoke job run")
	b.wants(b.get("/_/schedules"), "No schedules")
}

// TestStrangers checks that nothing that a function, or a caller, has written is markup, or hides.
func TestStrangers(t *testing.T) {
	b := start(t)
	b.deploy("evil", func(f *protocol.Function) {
		f.Language = "<img src=x>"
		f.Args = []string{"\x1b[31m</code>\u202e"}
	})
	const text = "<script>alert(1)</script>\x1b[2J\u202e"
	b.Call("fn.evil", []byte(text), func(r *protocol.Request) { r.ID = "x\"><b>" })
	page := b.get("/_/functions/evil") + b.get("/_/") + b.get("/_/calls") +
		b.post("/_/playground", url.Values{"function": {"evil"}, "args": {"echo"}, "body": {text}})
	// A field has what was typed.
	page = regexp.MustCompile(`(?s)(<textarea[^>]*>).*?</textarea>`).ReplaceAllString(page, "$1")
	for _, bad := range []string{"<img", "<script>alert", "\x1b", "\u202e", `x"><b>`} {
		if strings.Contains(page, bad) {
			t.Errorf("a page has %q", bad)
		}
	}
	b.wants(page, "␛[31m", "⟨U&#43;202E⟩", "&lt;img src=x&gt;", "&lt;script&gt;alert(1)&lt;/script&gt;␛[2J")
}

// TestPlayground makes calls in all ways.
func TestPlayground(t *testing.T) {
	b := start(t)
	b.deploy("greet")
	b.wants(b.post("/_/playground", url.Values{"function": {"greet"}, "body": {`{"a":[1,2]}`}}),
		"OK", "&#34;a&#34;: [\n", "Report", "fuel", "JSON", "nats req fn.greet")
	b.wants(b.post("/_/playground", url.Values{"function": {"greet"}, "args": {"lines.2"}}), `class="text">e<`, "stderr")
	b.wants(b.post("/_/playground", url.Values{"function": {"greet"}, "args": {"exit.65"}}), "400 bad request", "exit 65")
	b.wants(b.post("/_/playground", url.Values{"function": {"greet"}, "args": {"cat./request/headers/x"},
		"headers": {"X: from the form"}}), "from the form")
	b.wants(b.post("/_/playground", url.Values{"function": {"greet"}, "via": {"http"}, "method": {"POST"},
		"path": {"/fn/greet"}, "body": {"over HTTP"}, "headers": {"X-Greeting: hello"}}), "200 OK", "over HTTP", "X-Greeting",
		"curl -X POST")
	b.wants(b.post("/_/playground", url.Values{"function": {"greet"}, "via": {"job"}, "body": {"x"}}), "/_/jobs/greet.")
	for _, c := range []struct {
		form url.Values
		want string
	}{
		{url.Values{"function": {"none"}}, "none"},
		{url.Values{"function": {"a b"}}, "name"},
		{url.Values{"function": {"greet"}, "headers": {"no colon"}}, "write Name: value"},
		{url.Values{"function": {"greet"}, "timeout": {"long"}}, "long"},
		{url.Values{"function": {"greet"}, "via": {"http"}, "path": {"http://elsewhere/"}}, "begins with a slash"},
		{url.Values{"function": {"greet"}, "via": {"http"}, "path": {"/fn/greet"}, "method": {"A B"}}, "invalid method"},
	} {
		b.wants(b.post("/_/playground", c.form), `role="alert"`, c.want)
	}
}

// slow is a connection on which everything goes a while after it was said.
type slow struct{ net.Conn }

// Dial implements nats.CustomDialer.
func (slow) Dial(network, address string) (net.Conn, error) {
	c, err := net.Dial(network, address)
	return slow{c}, err
}

// Write implements net.Conn.
func (s slow) Write(p []byte) (int, error) {
	time.Sleep(30 * time.Millisecond)
	return s.Conn.Write(p)
}

// TestPlaygroundLines shows what a call has written to its log even if that comes after the reply, on another connection
// of the invoker.
func TestPlaygroundLines(t *testing.T) {
	b := startWith(t, 0)
	own, err := jetstream.New(invokertest.Connect(t, b.NATS, nats.SetCustomDialer(slow{})))
	if err != nil {
		t.Fatal(err)
	}
	v := b.StartInvoker(func(v *invoker.Invoker) { v.JetStream = own })
	b.deploy("greet")
	b.wants(b.post("/_/playground", url.Values{"function": {"greet"}, "args": {"lines.2"}}), `class="text">e<`, "stderr")
	if err := v.Stop(); err != nil { // before its connection does
		t.Error(err)
	}
}

// TestDeadLetters redrives and removes dead letters, and cancels a job.
func TestDeadLetters(t *testing.T) {
	b := start(t)
	b.deploy("f", func(f *protocol.Function) { f.Job = &protocol.Job{} })
	first, second := b.job("f", "one", "exit", "65"), b.job("f", "two", "exit", "65")
	b.eventually("/_/dead", first)
	b.eventually("/_/dead", second)
	b.wants(b.post("/_/dead", url.Values{"do": {"redrive"}}), "No letter is chosen")
	b.wants(b.post("/_/dead", url.Values{"do": {"drop"}, "job": {first}}), "Removed: 1 dead letter.")
	b.wants(b.post("/_/dead", url.Values{"do": {"redrive"}, "which": {"function"}, "of": {"f"}}),
		"Given back to the queue: 1 dead letter.")
	b.eventually("/_/dead", second) // it dies again

	b.wants(b.post("/_/functions/f/queue", url.Values{"do": {"pause"}}), "The queue is paused")
	waits := b.job("f", "three")
	b.wants(b.post("/_/jobs/"+waits+"/cancel", nil), "is cancelled")
	b.wants(b.post("/_/jobs/"+waits+"/cancel", nil), "banner bad")
	b.wants(b.post("/_/functions/f/queue", url.Values{"do": {"resume"}}), "gives jobs away again")
}
