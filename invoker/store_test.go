package invoker_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/bodies"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
)

// silent is a module that does nothing, in as many different ways as there are names.
func silent(name string) []byte {
	custom := "\x04mark" + name
	return []byte("\x00asm\x01\x00\x00\x00" +
		"\x01\x04\x01\x60\x00\x00" + // type: nothing to nothing
		"\x03\x02\x01\x00" + "\x05\x03\x01\x00\x01" + // one function, one page
		"\x07\x13\x02\x06memory\x02\x00\x06_start\x00\x00" +
		"\x0a\x04\x01\x02\x00\x0b" +
		"\x00" + string(rune(len(custom))) + custom)
}

// remembering gives an invoker a registry that keeps copies of modules.
func remembering(t testing.TB, s *server.Server) func(*invoker.Invoker) {
	return func(v *invoker.Invoker) {
		r, err := registry.Open(t.Context(), registrytest.JetStream(t, connect(t, s)),
			registry.Config{Copies: t.TempDir(), Log: v.Log})
		if err != nil {
			t.Fatal(err)
		}
		v.Registry = r
	}
}

// onTick asks a condition again and again.
func onTick(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	eventually(t, what, tick.C, ok)
}

// storeFiles returns the files of a stopped server's streams.
func storeFiles(t testing.TB, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.Contains(path, "streams") {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// flip changes one bit of a file, and says which.
func flip(t testing.TB, rng *rand.Rand, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) == 0 {
		return ""
	}
	at, bit := rng.IntN(len(b)), rng.IntN(8)
	b[at] ^= 1 << bit
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("bit %d of byte %d of %s", bit, at, path[strings.Index(path, "streams"):])
}

// With any bit of the store flipped while the server is down, the invoker comes to readiness, serves what
// the server still has, and takes deployments and removals; what is stored and not served is named in the log.
func TestFlippedBits(t *testing.T) {
	for seed := range uint64(16) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 7))
			dir := t.TempDir()
			at := func(o *server.Options) { o.StoreDir = dir }
			s := startServer(t, at)
			v := startInvoker(t, s)
			var names []string
			for i := range 8 {
				names = append(names, fmt.Sprint("f", i))
				deploy(t, connect(t, s), protocol.Function{Name: names[i]}, silent(fmt.Sprint(i/2)))
			}
			v.end(t)
			s.Shutdown()
			s.WaitForShutdown()
			files := storeFiles(t, dir)
			for range 1 + rng.IntN(2) {
				t.Log(flip(t, rng, files[rng.IntN(len(files))]))
			}

			s = startServer(t, at)
			v = startInvoker(t, s)
			nc := connect(t, s)
			for _, name := range names {
				_, err := v.Registry.Find(t.Context(), name)
				r, callErr := tryCall(nc, "fn."+name, nil)
				served := callErr == nil && r.Err == nil
				damaged := strings.Contains(v.log.String(), "function="+name+" ") ||
					strings.Contains(v.log.String(), "function="+name+"@1")
				switch {
				case served, protocol.CodeOf(err) == protocol.CodeNotFound: // the server has lost it without a trace
				case !damaged:
					t.Errorf("%s: stored (%v), not served (%v, %v), and not in the log:\n%s", name, err, r.Err, callErr, v.log)
				}
				_, err = control[protocol.RemoveReply](nc, about(protocol.APIRemove, name))
				if err != nil && protocol.CodeOf(err) != protocol.CodeNotFound {
					t.Errorf("remove %s: %v", name, err)
				}
				deploy(t, nc, protocol.Function{Name: name}, silent("new"))
				if r := call(t, nc, "fn."+name, nil); r.Err != nil {
					t.Errorf("%s, deployed again: %v", name, r.Err)
				}
			}
		})
	}
}

// about is a request of a verb about a function.
func about(verb protocol.APIVerb, name string) *nats.Msg {
	body, _ := json.Marshal(protocol.NameRequest{Name: name})
	return &nats.Msg{Subject: verb.Subject(), Data: body}
}

// Records that are damaged in ways that no checksum finds are named in the log and by list and info, and can be
// removed; the functions beside them are served.
func TestDamagedRecords(t *testing.T) {
	s := startServer(t)
	nc := connect(t, s)
	v := startInvoker(t, s)
	deploy(t, nc, protocol.Function{Name: "good"}, silent("good"))
	good, err := v.Registry.Find(t.Context(), "good")
	if err != nil {
		t.Fatal(err)
	}
	kv, err := registrytest.JetStream(t, nc).KeyValue(t.Context(), registry.BucketFunctions)
	if err != nil {
		t.Fatal(err)
	}
	damage := map[string]func(f *protocol.Function, b []byte) []byte{
		"empty":     func(_ *protocol.Function, b []byte) []byte { return nil },
		"truncated": func(_ *protocol.Function, b []byte) []byte { return b[:len(b)/2] },
		"notjson":   func(_ *protocol.Function, b []byte) []byte { b[0] ^= 4; return b },
		"control": func(_ *protocol.Function, b []byte) []byte {
			return bytes.Replace(b, []byte("sha256"), []byte("sha\x1b56"), 1)
		},
		"huge":     func(f *protocol.Function, b []byte) []byte { f.Version = 1 << 40; return nil },
		"negative": func(f *protocol.Function, b []byte) []byte { f.Version = -1; return nil },
		"size":     func(f *protocol.Function, b []byte) []byte { f.Size = -1; return nil },
		"limits":   func(f *protocol.Function, b []byte) []byte { f.Limits.Queue = -3; return nil },
		"digest":   func(f *protocol.Function, b []byte) []byte { f.Digest = "sha256:00"; return nil },
		"other":    func(f *protocol.Function, b []byte) []byte { f.Name = "good"; return nil },
	}
	for name, d := range damage {
		f := *good.Latest()
		f.Name = name
		b, _ := json.Marshal(registry.Entry{Name: name, Versions: []protocol.Function{f}})
		if changed := d(&f, slices.Clone(b)); changed != nil || name == "empty" {
			b = changed
		} else {
			b, _ = json.Marshal(registry.Entry{Name: name, Versions: []protocol.Function{f}})
		}
		if _, err := kv.Put(t.Context(), name, b); err != nil {
			t.Fatal(err)
		}
	}
	many := registry.Entry{Name: "many"}
	for i := range 3000 {
		f := *good.Latest()
		f.Name, f.Version = "many", i+1
		many.Versions = append(many.Versions, f)
	}
	damage["many"] = nil
	b, _ := json.Marshal(many)
	if _, err := kv.Put(t.Context(), "many", b); err != nil {
		t.Fatal(err)
	}

	v.end(t)
	v = startInvoker(t, s)
	if r := call(t, nc, "fn.good", nil); r.Err != nil {
		t.Errorf("good: %v", r.Err)
	}
	list, err := control[protocol.ListReply](nc, &nats.Msg{Subject: protocol.APIList.Subject()})
	if err != nil || len(list.Functions) != 1 || len(list.Damaged) != len(damage) {
		t.Fatalf("list: %+v, %v; want 1 function, %d damaged", list, err, len(damage))
	}
	for _, d := range list.Damaged {
		if damage[d.Name] == nil && d.Name != "many" || d.Reason == "" ||
			!strings.Contains(v.log.String(), "function="+d.Name) {
			t.Errorf("damaged: %+v", d)
		}
		_, err := control[protocol.InfoReply](nc, about(protocol.APIInfo, d.Name))
		if protocol.CodeOf(err) != protocol.CodeConflict {
			t.Errorf("info %s: %v", d.Name, err)
		}
		if _, err := control[protocol.RemoveReply](nc, about(protocol.APIRemove, d.Name)); err != nil {
			t.Errorf("remove %s: %v", d.Name, err)
		}
		deploy(t, nc, protocol.Function{Name: d.Name}, silent("good"))
		if r := call(t, nc, "fn."+d.Name, nil); r.Err != nil {
			t.Errorf("%s, deployed again: %v", d.Name, r.Err)
		}
	}
	list, err = control[protocol.ListReply](nc, &nats.Msg{Subject: protocol.APIList.Subject()})
	if err != nil || len(list.Functions) != 1+len(damage) || len(list.Damaged) != 0 {
		t.Errorf("afterwards: %+v, %v", list, err)
	}
}

// Whatever is deleted from JetStream under an invoker comes back by itself, while functions are served.
func TestStoreGoesWhileServing(t *testing.T) {
	s := startServer(t)
	v := startInvoker(t, s, remembering(t, s))
	nc := connect(t, s)
	js := registrytest.JetStream(t, nc)
	deployProbe(t, nc, "probe", protocol.Limits{Timeout: protocol.Duration(patience)})
	all := []string{protocol.StreamLog, bodies.Stream, "KV_" + registry.BucketFunctions, "OBJ_" + registry.BucketModules}
	for _, stream := range append(slices.Clone(all), "") {
		t.Run("without "+stream, func(t *testing.T) {
			gone := []string{stream}
			if stream == "" {
				gone = all
			}
			for _, name := range gone {
				if err := js.DeleteStream(t.Context(), name); err != nil {
					t.Fatal(err)
				}
			}
			if r := call(t, nc, "fn.probe", []byte("x")); r.Err != nil {
				t.Errorf("call: %v", r.Err)
			}
			if r := call(t, nc, "fn.probe.drip.1048600", nil); r.Err != nil || r.Claim == nil {
				t.Errorf("large reply: %v", r.Err)
			}
			onTick(t, "the streams' return", func() bool {
				for _, name := range gone {
					if _, err := js.Stream(t.Context(), name); err != nil {
						return false
					}
				}
				return true
			})
			onTick(t, "the record's return", func() bool {
				_, err := v.Registry.Find(t.Context(), "probe")
				return err == nil
			})
			onTick(t, "a line in the log", func() bool { return logged(t, nc, js) })
			name := fmt.Sprint("new", len(stream))
			deploy(t, nc, protocol.Function{Name: name}, silent(name))
			if r := call(t, nc, "fn."+name, nil); r.Err != nil {
				t.Errorf("call of what is new: %v", r.Err)
			}
		})
	}
	v.end(t)
	startInvoker(t, s) // without copies: the store has everything
	if r := call(t, nc, "fn.probe", []byte("x")); r.Err != nil {
		t.Errorf("after a restart: %v", r.Err)
	}
}

// logged reports whether what a call writes on stderr is kept.
func logged(t testing.TB, nc *nats.Conn, js jetstream.JetStream) bool {
	t.Helper()
	line := protocol.LogLine{Function: protocol.Ref{Name: "probe"}, Text: "a line"}
	h, body := line.Message()
	m := &nats.Msg{Subject: protocol.LogSubject("probe"), Header: nats.Header(h), Data: body}
	if err := nc.PublishMsg(m); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	str, err := js.Stream(t.Context(), protocol.StreamLog)
	return err == nil && str.CachedInfo().State.Msgs > 0
}

// A deployment costs the store as many messages with many functions as with few.
func TestDeploymentsCostTheSame(t *testing.T) {
	s := startServer(t)
	nc := connect(t, s)
	r, err := registry.Open(t.Context(), registrytest.JetStream(t, nc), registry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	startInvoker(t, s)
	cost := func() int64 { // of the cheapest of some deployments: a watch looks at the store now and then
		least := int64(1 << 40)
		for i := range 5 {
			before := received(t, s)
			deploy(t, nc, protocol.Function{Name: "new", Args: []string{fmt.Sprint(time.Now().UnixNano(), i)}}, silent("new"))
			least = min(least, received(t, s)-before)
		}
		return least
	}
	few := cost()
	for i := range 300 {
		f := protocol.Function{Name: fmt.Sprint("f", i), Triggers: []protocol.Trigger{{Subject: fmt.Sprint("events.", i)}}}
		if _, _, err := r.Put(t.Context(), f, silent("f")); err != nil {
			t.Fatal(err)
		}
	}
	onTick(t, "all functions", func() bool {
		_, err := nc.Request("fn.f299", nil, patience)
		return err == nil
	})
	if many := cost(); many > few+20 {
		t.Errorf("a deployment costs %d messages with 300 functions, and %d with one", many, few)
	}
}

// received returns how many messages a server has received.
func received(t *testing.T, s *server.Server) int64 {
	t.Helper()
	v, err := s.Varz(nil)
	if err != nil {
		t.Fatal(err)
	}
	return v.InMsgs
}

// A version that falls out is named in the answer of the deployment that makes it fall out, because of their
// number or because of what max_payload allows; and info tells all that are left, whatever max_payload is.
func TestVersionsFallOut(t *testing.T) {
	for _, c := range []struct {
		payload int32
		env     int // bytes of each version
		all     bool
	}{
		{1 << 20, 10, true},
		{1 << 20, 60 << 10, false},
		{64 << 10, 20 << 10, false},
		{64 << 10, 500, true},
	} {
		t.Run(fmt.Sprint(c.payload>>10, " KiB, ", c.env, " bytes"), func(t *testing.T) {
			s := startServer(t, func(o *server.Options) { o.MaxPayload = c.payload })
			startInvoker(t, s)
			nc := connect(t, s)
			next := 1 // the version that is to fall out next
			for i := range 23 {
				env := map[string]string{"A": strings.Repeat("x", c.env), "B": fmt.Sprint(i)}
				d := deploy(t, nc, protocol.Function{Name: "f", Env: env}, silent("f"))
				info, err := control[protocol.InfoReply](nc, about(protocol.APIInfo, "f"))
				if err != nil || info.Function.Version != i+1 {
					t.Fatalf("info: version %d, %v", info.Function.Version, err)
				}
				said := strings.Contains(strings.Join(d.Warnings, "\n"), fmt.Sprintf("f version %d is gone", next))
				if oldest := info.Versions[0].Version; said != (oldest == next+1) || oldest > next+1 {
					t.Fatalf("after version %d the oldest is %d, it was %d; said: %q", i+1, oldest, next, d.Warnings)
				} else {
					next = oldest
				}
			}
			if kept := 24 - next; c.all != (kept == registry.KeepVersions) || kept < 1 {
				t.Errorf("%d versions are kept", kept)
			}
		})
	}
	s := startServer(t, func(o *server.Options) { o.MaxPayload = 64 << 10 })
	startInvoker(t, s)
	env := map[string]string{"A": strings.Repeat("x", 40<<10)}
	_, err := tryDeploy(connect(t, s), protocol.Function{Name: "f", Env: env}, silent("f"))
	if protocol.CodeOf(err) != protocol.CodeRefused || !strings.Contains(err.Error(), "shorten env") {
		t.Errorf("a manifest that fits no record: %v", err)
	}
}

// A start asks the store for each record once, and for nothing else of a function whose module is in the cache.
func TestStartAsksLittle(t *testing.T) {
	const n = 200
	s := startServer(t)
	copies := t.TempDir()
	open := func() *registry.JetStream {
		r, err := registry.Open(t.Context(), registrytest.JetStream(t, connect(t, s)), registry.Config{Copies: copies})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := open()
	for i := range n {
		if _, _, err := r.Put(t.Context(), protocol.Function{Name: fmt.Sprint("f", i)}, silent(fmt.Sprint(i%5))); err != nil {
			t.Fatal(err)
		}
	}
	before := received(t, s)
	v := startInvoker(t, s, func(v *invoker.Invoker) { v.Registry = open() })
	if asked := received(t, s) - before; asked > n+100 {
		t.Errorf("a start with %d functions sends the server %d messages", n, asked)
	}
	if v.Functions() != n {
		t.Errorf("%d functions", v.Functions())
	}
}
