package main

import (
	"fmt"
	"time"
)

// waiting shows on stderr, if that is a terminal, for how many seconds something has been waited for, until
// done is called.
func (c *cli) waiting(what string) (done func()) {
	if !isTerminal(c.stderr) {
		return func() {}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		seconds := time.NewTicker(time.Second)
		defer seconds.Stop()
		for n := 1; ; n++ {
			select {
			case <-seconds.C:
				fmt.Fprintf(c.stderr, "\r%s: %d s", what, n)
			case <-stop:
				if n > 1 {
					fmt.Fprintln(c.stderr)
				}
				return
			}
		}
	}()
	return func() {
		close(stop)
		<-stopped
	}
}
