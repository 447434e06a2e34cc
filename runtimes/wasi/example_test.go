package wasi_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

func ExampleNew() {
	ctx := context.Background()
	r, err := wasi.New(ctx, wasi.Config{MaxMemory: 64 << 20})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close(ctx)

	g, err := r.Compile(ctx, runtimestest.Wasm(), runtimes.Options{Memory: 1 << 20})
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range []string{"Ada", "Grace"} { // each in a sandbox of its own
		p := &runtimes.Process{Stdin: strings.NewReader("hello " + name + "\n"), Stdout: os.Stdout}
		if err := g.Run(ctx, p); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("done")
	// Output:
	// hello Ada
	// hello Grace
	// done
}
