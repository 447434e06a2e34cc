package terminal

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// What is written to something that is no terminal: a line after firstLine, and one each nextLine after that.
const (
	firstLine = 2 * time.Second
	nextLine  = 10 * time.Second
)

// firstLook is how long something may take on a terminal before there is a word of it, so that the line does not
// flicker.
const firstLook = 200 * time.Millisecond

// Waiting shows on w what is being done and for how long, until done is called: on a terminal in a line that done
// takes away again, elsewhere in a line now and then. done must be called, once.
func Waiting(w io.Writer, what string) (done func()) {
	stop := make(chan struct{})
	var shown sync.WaitGroup
	if !Is(w) {
		shown.Go(func() { list(w, what, stop, firstLine, nextLine) })
		return func() {
			close(stop)
			shown.Wait()
		}
	}
	shown.Go(func() {
		select {
		case <-time.After(firstLook):
			count(w, what, stop)
		case <-stop:
		}
	})
	return func() {
		close(stop)
		shown.Wait()
		Control(w, "\r\x1b[K") // ECMA-48, 8.3.41: erase in line
	}
}

// list writes a line with the seconds that have passed after a first time, and then each time that next has passed,
// until stop is closed.
func list(w io.Writer, what string, stop <-chan struct{}, first, next time.Duration) {
	tick(stop, first, next, func(passed time.Duration) {
		fmt.Fprintf(w, "%s ... %d s\n", what, int(passed.Seconds()))
	})
}

// Ticks calls tell from a goroutine with the time that has passed when something is worth a word: after two seconds
// and each ten seconds after that, until done is called, once, which waits for it.
func Ticks(tell func(passed time.Duration)) (done func()) {
	stop := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() { tick(stop, firstLine, nextLine, tell) })
	return func() {
		close(stop)
		telling.Wait()
	}
}

// tick tells the time that has passed after a first time, and then each time that next has passed, until stop is
// closed.
func tick(stop <-chan struct{}, first, next time.Duration, tell func(passed time.Duration)) {
	since := time.Now()
	t := time.NewTimer(first)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			tell(time.Since(since))
			t.Reset(next)
		case <-stop:
			return
		}
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
