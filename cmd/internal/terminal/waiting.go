package terminal

import (
	"fmt"
	"io"
	"time"
)

// Waiting shows on w, if that is a terminal, for how many seconds something has been waited for, until
// done is called.
func Waiting(w io.Writer, what string) (done func()) {
	if !Is(w) {
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
				fmt.Fprintf(w, "\r%s: %d s", what, n)
			case <-stop:
				if n > 1 {
					fmt.Fprintln(w)
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
