package guest

import "os"

// buildGoJSON builds one that decodes and encodes JSON.
func buildGoJSON(b *builder, g *Guest) error {
	g.Body = []byte(`{"name":"Ada","numbers":[1,2,3,4]}`)
	g.Want = []byte(`{"greeting":"Hello, Ada!","sum":10}`)
	return buildGo(b, g)
}

// buildGo builds a program with the Go that is there.
func buildGo(b *builder, g *Guest) (err error) {
	if err := os.WriteFile(b.path("go.mod"), []byte("module guest\n\ngo 1.26.0\n"), 0o644); err != nil {
		return err
	}
	build := func(env ...string) func(string) error {
		return func(out string) error {
			return b.run(append(env, "CGO_ENABLED=0", "GOWORK=off"), "go", "build", "-trimpath", "-buildvcs=false",
				"-ldflags=-s -w", "-o", out, ".")
		}
	}
	if g.Wasm, err = b.once("guest.wasm", build("GOOS=wasip1", "GOARCH=wasm"), "main.go"); err != nil {
		return err
	}
	g.Native, err = b.once("guest", build(), "main.go")
	return err
}
