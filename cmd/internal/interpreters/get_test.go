package interpreters_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/cmd/internal/interpreters"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/script"
)

// loxBundle returns a small bundle, and its digest in hexadecimal.
func loxBundle(t testing.TB) ([]byte, string) {
	t.Helper()
	b, err := script.WrapBundle(script.Info{Name: "lox", Version: "1", Language: "Lox", Extensions: []string{".lox"}},
		[]byte("\x00asm"))
	if err != nil {
		t.Fatal(err)
	}
	return b, strings.TrimPrefix(protocol.Digest(b), "sha256:")
}

// fromWeb is a runtime on a web server, and what getting it gives.
type fromWeb struct {
	about  string
	path   string // of From
	name   string // empty means lox
	digest string
	serve  map[string]http.HandlerFunc
	err    string // what the error contains; empty: the bundle must come
}

// TestGetFromWeb gets a runtime from servers that have it, have another one, or mean harm.
func TestGetFromWeb(t *testing.T) {
	bundle, digest := loxBundle(t)
	wrong := strings.Repeat("0", 64)
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, s) }
	}
	whole := text(string(bundle))
	for _, c := range []fromWeb{
		{about: "a folder", path: "/r/", serve: map[string]http.HandlerFunc{
			"/r/SHA256SUMS": text(digest + "  lox.runtime.zip\n"), "/r/lox.runtime.zip": whole}},
		{about: "a folder without a slash", path: "/r", serve: map[string]http.HandlerFunc{
			"/r/SHA256SUMS": text(digest + " *lox.runtime.zip\n"), "/r/lox.runtime.zip": whole}},
		{about: "a file", path: "/r/mine.zip",
			serve: map[string]http.HandlerFunc{"/r/SHA256SUMS": text(digest + "  mine.zip\n"), "/r/mine.zip": whole}},
		{about: "a digest", path: "/r/", digest: "sha256:" + strings.ToUpper(digest),
			serve: map[string]http.HandlerFunc{"/r/lox.runtime.zip": whole}},
		{about: "no digest", path: "/r/", serve: map[string]http.HandlerFunc{"/r/lox.runtime.zip": whole},
			err: "needs its digest: give it with --sha256, or put SHA256SUMS beside it"},
		{about: "no file", path: "/r/", digest: digest, err: "/r/lox.runtime.zip is not there (404)"},
		{about: "a list without it", path: "/r/", serve: map[string]http.HandlerFunc{
			"/r/SHA256SUMS": text(digest + "  other.zip\n")}, err: "SHA256SUMS does not name lox.runtime.zip"},
		{about: "a list that is none", path: "/r/", serve: map[string]http.HandlerFunc{"/r/SHA256SUMS": text("<html>")},
			err: "line 1 is not a SHA-256 digest"},
		{about: "a list without end", path: "/r/", serve: map[string]http.HandlerFunc{"/r/SHA256SUMS": endless},
			err: "SHA256SUMS: it is larger than the 1 MiB allowed"},
		{about: "another digest", path: "/r/", digest: wrong, serve: map[string]http.HandlerFunc{"/r/lox.runtime.zip": whole},
			err: "its digest is " + digest + ", but --sha256 says " + wrong},
		{about: "a digest that is none", path: "/r/", digest: "abc", err: `the digest "abc" is not one of SHA-256`},
		{about: "another runtime", path: "/r/lox.zip", name: "wren", digest: digest,
			serve: map[string]http.HandlerFunc{"/r/lox.zip": whole}, err: "this is the runtime lox and not wren"},
		{about: "a name that is a path", path: "/r/", name: "../lox", digest: digest, err: "lox"},
		{about: "a server that fails", path: "/r/", digest: digest,
			serve: map[string]http.HandlerFunc{"/r/lox.runtime.zip": func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, "no", http.StatusBadGateway)
			}}, err: `the server answers "502 Bad Gateway"`},
		{about: "a size that is too large", path: "/r/", digest: digest,
			serve: map[string]http.HandlerFunc{"/r/lox.runtime.zip": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", fmt.Sprint(script.MaxBundle+1))
			}}, err: "are more than the 128 MiB allowed"},
		{about: "an answer that breaks off", path: "/r/", digest: digest,
			serve: map[string]http.HandlerFunc{"/r/lox.runtime.zip": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "1000")
				io.WriteString(w, "x")
			}}, err: "unexpected EOF"},
		{about: "redirects without end", path: "/r/", digest: digest,
			serve: map[string]http.HandlerFunc{"/r/lox.runtime.zip": func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, r.URL.Path, http.StatusFound)
			}}, err: "redirects more than 5 times"},
	} {
		t.Run(c.about, func(t *testing.T) { c.get(t, bundle) })
	}
}

// get gets the runtime, and checks what came.
func (c fromWeb) get(t *testing.T, bundle []byte) {
	mux := http.NewServeMux()
	for path, h := range c.serve {
		mux.Handle(path, h)
	}
	server := httptest.NewServer(mux)
	defer server.Close()
	shown := 0
	g := interpreters.Getter{From: server.URL + c.path, Digest: c.digest,
		Progress: func(r io.Reader, _ string, total int64) io.Reader { shown = int(total); return r }}
	name := c.name
	if name == "" {
		name = "lox"
	}
	b, from, err := g.Get(t.Context(), name)
	if c.err != "" {
		if err == nil || !strings.Contains(err.Error(), c.err) || b != nil {
			t.Errorf("got %d bytes and the error %v, want %q", len(b), err, c.err)
		}
		return
	}
	if err != nil || string(b) != string(bundle) || !strings.HasPrefix(from, server.URL+"/r/") {
		t.Errorf("got %d bytes from %s, error %v", len(b), from, err)
	}
	if shown != len(bundle) {
		t.Errorf("progress of %d bytes was shown, want %d", shown, len(bundle))
	}
}

// endless writes until the reader has gone.
func endless(w http.ResponseWriter, _ *http.Request) {
	line := strings.Repeat("x", 1<<16)
	for {
		if _, err := io.WriteString(w, line); err != nil {
			return
		}
	}
}

// TestGetFromHTTPS checks that nobody is led from https to http.
func TestGetFromHTTPS(t *testing.T) {
	bundle, digest := loxBundle(t)
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(bundle) }))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer secure.Close()
	client := interpreters.Client()
	client.Transport = secure.Client().Transport
	g := interpreters.Getter{From: secure.URL + "/lox.zip", Digest: digest, Client: client}
	_, _, err := g.Get(t.Context(), "lox")
	if err == nil || !strings.Contains(err.Error(), "redirects from https to http") {
		t.Errorf("the error is %v", err)
	}
	_, _, err = (&interpreters.Getter{From: "http://user:secret@127.0.0.1:1/", Digest: digest}).Get(t.Context(), "lox")
	if err == nil || !strings.Contains(err.Error(), "cannot be reached") || strings.Contains(err.Error(), "secret") {
		t.Errorf("a server that is not there, with a password: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := g.Get(ctx, "lox"); err == nil {
		t.Error("it goes on when its context has ended")
	}
}

// TestGetFromDisk gets a runtime from folders and files.
func TestGetFromDisk(t *testing.T) {
	bundle, digest := loxBundle(t)
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("plain/lox.runtime.zip", string(bundle))
	write("listed/lox.runtime.zip", string(bundle))
	write("listed/SHA256SUMS", digest+"  lox.runtime.zip\n")
	write("wrong/lox.runtime.zip", string(bundle)+"x")
	write("wrong/SHA256SUMS", digest+"  lox.runtime.zip\n")
	write("unpacked/runtime.json", `{"name": "lox", "version": "1", "language": "Lox"}`)
	write("unpacked/runtime.wasm", "\x00asm")
	write("text.zip", "text")
	for _, c := range []struct{ from, digest, err string }{
		{"plain", "", ""},
		{"plain", digest, ""},
		{"plain/lox.runtime.zip", "", ""},
		{"listed", "", ""},
		{"unpacked", "", ""},
		{"plain", strings.Repeat("1", 64), "but --sha256 says"},
		{"wrong", "", "SHA256SUMS says"},
		{"text.zip", "", "the runtime cannot be read"},
		{"none", "", "--from takes a folder, a file, or a URL"},
	} {
		b, _, err := (&interpreters.Getter{From: filepath.Join(dir, c.from), Digest: c.digest}).Get(t.Context(), "lox")
		if c.err == "" && (err != nil || len(b) == 0) ||
			c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s with the digest %q: %d bytes, error %v, want %q", c.from, c.digest, len(b), err, c.err)
		}
	}
}

// TestReleaseURL tells versions of releases from others.
func TestReleaseURL(t *testing.T) {
	for version, ok := range map[string]bool{
		"1.2.3": true, "0.1.0": true, "1.0.0-rc.1": true,
		"0.0.0-dev": false, "0.0.0-20261130101921-1414a5955178": false, "1.2.4-0.20261130101921-1414a5955178": false,
		"1.2.3-5-g1414a59": false, "1.2.3+dirty": false, "": false, "1.2": false, "1.2.3/../../x": false,
	} {
		url, err := interpreters.ReleaseURL(version)
		if (err == nil) != ok || ok && !strings.HasSuffix(url, "/v"+version+"/") {
			t.Errorf("ReleaseURL(%q) = %q, %v, want that it is a release: %v", version, url, err, ok)
		}
		if err != nil && !strings.Contains(err.Error(), "--from") {
			t.Errorf("the error about %q does not say what to do: %v", version, err)
		}
	}
}

func TestParseSums(t *testing.T) {
	d := strings.Repeat("a", 64)
	for list, want := range map[string]string{
		d + "  x.zip\n" + d + " *./dir/y.zip\r\n# comment\n\n": "2",
		"":                        "0",
		d + "  x\n" + d + "  x\n": "1",
		d + "x\n":                 "line 1 is not",
		"abc  x\n":                "line 1 is not",
		d + "  \n":                "line 1 is not",
		d + "  x\n" + strings.Repeat("b", 64) + "  x\n": "line 2 gives",
	} {
		sums, err := interpreters.ParseSums([]byte(list))
		if got := fmt.Sprint(len(sums)); err == nil && got != want || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("of %q: %v, error %v, want %s", list, sums, err, want)
		}
	}
}

// FuzzParseSums reads lists that others have written.
func FuzzParseSums(f *testing.F) {
	f.Add([]byte(strings.Repeat("a", 64) + "  x.zip\n"))
	f.Add([]byte("# x\n\n" + strings.Repeat("0", 64) + " *a/b\r\n"))
	f.Fuzz(func(t *testing.T, list []byte) {
		sums, err := interpreters.ParseSums(list)
		for name, digest := range sums {
			if err == nil && (len(digest) != 64 || strings.Contains(name, "/") || name == "" || name == ".") {
				t.Errorf("%q has the digest %q", name, digest)
			}
		}
	})
}

func TestEmbedded(t *testing.T) {
	here := interpreters.Local{}
	for _, i := range interpreters.Embedded() { // none, or what make embedded-runtimes has put there
		b, err := here.Get(i.Name)
		if err != nil {
			t.Errorf("%s: %v", i.Name, err)
		}
		if err := interpreters.CheckName(b, i.Name); err != nil {
			t.Errorf("%s: %v", i.Name, err)
		}
	}
	if len(interpreters.Embedded()) != len(here.List()) {
		t.Errorf("without a folder there are %v, want %v", here.List(), interpreters.Embedded())
	}
	if _, err := here.Get("none"); !os.IsNotExist(err) {
		t.Errorf("a runtime that is nowhere: %v", err)
	}
	// One that somebody has put on this machine comes before the one in the program.
	folder := interpreters.Folder(t.TempDir())
	b, err := script.WrapBundle(script.Info{Name: "lua", Version: "0", Language: "Mine"}, []byte("\x00asm"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := folder.Put(b); err != nil {
		t.Fatal(err)
	}
	if i, err := (interpreters.Local{Folder: folder}).Info("lua@3"); err != nil || i.Language != "Mine" {
		t.Errorf("it takes %+v, error %v", i, err)
	}
	if _, err := interpreters.Folder("").Put(b); err == nil {
		t.Error("a folder that is none takes a runtime")
	}
}
