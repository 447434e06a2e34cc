// Tokens sends the words of a request back one by one, each 20 ms after the one before, as a language model would: a
// stream to look at. With the argument "events" they are server-sent events.
package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

const pause = 20 * time.Millisecond

func main() {
	request, err := io.ReadAll(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(66)
	}
	format := "%s "
	if slices.Contains(os.Args[1:], "events") {
		format = "data: %s\n\n"
	}
	for _, word := range strings.Fields(string(request)) {
		fmt.Printf(format, word) // os.Stdout has no buffer: each word is a write
		time.Sleep(pause)
	}
}
