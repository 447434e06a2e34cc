package terminal

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Waiting shows on w what is being done and for how long, until done is called, which takes it away again. It
// shows nothing if w is no terminal. done must be called, once.
func Waiting(w io.Writer, what string) (done func()) {
	if !Is(w) {
		return func() {}
	}
	stop := make(chan struct{})
	var shown sync.WaitGroup
	shown.Go(func() { count(w, what, stop) })
	return func() {
		close(stop)
		shown.Wait()
		Control(w, "\r\x1b[K") // ECMA-48, 8.3.41: erase in line
	}
}

// count shows the seconds that pass until stop is closed.
func count(w io.Writer, what string, stop <-chan struct{}) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for since := time.Now(); ; {
		Control(w, "\r")
		fmt.Fprintf(w, "%s ... %d s", what, int(time.Since(since).Seconds()))
		select {
		case <-t.C:
		case <-stop:
			return
		}
	}
}
