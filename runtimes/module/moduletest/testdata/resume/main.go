// Command resume has its functions entered in the middle in all the ways that Go knows: after switches of goroutines,
// in deferred calls, after panics.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"iter"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// shared is worked on by goroutines that switch within loops.
type shared struct {
	mu  sync.Mutex
	sum int
}

// work has a switch in the inner one of two loops, one in a branch, and values that live across both.
func (s *shared) work(n, step int) (all int) {
	for i := range n {
		local := i * step
		for j := range 5 {
			if (i+j)%3 == 0 {
				runtime.Gosched()
				local += j
			}
			s.mu.Lock()
			s.sum += local
			s.mu.Unlock()
		}
		all += local
	}
	return all
}

// recovers panics at some depth and goes on in a deferred call.
func recovers(depth int) (text string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.Join(err, fmt.Errorf("at %d: %v", depth, r))
		}
	}()
	for i := range 3 {
		defer func() { text += fmt.Sprint(i) }()
		if i == 2 && depth == 0 {
			var none []int
			_ = none[i]
		}
	}
	if depth > 0 {
		text, err = recovers(depth - 1)
		if depth%2 == 0 {
			panic(fmt.Sprint("again ", depth))
		}
	}
	return text, err
}

// pairs is a sequence that is pulled, which switches between two stacks.
func pairs(words []string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for i, w := range words {
			if !yield(i, strings.ToUpper(w)) {
				return
			}
		}
	}
}

// jumps has gotos, labels and a switch in a loop.
func jumps(b []byte) (n int) {
	i := 0
again:
	for i < len(b) {
		switch c := b[i]; {
		case c == ' ':
			i++
			continue again
		case c < 'a':
			i += 2
			goto next
		case c > 'x':
			break again
		}
		n += int(b[i])
		i++
	}
	return n
next:
	n *= 3
	if n < 1<<40 {
		goto again
	}
	return -n
}

func main() {
	in, err := bufio.NewReader(os.Stdin).ReadString(0)
	words := strings.Fields(in)
	fmt.Println(len(words), err)
	s := &shared{}
	results := make(chan int)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() { results <- s.work(20+i, i) })
	}
	go func() { group.Wait(); close(results) }()
	var all []int
	for r := range results {
		all = append(all, r)
	}
	slices.Sort(all)
	fmt.Println(all, s.sum)
	fmt.Println(recovers(5))
	next, stop := iter.Pull2(pairs(words))
	for range 3 {
		fmt.Println(next())
	}
	stop()
	fmt.Println(jumps([]byte(in)), jumps([]byte("AbCdEf ghz")))
	ticks := make(chan string, 1)
	for i := range 6 {
		select {
		case ticks <- fmt.Sprint("tick ", i):
		case t := <-ticks:
			fmt.Println(t)
		}
	}
}
