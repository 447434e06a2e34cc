package sealed_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/backend/secrets"
	"github.com/polyvoke/polyvoke/invoker/backend/secrets/sealed"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/invoker/invokertest/await"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// must fails the test for an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// seed returns a new seed and its public key.
func seed(t testing.TB) (secret []byte, public string) {
	t.Helper()
	secret, public, err := sealed.NewKey()
	must(t, err)
	return secret, public
}

// start returns JetStream on a NATS server of the test's own.
func start(t testing.TB) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(invokertest.Connect(t, invokertest.StartNATS(t)))
	must(t, err)
	return js
}

// open opens a source with keys.
func open(t testing.TB, js jetstream.JetStream, seeds ...[]byte) *sealed.Source {
	t.Helper()
	keys, err := sealed.ParseKeys(seeds...)
	must(t, err)
	s, err := sealed.Open(t.Context(), js, keys, 1, slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

// set seals a secret.
func set(t testing.TB, js jetstream.JetStream, function, name, to, value string) {
	t.Helper()
	_, err := sealed.NewStore(js).Set(t.Context(), function, name, to, []byte(value))
	must(t, err)
}

// has checks a secret of a function.
func has(t testing.TB, s secrets.Source, function, name, want string) {
	t.Helper()
	if b, err := s.Secret(t.Context(), function, name); string(b) != want || err != nil {
		t.Errorf("%s of %s is %q, %v; want %q", name, function, b, err, want)
	}
}

// refuses checks that a function does not get a secret, and is told why.
func refuses(t testing.TB, s secrets.Source, function, name, why string) {
	t.Helper()
	b, err := s.Secret(t.Context(), function, name)
	if err == nil || protocol.CodeOf(err) != protocol.CodeUnavailable || !strings.Contains(err.Error(), why) || b != nil {
		t.Errorf("%s of %s is %q, %v; want an error with %q", name, function, b, err, why)
	}
}

// TestSecret opens what was sealed for a function, or for all, and nothing for others.
func TestSecret(t *testing.T) {
	js := start(t)
	a, public := seed(t)
	s := open(t, js, a)
	large := strings.Repeat("x", protocol.MaxSecretValue)
	set(t, js, protocol.AllFunctions, "SHARED", public, "for all")
	set(t, js, "greet", "SHARED", public, "for greet\n")
	set(t, js, "greet", "tls.key", public, large)
	set(t, js, "greet", "empty", public, "")
	has(t, s, "greet", "SHARED", "for greet\n")
	has(t, s, "other", "SHARED", "for all")
	has(t, s, "greet", "tls.key", large)
	has(t, s, "greet", "empty", "")
	for _, name := range []string{"tls.key", "NONE", "a..b", "a.", ""} {
		b, err := s.Secret(t.Context(), "other", name)
		if !errors.Is(err, fs.ErrNotExist) || b != nil {
			t.Errorf("%q is %q, %v", name, b, err)
		}
	}
	must(t, sealed.NewStore(js).Remove(t.Context(), "greet", "SHARED"))
	has(t, s, "greet", "SHARED", "for all")
}

// TestHostile refuses what whoever can write to the bucket may have put there.
func TestHostile(t *testing.T) {
	js := start(t)
	a, public := seed(t)
	_, strange := seed(t)
	s := open(t, js, a)
	set(t, js, "bank", "PIN", public, "hunter22-of-the-bank")
	set(t, js, "greet", "STRANGE", strange, "x")
	kv, err := js.KeyValue(t.Context(), protocol.BucketSecrets)
	must(t, err)
	pin, err := kv.Get(t.Context(), "bank.PIN")
	must(t, err)
	if bytes.Contains(pin.Value(), []byte("hunter22")) {
		t.Error("the bucket has the value")
	}
	var record protocol.SealedSecret
	must(t, json.Unmarshal(pin.Value(), &record))
	record.From = strange
	forged, err := json.Marshal(record)
	must(t, err)
	for name, tt := range map[string]struct {
		record []byte
		why    string
	}{
		"PIN":    {pin.Value(), "sealed for another function or another name"},
		"FORGED": {forged, "its seal is broken"},
		"EMPTY":  {nil, "damaged"},
		"TEXT":   {[]byte("hunter22"), "damaged"},
	} {
		_, err := kv.Put(t.Context(), "greet."+name, tt.record)
		must(t, err)
		refuses(t, s, "greet", name, tt.why)
	}
	set(t, js, protocol.AllFunctions, "STRANGE", public, "for all")
	refuses(t, s, "greet", "STRANGE", strange) // what is there for the function counts, also if it cannot be opened
	refuses(t, s, "greet", "FORGED", "seal")
}

// TestStore lists secrets without a key, and refuses what can be none.
func TestStore(t *testing.T) {
	js := start(t)
	store := sealed.NewStore(js)
	_, public := seed(t)
	if list, err := store.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("without a bucket: %v, %v", list, err)
	}
	if err := store.Remove(t.Context(), "f", "N"); protocol.CodeOf(err) != protocol.CodeNotFound {
		t.Errorf("without a bucket: %v", err)
	}
	set(t, js, "f", "B", public, "x")
	set(t, js, protocol.AllFunctions, "C", public, "x")
	set(t, js, "f", "A", public, "x")
	kv, err := js.KeyValue(t.Context(), protocol.BucketSecrets)
	must(t, err)
	_, err = kv.Put(t.Context(), "odd", []byte("x"))
	must(t, err)
	list, err := store.List(t.Context())
	must(t, err)
	var got []string
	for _, l := range list {
		got = append(got, fmt.Sprintf("%s/%s %t %t", l.Function, l.Name, l.Key == public, l.Problem == ""))
	}
	if want := []string{"/C true true", "/odd false false", "f/A true true", "f/B true true"}; !slices.Equal(got, want) {
		t.Errorf("%q; want %q", got, want)
	}
	for what, tt := range map[string][3]string{"a function": {"a b", "N", public}, "a name": {"f", "a*", public},
		"a key": {"f", "N", "X"}, "a checksum": {"f", "N", public[:55] + string(public[55]^1)}} {
		if _, err := store.Set(t.Context(), tt[0], tt[1], tt[2], nil); protocol.CodeOf(err) != protocol.CodeBadRequest {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := store.Set(t.Context(), "f", "N", public,
		make([]byte, protocol.MaxSecretValue+1)); protocol.CodeOf(err) != protocol.CodeBadRequest {
		t.Errorf("a large value: %v", err)
	}
}

// TestWatch notices changes, also after the bucket was read for the first time.
func TestWatch(t *testing.T) {
	js := start(t)
	a, public := seed(t)
	s := open(t, js, a)
	if got := s.Generation(); got != 0 {
		t.Errorf("%d changes before anybody has asked", got)
	}
	set(t, js, "f", "N", public, "one")
	has(t, s, "f", "N", "one")
	await.Until(t, "the watch begins", func() bool { return s.Generation() > 0 })
	for _, value := range []string{"two", "three"} {
		before := s.Generation()
		set(t, js, "f", "N", public, value)
		await.Until(t, "a change is noticed", func() bool { return s.Generation() > before })
		has(t, s, "f", "N", value)
	}
	before := s.Generation()
	must(t, sealed.NewStore(js).Remove(t.Context(), "f", "N"))
	await.Until(t, "a removal is noticed", func() bool { return s.Generation() > before })
	if _, err := s.Secret(t.Context(), "f", "N"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed: %v", err)
	}
}

// TestAway has the last value while NATS does not answer.
func TestAway(t *testing.T) {
	server := invokertest.StartNATS(t)
	js, err := jetstream.New(invokertest.Connect(t, server))
	must(t, err)
	a, public := seed(t)
	s := open(t, js, a)
	set(t, js, protocol.AllFunctions, "N", public, "one")
	has(t, s, "f", "N", "one")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if b, err := s.Secret(ctx, "f", "N"); string(b) != "one" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if b, err := s.Secret(ctx, "f", "OTHER"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one that was not asked for before: %q, %v", b, err)
	}
}

// TestRotate seals all to a new key, but for what cannot be opened.
func TestRotate(t *testing.T) {
	js := start(t)
	a, old := seed(t)
	b, public := seed(t)
	_, strange := seed(t)
	set(t, js, "f", "OLD", old, "old")
	set(t, js, "f", "NEW", public, "new")
	set(t, js, "f", "STRANGE", strange, "strange")
	both := open(t, js, b, a)
	for _, sealedAnew := range []int{1, 0} {
		done, err := both.Rotate(t.Context())
		if err != nil || done.Sealed != sealedAnew || done.Left != 1 || done.Key != public ||
			!strings.Contains(done.Failed["f.STRANGE"], strange) {
			t.Errorf("%+v, %v", done, err)
		}
	}
	only := open(t, js, b)
	has(t, only, "f", "OLD", "old")
	has(t, only, "f", "NEW", "new")
	refuses(t, open(t, js, a), "f", "OLD", public)
	if _, err := sealed.Verbs(nil)[protocol.APISecretsKey].Answer(t.Context(), nil); protocol.CodeOf(err) !=
		protocol.CodeUnavailable {
		t.Errorf("without a key: %v", err)
	}
	reply, err := sealed.Verbs(both)[protocol.APISecretsKey].Answer(t.Context(), nil)
	if got := reply.(protocol.SecretsKeyReply); err != nil || got.Key != public ||
		!slices.Equal(got.Keys, []string{public, old}) {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestReadKeys reads files with keys, and refuses others without saying what is in them.
func TestReadKeys(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o700))
	a, public := seed(t)
	write := func(name, text string, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(text), mode))
		must(t, os.Chmod(path, mode))
		return path
	}
	good := write("good.nk", "# the key\n"+string(a)+"\n", 0o400)
	k, err := sealed.ReadKeys(good)
	if err != nil || !slices.Equal(k.Public(), []string{public}) {
		t.Fatalf("%v, %v", k, err)
	}
	for want, files := range map[string][]string{
		"chmod o-r":     {write("open.nk", string(a), 0o644)},
		"no seed of":    {write("user.nk", "SUAAAAAAhunter22", 0o600)},
		"it has no see": {good, write("public.nk", public, 0o600)},
		"each key once": {good, write("again.nk", string(a), 0o600)},
		"no such file":  {filepath.Join(dir, "none.nk")},
		"letters":       {filepath.Join(dir, "a b")},
		"there is no":   {},
		"at most 16":    slices.Repeat([]string{good}, 17),
	} {
		if _, err := sealed.ReadKeys(files...); err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "hunter22") || strings.Contains(err.Error(), string(a)) {
			t.Errorf("%q: %v; want %q", files, err, want)
		}
	}
}

// TestHidden shows no run's log a value that the run has opened.
func TestHidden(t *testing.T) {
	js := start(t)
	a, public := seed(t)
	set(t, js, "f", "N", public, "hunter22-and-more")
	f := &protocol.Function{Name: "f", Version: 1}
	all, err := secrets.New(secrets.Config{Source: open(t, js, a)}).Open(t.Context(), f, []protocol.Grant{{Secret: "N"}})
	must(t, err)
	defer all[0].Close()
	run := all[0].Begin(&backend.Transaction{}).(backend.Hider)
	defer run.End()
	_, err = run.Tree().Open(t.Context(), "N", files.Read)
	must(t, err)
	if got := run.HideLine("it is hunter22-and-more!"); got != "it is "+secrets.Hidden+"!" {
		t.Errorf("the log has %q", got)
	}
}

// TestHammer has secrets read, set, rotated and removed by many at a time: each read is of a value that was set, and
// nothing is lost to a rotation.
func TestHammer(t *testing.T) {
	js := start(t)
	a, old := seed(t)
	b, public := seed(t)
	s := open(t, js, b, a)
	set(t, js, "f", "KEPT", old, "kept")
	set(t, js, "f", "N", old, "value 0")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 20 {
				value, err := s.Secret(t.Context(), "f", "N")
				if err == nil && !strings.HasPrefix(string(value), "value ") || err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%q, %v", value, err)
				}
				has(t, s, "f", "KEPT", "kept")
			}
		})
		all.Go(func() {
			to := []string{old, public}[i%2]
			for n := range 10 {
				value := fmt.Appendf(nil, "value %d.%d", i, n)
				if _, err := sealed.NewStore(js).Set(t.Context(), "f", "N", to, value); err != nil {
					t.Error(err)
				}
			}
			if err := sealed.NewStore(js).Remove(t.Context(), "f", "N"); err != nil &&
				protocol.CodeOf(err) != protocol.CodeNotFound {
				t.Error(err)
			}
		})
		all.Go(func() {
			if _, err := s.Rotate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	set(t, js, "f", "N", old, "last")
	if done, err := s.Rotate(t.Context()); err != nil || done.Left != 0 {
		t.Errorf("%+v, %v", done, err)
	}
	only := open(t, js, b)
	has(t, only, "f", "N", "last")
	has(t, only, "f", "KEPT", "kept")
}
