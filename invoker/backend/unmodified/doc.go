// Package unmodified has tests only: programs that know nothing of NATS do on its buckets what they do on a folder, and
// each difference is a named expectation.
package unmodified
