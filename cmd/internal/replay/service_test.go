package replay_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/cmd/internal/interpreters"
	"github.com/polyvoke/polyvoke/cmd/internal/localrun"
	"github.com/polyvoke/polyvoke/cmd/internal/replay"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/backend/backendtest"
	"github.com/polyvoke/polyvoke/invoker/backend/secrets"
	"github.com/polyvoke/polyvoke/invoker/backend/standard"
	"github.com/polyvoke/polyvoke/invoker/bodies"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/invoker/jobs/recordings"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// recorded is an invoker that records, and what a client needs to run that again.
type recorded struct {
	*testing.T
	server   *invokertest.Server
	invoker  *invokertest.Invoker
	store    *recordings.Store
	replayer *localrun.Replayer
}

// start starts an invoker that answers the verbs of recordings.
func start(t *testing.T) *recorded {
	r := &recorded{T: t}
	r.server = invokertest.Start(t, func(c *invokertest.Config) { c.NATS.JetStream, c.Invokers = true, -1 })
	nc := r.server.Connect()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	reg, err := registry.Open(t.Context(), js, registry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	r.store = recordings.New(js, recordings.Config{Invoker: "here"})
	secret := t.TempDir()
	if err := os.WriteFile(filepath.Join(secret, "KEY"), []byte("correct horse"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.invoker = r.server.StartInvoker(func(v *invoker.Invoker) {
		v.Registry = reg
		b, end := standard.New(standard.Config{JetStream: js, Conn: nc, Caller: v, Secrets: secrets.Folder{Dir: secret}})
		t.Cleanup(end)
		v.Backend = b
		v.Verbs = r.store.Verbs(recordings.Modules{Module: reg.Module, Put: bodies.New(js, bodies.Config{}).PutBytes})
	})
	if r.replayer, err = localrun.NewReplayer(t.Context(), t.TempDir(), interpreters.Here()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.replayer.Close(t.Context()) })
	return r
}

// job runs a call as jobs do, and keeps its recording.
func (r *recorded) job(name, id string, body []byte, sampling protocol.Sampling, args ...string) *protocol.Reply {
	r.Helper()
	q := &protocol.Request{ID: id, Function: protocol.Ref{Name: name}, Subject: "job." + name, Args: args, Body: body,
		Header: protocol.Header{"Colour": {"blue"}}, Record: true}
	reply := r.invoker.Invoke(r.Context(), q)
	r.store.Keep(r.Context(), sampling, 1, reply.Recording)
	return reply
}

// again runs the recording of a job again, with a module, or with its own for nil.
func (r *recorded) again(name, id string, module []byte) (*protocol.Recording, *replay.Result) {
	r.Helper()
	rec, err := r.server.Client.Recording(r.Context(), protocol.ResultKey(name, id))
	if err != nil {
		r.Fatal(err)
	}
	if module == nil {
		if module, err = r.server.Client.Module(r.Context(), rec.Function.Digest); err != nil {
			r.Fatal(err)
		}
	}
	result := replay.New(rec, protocol.Digest(module))
	o, err := r.replayer.Run(r.Context(), rec, module)
	if err != nil {
		result.Skip(err)
	} else {
		result.Compare(rec, o)
	}
	return rec, result
}

// TestReplayOfService records calls of an invoker, and runs them again as a client of it.
func TestReplayOfService(t *testing.T) {
	r := start(t)
	all := protocol.Sampling{Share: 1}
	padded := append(bytes.Clone(runtimestest.Wasm()), append([]byte{0, 0xff, 0xff, 0x7f, 1, 'x'},
		make([]byte, 0x1fffff-2)...)...) // more than a message takes
	r.server.Deploy("probe", padded, func(f *protocol.Function) {
		f.Env, f.Limits.Fuel = map[string]string{"A": "b"}, 5e6
	})
	for _, c := range []struct {
		id   string
		body string
		args []string
		code int
	}{
		{"echo", "Hello", nil, 0},
		{"clocks", "", []string{"clocks"}, 0},
		{"entropy", "", []string{"entropy"}, 0},
		{"env", "", []string{"env"}, 0},
		{"header", "", []string{"cat", "/request/headers/colour"}, 0},
		{"deadline", "", []string{"cat", "/request/deadline"}, 0},
		{"id", "", []string{"cat", "/request/id"}, 0},
		{"exit", "", []string{"exit", "75"}, 503},
		{"trap", "", []string{"trap"}, 500},
		{"fuel", "", []string{"loop"}, 504},
	} {
		reply := r.job("probe", c.id, []byte(c.body), all, c.args...)
		if protocol.CodeOf(protocol.Failure(reply, nil)) != c.code {
			t.Errorf("%s: the call came to %v", c.id, reply.Err)
		}
		rec, result := r.again("probe", c.id, nil)
		if !result.Same || len(result.Differences) > 0 || rec.Invoker != "here" || rec.Attempt != 1 || rec.Code != c.code {
			var out bytes.Buffer
			result.Print(&out, terminal.PaintFor(&out, "never", os.Getenv), false)
			t.Errorf("%s: recorded by %q, attempt %d, code %d\n%s", c.id, rec.Invoker, rec.Attempt, rec.Code, &out)
		}
	}
	jobs, err := r.server.Client.Recordings(t.Context(), "probe", 2)
	if err != nil || strings.Join(jobs, " ") != "probe.trap probe.fuel" {
		t.Errorf("the last recordings are %q, error %v", jobs, err)
	}
}

// TestSampling checks which calls are kept, and what is said of those that are not.
func TestSampling(t *testing.T) {
	r := start(t)
	r.server.Deploy("probe", runtimestest.Wasm())
	failed := protocol.Sampling{Failed: true}
	r.job("probe", "good", nil, failed)
	r.job("probe", "bad", nil, failed, "exit", "1")
	if reply := r.job("nobody", "none", nil, failed); reply.Recording != nil {
		t.Error("a call without a process has a recording")
	}
	jobs, err := r.server.Client.Recordings(t.Context(), "probe", 0)
	if err != nil || strings.Join(jobs, " ") != "probe.bad" {
		t.Errorf("recorded are %q, error %v", jobs, err)
	}
	_, err = r.server.Client.Recording(t.Context(), "probe.good")
	if protocol.CodeOf(err) != protocol.CodeNotFound || !strings.Contains(err.Error(), `record = "failed"`) {
		t.Errorf("what was not recorded: %v", err)
	}
	for _, digest := range []string{protocol.Digest(nil), "sha256:x"} {
		if b, err := r.server.Client.Module(t.Context(), digest); err == nil {
			t.Errorf("the module %s is there: %d bytes", digest, len(b))
		}
	}
	plain := &protocol.Request{Function: protocol.Ref{Name: "probe"}}
	if reply := r.invoker.Invoke(t.Context(), plain); reply.Recording != nil {
		t.Error("a call that did not ask for it has a recording")
	}
}

// TestLeftOut records a call whose stdin is too long to be kept: it is kept without, and says so.
func TestLeftOut(t *testing.T) {
	r := start(t)
	r.server.Deploy("probe", runtimestest.Wasm())
	large := bytes.Repeat([]byte("x"), protocol.MaxRecordedStdin+1)
	r.job("probe", "large", large, protocol.Sampling{Share: 1})
	rec, result := r.again("probe", "large", nil)
	if rec.Stdin.Size != int64(len(large)) || rec.Stdin.Kept != nil || rec.Stdin.Digest != protocol.Digest(large) {
		t.Errorf("of stdin there are %d bytes of %d", len(rec.Stdin.Kept), rec.Stdin.Size)
	}
	if result.Same || !strings.Contains(result.Skipped, "stdin: its 262145 bytes are more than the 256KiB") {
		t.Errorf("got %+v", result)
	}
	_, result = r.again("probe", "large", []byte("no module"))
	if result.Same || result.Skipped == "" {
		t.Errorf("got %+v", result)
	}
}

// granted is a function with grants of several kinds.
func granted(f *protocol.Function) {
	f.Grants = []protocol.Grant{{KV: "stock", Access: protocol.AccessWrite, Create: true, MaxKeys: 3},
		{Obj: "images", Access: protocol.AccessWrite, Create: true}, {Tmp: 1 << 20}, {Secret: "KEY"}}
}

// TestReplayOfGrants records calls that read and write what they are granted, and runs them again when that is no
// longer what it was: they find what they have found.
func TestReplayOfGrants(t *testing.T) {
	r := start(t)
	r.server.Deploy("clerk", backendtest.Clerk(), granted)
	all := protocol.Sampling{Share: 1}
	for _, c := range []struct {
		id   string
		body string
		code int
	}{
		{"put", "put /kv/stock/tea 5\nput /obj/images/a abc\n", 0},
		{"add", "add /kv/stock/tea 7\nget /kv/stock/tea\nls /kv/stock\n", 0},
		{"read", "get /kv/stock/tea\nget /obj/images/a\nhas /kv/stock/none\nget /kv/stock/none\nstat /kv/stock/tea\n", 0},
		{"tmp", "put /tmp/a 1\nadd /tmp/a 2\nget /tmp/a\n", 0},
		{"name", "has /secret/KEY\nget /kv/stock/tea\n", 0},
		{"refused", "put /kv/stock/a/../b x\nput /none/x y\n", protocol.CodeFailed},
		{"away", "get /kv/stock/tea\nrm /kv/stock/tea\nexit 75\n", protocol.CodeUnavailable},
		{"quota", "put /kv/stock/a 1\nput /kv/stock/b 1\nput /kv/stock/c 1\nput /kv/stock/d 1\n", -1},
		{"gone", "rm /kv/stock/tea\nrm /obj/images/a\nls /kv/stock\n", 0},
	} {
		reply := r.job("clerk", c.id, []byte(c.body), all)
		if code := protocol.CodeOf(protocol.Failure(reply, nil)); c.code >= 0 && code != c.code || c.code < 0 && code == 0 {
			t.Errorf("%s: the call came to %v\n%s", c.id, reply.Err, reply.Body)
		}
	}
	for _, id := range []string{"put", "add", "read", "tmp", "name", "refused", "away", "quota", "gone"} {
		rec, result := r.again("clerk", id, nil)
		if !result.Same || len(result.Differences) > 0 || rec.Files == nil {
			var out bytes.Buffer
			result.Print(&out, terminal.PaintFor(&out, "never", os.Getenv), false)
			t.Errorf("%s: %s%v", id, &out, rec.LeftOut)
		}
	}
}

// TestGrantsLeftOut records calls of which no recording keeps what they have read.
func TestGrantsLeftOut(t *testing.T) {
	r := start(t)
	r.server.Deploy("clerk", backendtest.Clerk(), granted)
	all := protocol.Sampling{Share: 1}
	for id, body := range map[string]string{
		"secret": "put /kv/stock/tea horses\nsize /secret/KEY\nget /kv/stock/tea\n",
		"large":  "fill /obj/images/large 1000000\nget /obj/images/large\n",
	} {
		if reply := r.job("clerk", id, []byte(body), all); reply.Err != nil && id == "secret" {
			t.Errorf("%s: the call came to %v", id, reply.Err)
		}
		rec, result := r.again("clerk", id, nil)
		if rec.Files != nil || result.Same || !strings.Contains(result.Skipped, "not whole: files:") {
			t.Errorf("%s: %+v of %+v", id, result, rec.Files)
		}
	}
}
