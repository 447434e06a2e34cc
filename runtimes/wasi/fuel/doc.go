// Package fuel decides how much fuel a process gets at a time, and makes it ask for more when it should.
//
// A module counts its own work as fuel, and calls the host when a portion of it is used up ([Supply] says how large
// the next one is). Nobody knows how long a portion takes: a unit can be a tenth of a nanosecond, or a thousand times
// as much where the cache has nothing. Native code cannot be preempted, so for that long it would hold its processor,
// and everybody who waits for Go's collector. So a [Watchdog] looks at guests that run for long, once a millisecond,
// and takes more from their fuel than they can have: then they ask.
//
// # How fuel is taken from a guest that runs
//
// The watchdog changes the fuel in one atomic step, and the guest takes from it by reading, subtracting and writing.
// Whichever comes first, the sum stays right: at worst the guest overwrites the change. What is taken is a multiple
// of a number that fuel never comes near, so [Left] finds how much there really is.
//
// A processor reads what it has just written from its store buffer, and executes far ahead of a load that the cache
// does not have. So a short loop would overwrite every change. But when its thread is interrupted, by a signal on
// Linux, all that is undone, and what was taken meanwhile stays.
package fuel
