// Package idle keeps things that take long to make until they are needed again, or for the first time.
//
// A [Pool] keeps items of one kind, and can have more of them made before they are needed. What it keeps takes
// memory: a [Budget] says how much all pools that share it may take together. An item that nobody has needed for
// ShedAfter gives memory back, and one that nobody has needed for EndAfter ends. When the budget is used up, those
// that are longest idle end, whichever pool they are in.
//
// # Locks
//
// A Budget has a lock and each Pool has one. Whoever holds that of a Budget may take that of a Pool, never the other
// way round. No method of an Item and no function that makes one is called under a lock: an item is taken off its list
// first, so that one goroutine has it for itself. Until that goroutine is done with it, Close of the pool waits.
package idle
