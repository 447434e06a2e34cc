package objects_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
)

// text returns bytes of which no two places are alike.
func text(size int) string {
	b := make([]byte, size)
	r := rand.NewChaCha8([32]byte{7})
	_, _ = r.Read(b)
	return string(b)
}

// readAll reads an object by its chunks at the positions that next says.
func readAll(t *testing.T, c *objects.Chunks, want string, positions []int64) {
	t.Helper()
	for _, at := range positions {
		chunk, start, err := c.At(t.Context(), at)
		if err != nil {
			t.Fatalf("at %d: %v", at, err)
		}
		if start > at || start+int64(len(chunk)) <= at || want[start:start+int64(len(chunk))] != string(chunk) {
			t.Fatalf("at %d: %d wrong bytes from %d on", at, len(chunk), start)
		}
	}
}

// Chunks come in any order, whether they stand in a row in the stream or not, whoever put them.
func TestChunks(t *testing.T) {
	b, theirs, _ := open(t)
	want := text(1<<20 + 12345)
	size := int64(len(want))
	ours := put(t, b, stat(t, b, "ours"), want)
	_, err := theirs.Put(t.Context(), jetstream.ObjectMeta{Name: "theirs",
		Opts: &jetstream.ObjectMetaOptions{ChunkSize: 10_000}}, strings.NewReader(want))
	must(t, err)
	r, w := io.Pipe() // another upload's chunks stand between those of this one
	done := make(chan error, 1)
	go func() {
		_, err := theirs.Put(t.Context(), jetstream.ObjectMeta{Name: "between"}, r)
		done <- err
	}()
	for i := 0; i < len(want); i += 100_000 {
		_, err := io.WriteString(w, want[i:min(i+100_000, len(want))])
		must(t, err)
		_, err = theirs.PutString(t.Context(), fmt.Sprint("other", i), "x")
		must(t, err)
	}
	must(t, w.Close())
	must(t, <-done)
	for name, o := range map[string]objects.Object{"ours": ours, "theirs": stat(t, b, "theirs"),
		"between": stat(t, b, "between")} {
		var forward []int64
		for at := int64(0); at < size; at += 5_000 {
			forward = append(forward, at)
		}
		c := b.Chunks(o)
		readAll(t, c, want, forward)
		readAll(t, c, want, []int64{0, size - 1, 500_000, 1})
		readAll(t, b.Chunks(o), want, []int64{size - 1, 0, 700_000, 699_999, 3, size - 1})
		for _, at := range []int64{-1, size, 1 << 62} {
			if _, _, err := c.At(t.Context(), at); !errors.Is(err, objects.ErrDamaged) {
				t.Errorf("%s at %d: %v", name, at, err)
			}
		}
	}
}

// What was replaced, what lies about its size or digest, and what never was, is damaged.
func TestChunksOfWhatIsDamaged(t *testing.T) {
	b, _, s := open(t)
	want := text(300 << 10)
	o := put(t, b, stat(t, b, "a"), want)
	for about, change := range map[string]func(*jetstream.ObjectInfo){
		"digest":      func(i *jetstream.ObjectInfo) { i.Digest = "SHA-256=" },
		"longer":      func(i *jetstream.ObjectInfo) { i.Size += 5 },
		"shorter":     func(i *jetstream.ObjectInfo) { i.Size -= 300 },
		"more chunks": func(i *jetstream.ObjectInfo) { i.Size, i.Chunks = 1<<40, 1<<16 },
		"no NUID":     func(i *jetstream.ObjectInfo) { i.NUID = "" },
		"other NUID":  func(i *jetstream.ObjectInfo) { i.NUID = "none" },
	} {
		lie := o
		change(&lie.Info)
		c, at, err := b.Chunks(lie), int64(0), error(nil)
		for range 2 * len(want) {
			var chunk []byte
			if chunk, _, err = c.At(t.Context(), at); err != nil {
				break
			}
			at += int64(len(chunk))
		}
		if !errors.Is(err, objects.ErrDamaged) {
			t.Errorf("%s: after %d bytes %v", about, at, err)
		}
		if _, _, err := c.At(t.Context(), at); !errors.Is(err, objects.ErrDamaged) {
			t.Errorf("%s: once more %v", about, err)
		}
	}
	lie := o
	lie.Info.Size, lie.Info.Chunks = 1<<40, 1<<30
	if _, _, err := b.Chunks(lie).At(t.Context(), 1<<39); !errors.Is(err, objects.ErrTooLarge) {
		t.Errorf("far into too many chunks: %v", err)
	}
	must(t, s.Purge(t.Context(), jetstream.WithPurgeSubject("$O.things.C.>")))
	if _, _, err := b.Chunks(o).At(t.Context(), 1<<18); !errors.Is(err, objects.ErrDamaged) {
		t.Errorf("without chunks: %v", err)
	}
}

func TestSince(t *testing.T) {
	b, theirs, s := open(t)
	next, err := b.Since(t.Context(), 0, func(o objects.Object) error { t.Errorf("there is %+v", o); return nil })
	must(t, err)
	for i := range 2500 {
		_, err := s.Info(t.Context())
		must(t, err)
		o := objects.Object{}
		o.Info.Name = fmt.Sprintf("name %04d", i)
		_, err = b.Set(t.Context(), o)
		must(t, err)
	}
	seen := map[string]bool{}
	next, err = b.Since(t.Context(), next, func(o objects.Object) error { seen[o.Info.Name] = o.Live(); return nil })
	must(t, err)
	if len(seen) != 2500 || !seen["name 0000"] || !seen["name 2499"] {
		t.Errorf("there are %d objects", len(seen))
	}
	_, err = theirs.PutString(t.Context(), "name 0007", "x")
	must(t, err)
	must(t, b.Delete(t.Context(), stat(t, b, "name 0008")))
	var news []string
	next, err = b.Since(t.Context(), next, func(o objects.Object) error {
		news = append(news, fmt.Sprint(o.Info.Name, o.Live(), o.Info.Size))
		return nil
	})
	must(t, err)
	if got := strings.Join(news, ", "); got != "name 0007true 1, name 0008false 0" {
		t.Errorf("what is new is %s", got)
	}
	stop := errors.New("stop")
	if _, err := b.Since(t.Context(), 0, func(objects.Object) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("it ends with %v", err)
	}
	if again, err := b.Since(t.Context(), next, func(objects.Object) error { return stop }); err != nil || again != next {
		t.Errorf("nothing new: %d, not %d; %v", again, next, err)
	}
}

// change returns a change, of what Stat says if it is exact.
func change(t *testing.T, b *objects.Bucket, name, body string, exact bool) *objects.Change {
	c := &objects.Change{Bucket: b, Name: name, Exact: exact}
	if exact {
		c.Base = stat(t, b, name)
	}
	if body != "" {
		c.Body = bytes.NewReader([]byte(body))
	}
	return c
}

// has checks what is in the bucket. Empty text: nothing.
func has(t *testing.T, b *objects.Bucket, want map[string]string) {
	t.Helper()
	for name, text := range want {
		got, err := b.Get(t.Context(), name, 1<<20)
		if text == "" && errors.Is(err, objects.ErrNotFound) {
			continue
		}
		if err != nil || string(got) != text {
			t.Errorf("%s is %q, %v; want %q", name, got, err, text)
		}
	}
}

func TestChanges(t *testing.T) {
	b, _, s := open(t)
	for _, name := range []string{"a", "b", "c", "d"} {
		put(t, b, stat(t, b, name), "old "+name)
	}
	old := map[string]string{"a": "old a", "b": "old b", "c": "old c", "d": "old d", "e": "", "f": ""}
	make := func() objects.Changes {
		return objects.Changes{change(t, b, "c", "", true), change(t, b, "a", "new a", true),
			change(t, b, "b", "new b", false), change(t, b, "d", "", false), change(t, b, "e", "new e", true),
			change(t, b, "f", "", false)}
	}
	all := make()
	_, err := all.Prepare(t.Context())
	must(t, err)
	has(t, b, old)
	_, err = all.Apply(t.Context())
	must(t, err)
	has(t, b, map[string]string{"a": "new a", "b": "new b", "c": "", "d": "", "e": "new e", "f": ""})
	all.Undo(t.Context())
	has(t, b, old)
	for _, name := range []string{"a", "c", "e"} { // each of those that are exact
		all := make()
		_, err := all.Prepare(t.Context())
		must(t, err)
		put(t, b, stat(t, b, name), "between")
		failed, err := all.Apply(t.Context())
		if !errors.Is(err, objects.ErrChanged) || failed.Name != name {
			t.Errorf("%s was changed: %v of %+v", name, err, failed)
		}
		old[name] = "between"
		has(t, b, old)
	}
	all = make()
	_, err = all.Prepare(t.Context())
	must(t, err)
	_, err = all.Apply(t.Context())
	must(t, err)
	all.Settle(t.Context())
	has(t, b, map[string]string{"a": "new a", "b": "new b", "c": "", "d": "", "e": "new e", "f": ""})
	chunks, err := objects.Subjects(t.Context(), s, "$O.things.C.>")
	if err != nil || len(chunks) != 3 {
		t.Errorf("chunks of %d uploads are left, want 3: %v, %v", len(chunks), chunks, err)
	}
}

// What cannot be read is not put, and nothing else of it either.
func TestChangesThatFail(t *testing.T) {
	b, _, s := open(t)
	bad := errors.New("bad")
	all := objects.Changes{change(t, b, "a", "a", false),
		{Bucket: b, Name: "b", Body: io.MultiReader(strings.NewReader("begin"), reader{bad})}}
	if failed, err := all.Prepare(t.Context()); !errors.Is(err, bad) || failed.Name != "b" {
		t.Errorf("%v of %+v", err, failed)
	}
	chunks, err := objects.Subjects(t.Context(), s, "$O.things.>")
	if err != nil || len(chunks) != 0 {
		t.Errorf("there is %v, %v", chunks, err)
	}
}

// reader fails.
type reader struct{ err error }

func (r reader) Read([]byte) (int, error) { return 0, r.err }
