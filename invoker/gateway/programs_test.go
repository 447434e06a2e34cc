package gateway_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/protocol"
)

// program returns a program of testdata, built by the Go of this machine.
func program(t *testing.T, name string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), name+".wasm")
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", out, ".")
	cmd.Dir = filepath.Join("testdata", name)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=-pgo=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, text)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Programs that were written for CGI and for inetd run as they are, and answer the same on both ways.
func TestPrograms(t *testing.T) {
	b := newBed(t)
	b.deploy(t, protocol.Function{Name: "cgi", Limits: protocol.Limits{Timeout: protocol.Duration(patience)},
		HTTP: []protocol.HTTPRoute{{Route: "/cgi/", Request: protocol.HTTPCGI, Reply: protocol.HTTPCGI}}}, program(t, "cgi"))
	b.deploy(t, protocol.Function{Name: "inetd", Limits: protocol.Limits{Timeout: protocol.Duration(patience)},
		HTTP: []protocol.HTTPRoute{{Route: "/inetd", Request: protocol.HTTPMessage, Reply: protocol.HTTPMessage}}},
		program(t, "inetd"))
	a := b.same(t, "PUT", "/cgi/a%20b?x=y", "hello", "Host: me.example", "X-Mine: 1", "Accept-Encoding: identity")
	if a.status != 418 || a.header.Get("X-Program") != "cgi" || len(a.header["Set-Cookie"]) != 2 ||
		!strings.HasPrefix(a.body, `PUT http://me.example/cgi/a%20b?x=y me.example 127.0.0.1`) ||
		!strings.HasSuffix(a.body, ` 1 "hello"`) {
		t.Errorf("CGI: %s", a)
	}
	for body, want := range map[string]string{"hello": `PUT /inetd?x=y me.example 1 "hello"`, "": `PUT /inetd?x=y me.example 1 ""`} {
		a = b.same(t, "PUT", "/inetd?x=y", body, "Host: me.example", "X-Mine: 1", "Accept-Encoding: identity")
		if a.status != 201 || a.header.Get("X-Program") != "inetd" || a.body != want {
			t.Errorf("inetd: %s", a)
		}
	}
}
