// Polyvoke answers NATS messages with WebAssembly processes.
//
// Every subcommand is a file of this package. Results go to stdout, talk goes to stderr, and
// exit codes are what scripts can act upon (exit.go). The stories in testdata/script show
// all of it as a user types and sees it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

//go:generate go test -run ^TestReference$ -update .

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}
