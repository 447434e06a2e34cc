// Copies stdin to stdout.
package main

import (
	"io"
	"os"
)

func main() {
	body, err := io.ReadAll(os.Stdin)
	if err == nil {
		_, err = os.Stdout.Write(body)
	}
	if err != nil {
		os.Exit(1)
	}
}
