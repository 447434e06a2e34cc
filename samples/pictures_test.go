package samples_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/protocol"
)

// TestSamePictures holds the files together that the three samples on pictures have in common: each folder is whole, so
// that it can be copied.
func TestSamePictures(t *testing.T) {
	for _, name := range []string{"picture.go", "shrink.go"} {
		want, err := os.ReadFile(filepath.Join("thumbnail/go", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, folder := range []string{"thumbnailer/go", "resize-proxy/go"} {
			if got, err := os.ReadFile(filepath.Join(folder, name)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s/%s is not that of thumbnail/go, error %v", folder, name, err)
			}
		}
	}
}

// store makes an object store in memory.
func (g *granted) store(name string) jetstream.ObjectStore {
	g.t.Helper()
	js, err := jetstream.New(g.Conn)
	if err != nil {
		g.t.Fatal(err)
	}
	store, err := js.CreateObjectStore(g.t.Context(),
		jetstream.ObjectStoreConfig{Bucket: name, Storage: jetstream.MemoryStorage})
	if err != nil {
		g.t.Fatal(err)
	}
	return store
}

// TestThumbnailer gives the thumbnailer what the jobs of an object trigger have: a name, and what has happened to it.
func TestThumbnailer(t *testing.T) {
	eachLanguage(t, "thumbnailer", 1, func(g granted) {
		uploads, thumbnails := g.store("uploads"), g.store("thumbnails")
		g.deploy()
		halves := func(p image.Point) color.NRGBA { return choose(p.X < 150, red, blue) }
		photo := jpegOf(2000, 1000)
		photo = append(photo, make([]byte, 3<<20)...) // more than is fetched at once; what follows the end is no part of it
		wide := pngOf(300, 100, halves)
		for name, body := range map[string][]byte{"wide": wide, "2026/fog": photo,
			"text": []byte("no picture"), "cut": wide[:len(wide)/2], "huge": pngHeader(100_000, 100_000)} {
			if _, err := uploads.PutBytes(g.t.Context(), name, body); err != nil {
				g.t.Fatal(err)
			}
		}
		for _, c := range []struct {
			args []string
			exit int
		}{
			{[]string{"wide", "put"}, 0},
			{[]string{"2026/fog", "put"}, 0},
			{[]string{"text", "put"}, 65}, {[]string{"cut", "put"}, 65}, {[]string{"huge", "put"}, 65},
			{[]string{"gone", "put"}, 0}, {[]string{"gone", "delete"}, 0},
			{[]string{"wide"}, 64}, {[]string{"wide", "put", "x"}, 64}, {nil, 64},
			{[]string{"wide", "purge"}, 64},
		} {
			if got := g.callWith(c.args); got != c.exit {
				g.t.Errorf("%q: exit %d, want %d", c.args, got, c.exit)
			}
		}
		g.picture(thumbnails, "wide", "png", image.Pt(128, 43), red)
		g.picture(thumbnails, "2026/fog", "jpeg", image.Pt(128, 64), gray(128))
		names, err := thumbnails.List(g.t.Context())
		if err != nil || len(names) != 2 {
			g.t.Errorf("%d thumbnails, want 2; %v", len(names), err)
		}
		if got := g.callWith([]string{"wide", "delete"}); got != 0 {
			g.t.Errorf("delete: exit %d", got)
		}
		if _, err := thumbnails.GetInfo(g.t.Context(), "wide"); !errors.Is(err, jetstream.ErrObjectNotFound) {
			g.t.Errorf("the thumbnail of a deleted picture: %v", err)
		}
	})
}

// callWith calls the sample with arguments and returns the exit code.
func (g *granted) callWith(args []string) int {
	g.t.Helper()
	reply, err := g.Client.Call(g.t.Context(), &protocol.Request{Function: protocol.Ref{Name: g.manifest.Name}, Args: args})
	if err != nil {
		g.t.Fatal(err)
	}
	return reply.Exit
}

// picture checks the picture that is an object.
func (g *granted) picture(store jetstream.ObjectStore, name, format string, size image.Point, corner color.NRGBA) {
	g.t.Helper()
	body, err := store.GetBytes(g.t.Context(), name)
	if err != nil {
		g.t.Errorf("%s: %v", name, err)
		return
	}
	checkPicture(g.t, name, body, format, size, corner)
}

// checkPicture checks a picture's format, its size, and the pixel of its first corner.
func checkPicture(t *testing.T, name string, body []byte, format string, size image.Point, corner color.NRGBA) {
	t.Helper()
	m, got, err := image.Decode(bytes.NewReader(body))
	if err != nil || got != format || m.Bounds().Size() != size {
		t.Errorf("%s: %s, %v; want %s of %v", name, got, err, format, size)
		return
	}
	if pixel := color.NRGBAModel.Convert(m.At(0, 0)); pixel != corner {
		t.Errorf("%s: the corner is %v, want %v", name, pixel, corner)
	}
}
