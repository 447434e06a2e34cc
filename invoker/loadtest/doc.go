// Package loadtest holds the tests and benchmarks of the whole service at work: a NATS server, an invoker and
// sandboxes, and many calls of functions of every kind, good and bad, for long.
package loadtest
