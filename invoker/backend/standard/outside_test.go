package standard_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/backend/backendtest"
	"github.com/polyvoke/polyvoke/invoker/backend/secrets"
	"github.com/polyvoke/polyvoke/invoker/backend/standard"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// value is a secret that nobody may see but the function.
const value = "hunter22-and-more"

// outside is a service whose functions can be granted all that is outside of it.
type outside struct {
	*invokertest.Server
	*testing.T
	invoker *invokertest.Invoker
	dir     string // of secrets

	mu   sync.Mutex
	seen []*nats.Msg // all that is published but replies
}

// jetStream returns that of a connection of its own.
func (o *outside) jetStream() jetstream.JetStream {
	js, err := jetstream.New(o.Connect())
	if err != nil {
		o.Fatal(err)
	}
	return js
}

// serve starts a service with a secret.
func serve(t *testing.T) *outside {
	t.Helper()
	o := &outside{T: t, dir: t.TempDir()}
	o.secret("API_KEY", value)
	o.Server = invokertest.Start(t, func(c *invokertest.Config) { c.Invokers, c.Stderr = 0, false })
	o.invoker = o.StartInvoker(func(v *invoker.Invoker) {
		v.Slots = 1
		granted, end := standard.New(standard.Config{JetStream: o.jetStream(), Conn: o.Connect(), Caller: v,
			Secrets: secrets.Folder{Dir: o.dir}})
		t.Cleanup(end)
		v.Backend = granted
	})
	nc := o.Connect()
	if _, err := nc.Subscribe(">", func(m *nats.Msg) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if !strings.HasPrefix(m.Subject, "_INBOX.") {
			o.seen = append(o.seen, m)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return o
}

// secret writes a secret, at once.
func (o *outside) secret(name, value string) {
	o.Helper()
	file := filepath.Join(o.dir, name)
	if err := errors.Join(os.WriteFile(file+".new", []byte(value), 0o600), os.Rename(file+".new", file)); err != nil {
		o.Fatal(err)
	}
}

// clerk deploys a function that does with files what it is told.
func (o *outside) clerk(name string, f protocol.Function) {
	o.Helper()
	o.Deploy(name, backendtest.Clerk(), func(to *protocol.Function) {
		f.Name = name
		*to = f
	})
}

// await waits for a message that a subject and a text are of.
func (o *outside) await(subject, text string) {
	o.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		o.mu.Lock()
		for _, m := range o.seen {
			if m.Subject == subject && strings.Contains(string(m.Data), text) {
				o.mu.Unlock()
				return
			}
		}
		o.mu.Unlock()
		_ = o.Conn.FlushTimeout(time.Second) // a round trip passes meanwhile
	}
	o.Errorf("%q was not published on %s", text, subject)
}

// TestSecret has functions of each start kind read a secret, before and after stdin, and log it. Nothing that leaves
// the invoker has it, but what the function replies, and no start kind keeps it.
func TestSecret(t *testing.T) {
	o := serve(t)
	granted := []protocol.Grant{{Secret: "API_KEY"}}
	last := value
	for _, kind := range protocol.StartKinds() {
		for _, before := range []bool{false, true} {
			name := fmt.Sprint(kind, "-", before)
			f := protocol.Function{Start: kind, Grants: granted, Env: map[string]string{}}
			if before {
				f.Env["BEFORE"] = "/secret/API_KEY"
			}
			if before && (kind == protocol.StartPrefork || kind == protocol.StartCheckpoint) {
				f.Name = name
				if _, err := o.Client.Deploy(t.Context(), f, backendtest.Clerk()); protocol.CodeOf(err) != protocol.CodeRefused {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			o.clerk(name, f)
			o.reads(name, last)
			last = fmt.Sprintf("%s in %s", value, name)
			o.secret("API_KEY", last)
			o.reads(name, last)
		}
	}
	o.clean()
}

// reads checks that a function soon has a value of the secret, and that its log does not.
func (o *outside) reads(name, want string) {
	o.Helper()
	const get = "get /secret/API_KEY\n"
	for end := time.Now().Add(time.Minute); ; {
		r := o.Call("fn."+name, []byte(get), func(r *protocol.Request) { r.Report = true })
		if r.Err != nil {
			o.Fatalf("%s: %v", name, r.Err)
		}
		if first, _, _ := strings.Cut(string(r.Body), "\n"); first == want {
			if start := r.Report.Start; strings.HasSuffix(name, "true") && start != protocol.StartFresh &&
				start != protocol.StartReset {
				o.Errorf("%s has read a secret in advance: its start kind is %s", name, start)
			}
			break
		}
		if time.Now().After(end) {
			o.Fatalf("%s has %q, and not %q", name, r.Body, want)
		}
	}
	order := get + "log the key is " + want + "\n"
	if r := o.Call("fn."+name, []byte(order)); r.Err != nil {
		o.Fatalf("%s: %v", name, r.Err)
	}
	o.await("log."+name, "the key is "+secrets.Hidden)

	failing := protocol.Request{Function: protocol.Ref{Name: name}, Body: []byte(order + "exit 65\n"), Record: true}
	r := o.invoker.Invoke(context.Background(), &failing)
	if r.Err == nil || !bytes.Contains(r.Body, []byte("the key is "+secrets.Hidden)) {
		o.Errorf("%s fails with %v, %q", name, r.Err, r.Body)
	}
	doc, err := json.Marshal(r.Recording.Stderr)
	if err != nil || bytes.Contains(r.Body, []byte(want)) || strings.Contains(r.Err.Error(), want) ||
		bytes.Contains(doc, []byte(value)) || bytes.Contains(r.Recording.Stderr.Kept, []byte(want)) {
		o.Errorf("%s: the secret is in its error %v, %q, or its recording %s", name, r.Err, r.Body, doc)
	}
	info, err := o.Client.Info(context.Background(), name)
	if doc, _ := json.Marshal(info); err != nil || bytes.Contains(doc, []byte(value)) {
		o.Errorf("%s: the secret is in %s, %v", name, doc, err)
	}
}

// clean checks that no message has a secret, besides those that the test has sent, nor the invoker's log.
func (o *outside) clean() {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := 0
	for _, m := range o.seen {
		if strings.HasPrefix(m.Subject, "fn.") {
			continue
		}
		if strings.HasPrefix(m.Subject, "log.") {
			lines++
		}
		if bytes.Contains(m.Data, []byte(value)) || strings.Contains(fmt.Sprint(m.Header), value) {
			o.Errorf("%s: %q, %v", m.Subject, m.Data, m.Header)
		}
	}
	if lines == 0 {
		o.Error("no line of a log was seen")
	}
	if strings.Contains(o.invoker.Logged(), value) {
		o.Error("it is in the invoker's log")
	}
}

// TestSecretMissing deploys what wants a secret that there is not, and takes one away.
func TestSecretMissing(t *testing.T) {
	o := serve(t)
	f := protocol.Function{Name: "f", Grants: []protocol.Grant{{Secret: "NONE"}}}
	_, err := o.Client.Deploy(t.Context(), f, backendtest.Clerk())
	if protocol.CodeOf(err) != protocol.CodeRefused || !strings.Contains(err.Error(), "secret NONE is missing") {
		t.Errorf("the error is %v", err)
	}
	if strings.Contains(fmt.Sprint(err), o.dir) {
		t.Errorf("the error names the folder: %v", err)
	}
	o.secret("NONE", value)
	o.clerk("f", f)
	if r := o.Call("fn.f", []byte("ls /secret\nget /secret/NONE\nget /secret/API_KEY\n")); string(r.Body) !=
		"NONE\n"+value+"\n-\n" {
		t.Errorf("%q, %v", r.Body, r.Err)
	}
}

// TestFunction calls a function by a file, with one slot for all, and many at once.
func TestFunction(t *testing.T) {
	o := serve(t)
	o.Deploy("echo", runtimestest.Wasm())
	o.Deploy("fail", runtimestest.Wasm(), func(f *protocol.Function) { f.Args = []string{"exit", "66"} })
	o.clerk("caller", protocol.Function{Grants: []protocol.Grant{{Fn: "echo"}, {Fn: "fail"}},
		Limits: protocol.Limits{Timeout: protocol.Duration(time.Minute)}})
	const order = "put /fn/echo Hello\nget /fn/echo\nls /fn\nhas /fn/caller\n"
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			r, err := o.Client.Call(context.Background(), &protocol.Request{Function: protocol.Ref{Name: "caller"},
				Body: []byte(order), Report: true, ID: "seven"})
			if err != nil || r.Err != nil || string(r.Body) != "Hello\necho\nfail\n0\n" || r.Report.Writes != 1 {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	wg.Wait()
	r := o.Call("fn.caller", []byte("get /fn/fail\n"))
	if r.Err == nil || r.Exit != 74 {
		t.Errorf("%q, %v", r.Body, r.Err)
	}
	o.await("log.caller", "/fn/fail: code 404")
	// what nobody has read the reply of is called in the end
	r = o.Call("fn.caller", []byte("put /fn/fail x\n"))
	if r.Err == nil || r.Err.Code != protocol.CodeBadOutput {
		t.Errorf("%q, %v", r.Body, r.Err)
	}
}

// TestMessages publishes by files, if the process succeeds.
func TestMessages(t *testing.T) {
	o := serve(t)
	o.clerk("seller", protocol.Function{Grants: []protocol.Grant{{Pub: "orders.*.new"}, {Pub: "bills.>"}}})
	if r := o.Call("fn.seller", []byte("put /pub/orders/eu/new dropped\nexit 1\n")); r.Exit != 1 {
		t.Errorf("%+v", r)
	}
	if r := o.Call("fn.seller", []byte("put /pub/orders.eu.new dropped\ntrap\n")); r.Err == nil {
		t.Errorf("%+v", r)
	}
	r := o.Call("fn.seller", []byte("put /pub/orders/eu/new one\nappend /pub/bills/a/b two\nls /pub\nhas /pub/orders/eu/old\n"))
	if r.Err != nil || string(r.Body) != "bills\norders\n0\n" {
		t.Errorf("%q, %v", r.Body, r.Err)
	}
	o.await("orders.eu.new", "one")
	o.await("bills.a.b", "two")
	for _, order := range []string{"get /pub/bills/a", "put /pub/fn/seller x", "put /pub/orders/eu/old x", "put /pub/_INBOX/x x"} {
		if r := o.Call("fn.seller", []byte(order+"\n")); r.Exit != 74 {
			t.Errorf("%s: %+v", order, r)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.seen {
		if bytes.Contains(m.Data, []byte("dropped")) && !strings.HasPrefix(m.Subject, "fn.") {
			t.Errorf("%s: %q was sent", m.Subject, m.Data)
		}
	}
}
