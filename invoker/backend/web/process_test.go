package web

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// TestProcess has a process in the sandbox read and list, in each start kind. It knows files only.
func TestProcess(t *testing.T) {
	asked := 0
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.URL.Path == "/missing/x" {
			http.NotFound(w, r)
			return
		}
		if r.URL.Query().Has("stream") {
			w.(http.Flusher).Flush()
		}
		fmt.Fprint(w, r.RequestURI, " ", asked)
	})
	w := newWorld(t, Config{}, protocol.Grant{HTTP: "http://" + at})
	rt, err := wasi.New(t.Context(), wasi.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rt.Close(t.Context()) })
	for _, start := range []string{"fresh", "reset", "prefork", "checkpoint"} {
		program, err := rt.Compile(t.Context(), runtimestest.Wasm(), runtimes.Options{
			Start: start, Mounts: []files.Mount{{Path: "/http"}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			mode, path, want string
			exit             int
		}{
			{"cat", "/http/" + at + "/a?b=c", "/a?b=c", 0}, {"cat", "/http/" + at + "/a?stream", "/a?stream", 0},
			{"cat", "/http/" + at + "/%", "/", 0}, {"ls", "/http", at, 0},
			{"cat", "/http/" + at + "/missing/x", "", 66}, {"cat", "/http/other.example/x", "", 66},
		} {
			before := asked
			out, exit := process(t, w, program, c.mode, c.path)
			if c.mode == "cat" && c.exit == 0 { // no process sees what another has got
				c.want += fmt.Sprint(" ", before+1)
			}
			if strings.TrimSpace(out) != c.want || exit != c.exit {
				t.Errorf("%s: %s %s: %q, exit %d, want %q, exit %d", start, c.mode, c.path, out, exit, c.want, c.exit)
			}
		}
		if err := program.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// process runs one. It returns what it has written, and how it has ended.
func process(t *testing.T, w *world, program runtimes.Program, args ...string) (out string, exit int) {
	t.Helper()
	tx := w.g.Begin(t.Context(), backend.Call{Deadline: time.Now().Add(time.Minute), ID: func() string { return "id" }})
	defer tx.End()
	var b bytes.Buffer
	err := program.Run(t.Context(), &runtimes.Process{Args: append([]string{"probe"}, args...),
		Stdin: bytes.NewReader(nil), Stdout: &b, Stderr: &b, Mounts: tx.Mounts()})
	var code *runtimes.ExitError
	if errors.As(err, &code) {
		return b.String(), int(code.Code)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), 0
}
