package wasi_test

import "strings"

// The bombs are small modules that are valid, and cost a compiler minutes or gigabytes.

// manyLoops is loops in a row, each of which changes a local: every local has a value of its own
// (a phi) in every loop.
func manyLoops(loops, locals int) []byte {
	var b strings.Builder
	for i := range loops {
		v := uleb(i % locals)
		b.WriteString("\x03\x40" + "\x20" + v + i32(1) + "\x6a\x22" + v + "\x0d\x00" + "\x0b")
	}
	return assembly{locals: locals, code: b.String()}.bytes()
}

// manyIfs is ifs in a row, each of which changes all locals.
func manyIfs(ifs, locals int) []byte {
	var all strings.Builder
	for i := range locals {
		all.WriteString("\x20" + uleb(i) + i32(1) + "\x6a\x21" + uleb(i))
	}
	one := "\x20\x00\x04\x40" + all.String() + "\x0b"
	return assembly{locals: locals, code: strings.Repeat(one, ifs)}.bytes()
}

// deepBlocks is blocks in blocks.
func deepBlocks(n int) []byte {
	return assembly{code: strings.Repeat("\x02\x40", n) + strings.Repeat("\x0b", n)}.bytes()
}

// manyTables is br_tables in a row, each of which can leave any of depth blocks.
func manyTables(tables, depth int) []byte {
	var targets strings.Builder
	for i := range depth {
		targets.WriteString(uleb(i))
	}
	table := "\x02\x40\x20\x00\x0e" + uleb(depth-1) + targets.String() + "\x0b"
	return assembly{code: strings.Repeat("\x02\x40", depth) + strings.Repeat(table, tables) +
		strings.Repeat("\x0b", depth)}.bytes()
}
