package wasi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/samples"
)

// TestGreet runs the greeting in every language on the requests that all languages are held to.
func TestGreet(t *testing.T) {
	data, err := os.ReadFile("../../samples/greet/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		About, Stdin, Stdout string
		Args                 []string
		Stdin64              []byte
		Exit                 uint32
	}
	if err := json.Unmarshal(data, &vectors); err != nil || len(vectors) < 10 {
		t.Fatalf("%d vectors, error %v", len(vectors), err)
	}
	languages := 0
	for _, s := range samples.All() {
		if !strings.HasPrefix(s.Name, "greet-") {
			continue
		}
		languages++
		t.Run(s.Language, func(t *testing.T) {
			wasm, err := s.Build(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			g := compile(t, wasm, runtimes.Options{})
			for _, v := range vectors {
				body := v.Stdin64
				if body == nil {
					body = []byte(v.Stdin)
				}
				for _, blocking := range []bool{false, true} {
					p := args(v.Args...)
					p.Stdin = bytes.NewReader(body)
					if blocking {
						p.Stdin = &slowReader{strings.NewReader(string(body))}
					}
					got, err := run(t, g, p)
					exit := &runtimes.ExitError{}
					if errors.As(err, &exit); got != v.Stdout || exit.Code != v.Exit || (err == nil) != (v.Exit == 0) {
						t.Errorf("%s: got %q and the error %v, want %q and the exit status %d", v.About, got, err, v.Stdout, v.Exit)
					}
				}
			}
		})
	}
	if languages != 7 {
		t.Errorf("%d languages", languages)
	}
}

// TestWordcount runs the sample that works with more than a greeting.
func TestWordcount(t *testing.T) {
	for _, s := range samples.All() {
		if s.Name != "wordcount" {
			continue
		}
		p := args(s.Requests[0].Args...)
		p.Stdin = bytes.NewReader(s.Requests[0].Body)
		if got, err := run(t, compile(t, s.Wasm, runtimes.Options{}), p); err != nil || got != string(s.Requests[0].Want) {
			t.Errorf("got %q and the error %v", got, err)
		}
		return
	}
	t.Error("there is no such sample")
}
