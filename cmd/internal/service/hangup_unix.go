//go:build unix

package service

import (
	"os"
	"os/signal"
	"syscall"
)

// hangups returns what tells of each SIGHUP, by which daemons are told to read their settings again, and no longer ends
// the process until stop is called.
func hangups() (told <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}
