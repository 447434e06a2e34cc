package console

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// send uploads files, given as NAME and content in turn, and returns the page that comes back.
func (b *bench) send(name string, files ...string) (status int, page string) {
	b.t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	_ = w.WriteField("name", name)
	_ = w.WriteField("runtime", "")
	for i := 0; i < len(files); i += 2 {
		part, err := w.CreatePart(map[string][]string{"Content-Disposition": {
			`form-data; name="file"; filename="` + files[i] + `"`}})
		if err != nil {
			b.t.Fatal(err)
		}
		_, _ = part.Write([]byte(files[i+1]))
	}
	_ = w.Close()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.web.URL+"/_/upload", &form)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Origin", b.web.URL)
	r.Header.Set("Content-Type", w.FormDataContentType())
	resp, page := b.do(r)
	return resp.StatusCode, page
}

// TestUpload deploys what browsers send, and refuses what is no function with what to do.
func TestUpload(t *testing.T) {
	b := start(t)
	probe := string(runtimestest.Wasm())
	for _, c := range []struct {
		about  string
		name   string
		files  []string
		status int
		want   string
	}{
		{"a module", "", []string{"first.wasm", probe}, 200, "first version 1 is deployed"},
		{"the same again", "", []string{"first.wasm", probe}, 200, "was like this already"},
		{"under another name", "second", []string{"first.wasm", probe}, 200, "second version 1 is deployed"},
		{"a folder", "", []string{"f/polyvoke.toml", "name = \"third\"\nmodule = \"x.wasm\"\n[limits]\ntimeout = \"2s\"\n",
			"f/x.wasm", probe}, 200, "third version 1 is deployed"},
		{"a folder of Windows", "", []string{`g\\polyvoke.toml`, "name = \"fourth\"\nmodule = \"x.wasm\"\n", `g\\x.wasm`, probe},
			200, "fourth version 1 is deployed"},
		{"a trigger that is odd", "", []string{"polyvoke.toml", "name = \"fifth\"\nmodule = \"x.wasm\"\n[[trigger]]\n" +
			"subject = \"a\"\nto = \"fn.first\"\n", "x.wasm", probe}, 422, "trigger"},
		{"no module", "", []string{"bad.wasm", "nothing"}, 422, "bad.wasm"},
		{"a source", "", []string{"main.rs", "fn main() {}"}, 422, "Rust"},
		{"several without a manifest", "", []string{"a.py", "", "b.py", ""}, 400, "polyvoke.toml"},
		{"a bad manifest", "", []string{"polyvoke.toml", "nmae = 1"}, 422, "polyvoke.toml:1"},
		{"a manifest that reaches out", "", []string{"polyvoke.toml", "name = \"x\"\nscript = \"/etc/passwd\"\n"}, 422,
			"not among the files"},
		{"one that climbs out", "", []string{"polyvoke.toml", "name = \"x\"\nscript = \"../../etc/passwd\"\n"}, 422,
			"not among the files"},
		{"a name that climbs out", "", []string{"../x.wasm", probe}, 400, "one folder"},
		{"an absolute name", "", []string{"/tmp/x.wasm", probe}, 400, "one folder"},
		{"the same twice", "", []string{"x.wasm", probe, "x.wasm", probe}, 400, "twice"},
		{"what is not built", "", []string{"polyvoke.toml", "name = \"x\"\nmodule = \"x.wasm\"\nbuild = { source = \"x.c\" }\n",
			"x.c", "int main;"}, 422, "polyvoke build"},
		{"a bad name", "no good", []string{"x.wasm", probe}, 422, "no good"},
		{"nothing", "", nil, 400, "there is no file"},
	} {
		status, page := b.send(c.name, c.files...)
		if status != c.status || !strings.Contains(page, c.want) {
			t.Errorf("%s: %d, want %d with %q:\n%s", c.about, status, c.status, c.want, page)
		}
		if strings.Contains(page, "polyvoke-upload-") {
			t.Errorf("%s: the page tells where files were", c.about)
		}
	}
	b.wants(b.get("/_/"), "first", "second", "third", "fourth")
	if r := b.Call("fn.third", []byte("hello")); string(r.Body) != "hello" {
		t.Errorf("the reply is %q, %v", r.Body, r.Err)
	}
	b.wants(b.post("/_/upload", nil), "this is no upload")
}
