package samples_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/script"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
	"github.com/polyvoke/polyvoke/samples"
)

// A granted is a sample that works on files of the back end, in one language: its manifest has its grants. On the
// service it is alone.
type granted struct {
	*invokertest.Server
	t        *testing.T
	folder   string
	manifest protocol.Function
	module   []byte
}

// runtimesOf names the interpreters of a script, by its folder. All but that of JavaScript have its name.
func runtimesOf(folder string) []string {
	switch name := filepath.Base(folder); name {
	case "js":
		return []string{"javascript"}
	default:
		return []string{name}
	}
}

// eachLanguage tests a sample in every language it is there in: SAMPLE/LANGUAGE/polyvoke.toml.
func eachLanguage(t *testing.T, sample string, languages int, test func(granted)) {
	t.Helper()
	manifests, err := filepath.Glob(filepath.Join(sample, "*", "polyvoke.toml"))
	if err != nil || len(manifests) != languages {
		t.Fatalf("%s is there in %d languages, want %d; error %v", sample, len(manifests), languages, err)
	}
	cache := cmp.Or(os.Getenv("COMPILED"), t.TempDir())
	for _, m := range manifests {
		f, keys := readManifest(t, m)
		g := granted{folder: filepath.Dir(m), manifest: f}
		if keys.Script == "" {
			t.Run(f.Name, func(t *testing.T) {
				g.serve(t, cache)
				g.module = g.compile(keys.Build.Source)
				test(g)
			})
			continue
		}
		for _, name := range runtimesOf(g.folder) {
			g.manifest.Runtime = name
			t.Run(f.Name+" by "+name, func(t *testing.T) {
				bundle := interpreterNamed(t, name)
				g.serve(t, cache)
				if _, err := g.Client.AddRuntime(t.Context(), name, bundle); err != nil {
					t.Fatal(err)
				}
				g.module = g.pack(keys.Script)
				test(g)
			})
		}
	}
}

// manifestKeys are those keys of polyvoke.toml that are the command line's.
type manifestKeys struct {
	Module, Script string
	Build          struct{ Source string }
}

// readManifest reads a polyvoke.toml.
func readManifest(t *testing.T, file string) (f protocol.Function, keys manifestKeys) {
	t.Helper()
	var all map[string]any
	_, err := toml.DecodeFile(file, &all)
	_, errKeys := toml.DecodeFile(file, &keys)
	for _, key := range []string{"module", "script", "build"} {
		delete(all, key)
	}
	text, errJSON := json.Marshal(all)
	if err = errors.Join(err, errKeys, errJSON, json.Unmarshal(text, &f), f.Check()); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	f.Limits.Timeout = protocol.Duration(time.Minute) // a busy machine compiles an interpreter for long
	return f, keys
}

// interpreterNamed reads an interpreter in the folder that RUNTIMES names, or skips the test if it is not there.
func interpreterNamed(t *testing.T, name string) []byte {
	t.Helper()
	dir := os.Getenv("RUNTIMES")
	if dir == "" {
		t.Skip("RUNTIMES names no folder of interpreters: make runtimes builds them")
	}
	bundle, err := os.ReadFile(filepath.Join(dir, name+".runtime.zip"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("%s is not built: make runtimes builds it", name)
	} else if err != nil {
		t.Fatal(err)
	}
	return bundle
}

// serve starts a service, until the end of the test.
func (g *granted) serve(t *testing.T, cache string) {
	g.t = t
	g.Server = invokertest.Start(t, func(c *invokertest.Config) {
		c.Jobs = true
		c.Private = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
		c.Sandbox = wasi.Config{CacheDir: cache, MaxModule: script.MaxBundle, MaxMemory: uint64(protocol.MaxMemory)}
	})
}

// compile returns the module: that beside the source, or what the Go of this machine makes of it.
func (g *granted) compile(source string) []byte {
	g.t.Helper()
	if filepath.Ext(source) == ".go" {
		s := samples.Sample{Name: g.manifest.Name, GoSource: os.DirFS(g.folder)}
		module, err := s.Build(g.t.Context())
		if err != nil {
			g.t.Fatal(err)
		}
		return module
	}
	name := strings.TrimSuffix(source, filepath.Ext(source)) + ".wasm"
	module, err := os.ReadFile(filepath.Join(g.folder, name))
	if err != nil {
		g.t.Fatal(err)
	}
	if len(module) > maxSize {
		g.t.Errorf("%s: %d bytes, want at most %d", name, len(module), maxSize)
	}
	return module
}

// pack returns a script as it is deployed.
func (g *granted) pack(name string) []byte {
	g.t.Helper()
	module, err := script.Pack(os.DirFS(g.folder), name, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	return module
}

// deploy deploys the sample, whose buckets are there if they are not to be made by it.
func (g *granted) deploy() {
	g.t.Helper()
	g.Deploy(g.manifest.Name, g.module, func(f *protocol.Function) { *f = g.manifest })
}

// bucket makes a bucket of keys in memory, with values.
func (g *granted) bucket(name string, values map[string]string) jetstream.KeyValue {
	g.t.Helper()
	js, err := jetstream.New(g.Conn)
	if err != nil {
		g.t.Fatal(err)
	}
	kv, err := js.CreateKeyValue(g.t.Context(),
		jetstream.KeyValueConfig{Bucket: name, Storage: jetstream.MemoryStorage})
	if err != nil {
		g.t.Fatal(err)
	}
	for key, value := range values {
		if _, err := kv.PutString(g.t.Context(), key, value); err != nil {
			g.t.Fatal(err)
		}
	}
	return kv
}

// value returns the value of a key.
func (g *granted) value(kv jetstream.KeyValue, key string) string {
	g.t.Helper()
	e, err := kv.Get(g.t.Context(), key)
	if err != nil {
		g.t.Fatalf("%s: %v", key, err)
	}
	return string(e.Value())
}

// check calls the sample with each of the vectors, in their order.
func (g *granted) check(vectors []vector) {
	g.t.Helper()
	for _, v := range vectors {
		r := g.Call("fn."+g.manifest.Name, v.body())
		switch {
		case r.Exit != v.Exit:
			g.t.Errorf("%s: exit %d, want %d: %.200s, %v", v.About, r.Exit, v.Exit, r.Body, r.Err)
		case v.Exit == 0 && string(r.Body) != v.Stdout:
			g.t.Errorf("%s: got %q, want %q", v.About, r.Body, v.Stdout)
		case v.Exit == 65 && !badInput.Match(r.Body):
			g.t.Errorf("%s: stderr %s, want one line that starts with \"bad input: \"", v.About, brief(string(r.Body)))
		}
	}
}

// TestCounter has each language count by the same vectors, and then many callers at a time: none is lost.
func TestCounter(t *testing.T) {
	vectors := readVectors(t, "counter/vectors.json")
	eachLanguage(t, "counter", 10, func(g granted) {
		kv := g.bucket("counters", map[string]string{"nine": "9", "line": "41\n", "large": "5000000000", "words": "many"})
		g.deploy()
		g.check(vectors)
		const callers, times = 8, 5
		errs := make(chan error, callers)
		for range callers {
			go func() {
				var err error
				for range times {
					err = errors.Join(err, g.callAgain("crowd"))
				}
				errs <- err
			}()
		}
		for range callers {
			if err := <-errs; err != nil {
				g.t.Error(err)
			}
		}

		if got := g.value(kv, "crowd"); got != fmt.Sprint(callers*times) {
			g.t.Errorf("%s after %d calls", got, callers*times)
		}
		for key, want := range map[string]string{"tea": "4", "words": "many", "line": "42"} {
			if got := g.value(kv, key); got != want {
				g.t.Errorf("%s is %q, want %q", key, got, want)
			}
		}
	})
}

// callAgain calls the sample, again while others have changed what it has read. The error is that of the reply. It
// may be called from any goroutine.
func (g *granted) callAgain(body string) error {
	for {
		reply, err := g.Client.Call(g.t.Context(), &protocol.Request{
			Function: protocol.Ref{Name: g.manifest.Name}, Body: []byte(body)})
		if err = protocol.Failure(reply, err); protocol.CodeOf(err) != protocol.CodeConflict {
			return err
		}
	}
}

// TestShop sells by the vectors, and then to 64 callers at a time: each gets one or hears that none is left, stock
// never goes below zero, and what was sold and what is left are together what there was.
func TestShop(t *testing.T) {
	vectors := readVectors(t, "shop/vectors.json")
	eachLanguage(t, "shop", 1, func(g granted) {
		const callers, stock = 64, 40
		kv := g.bucket("shop", map[string]string{"stock/tea": "10", "stock/broken": "many", "stock/seats": fmt.Sprint(stock)})
		g.deploy()
		g.check(vectors)
		errs := make(chan error, callers)
		for range callers {
			go func() { errs <- g.callAgain("seats") }()
		}
		sold := 0
		for range callers {
			switch err := <-errs; protocol.CodeOf(err) {
			case 0:
				sold++
			case protocol.FromExit(66).Code:
			default:
				g.t.Error(err)
			}
		}
		if sold != stock {
			g.t.Errorf("%d callers got one of %d", sold, stock)
		}
		for key, want := range map[string]string{"stock/seats": "0", "sold/seats": fmt.Sprint(stock), "stock/tea": "0",
			"sold/tea": "10", "stock/broken": "many"} {
			if got := g.value(kv, key); got != want {
				g.t.Errorf("%s is %q, want %q", key, got, want)
			}
		}
	})
}

// TestGuestbook has guests sign in each language, by the same vectors.
func TestGuestbook(t *testing.T) {
	vectors := readVectors(t, "guestbook/vectors.json")
	eachLanguage(t, "guestbook", 9, func(g granted) {
		g.bucket("guests", nil)
		g.deploy()
		g.check(vectors)
	})
}
