package memory

import "sync/atomic"

// ledger remembers how many faults threads had had when somebody last looked: since then a thread has had no fewer.
// So who begins to watch need not ask the kernel, and at worst takes a fault for one of the run. A thread writes only
// its own entry.
//
// Go's threads do not end while the process lives, unless a goroutine ends that is bound to one, as none is here
// outside of a run. If one did, and another got the same number, the new one would have to have had exactly as many
// faults to be mistaken for it.
type ledger struct{ entries [512]entry }

// entry is one thread's. It belongs to the first thread that claims it.
type entry struct{ thread, faults atomic.Uint64 }

// threads is the process's ledger.
var threads ledger

// of returns the calling thread's entry. It is nil if there is none: threads cannot be told apart, or the ledger is
// full thereabouts. The goroutine must be bound to its thread.
func (l *ledger) of(thread uint64) *entry {
	if thread == 0 {
		return nil
	}
	const tries = 16
	at := thread * 0x9E3779B97F4A7C15 >> 55 // Fibonacci hashing, to 9 bits
	for i := range uint64(tries) {
		e := &l.entries[(at+i)%uint64(len(l.entries))]
		switch e.thread.Load() {
		case thread:
			return e
		case 0:
			if e.thread.CompareAndSwap(0, thread) {
				e.faults.Store(faults())
				return e
			}
		}
	}
	return nil
}
