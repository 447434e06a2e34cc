// Package hostiletest tests package wasi against those who mean harm: calls that do not end or take what is not theirs,
// modules that cost a compiler more than they should, and modules that are broken in a hundred thousand ways.
package hostiletest
