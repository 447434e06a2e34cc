package hostiletest

// memories are calls that are after memory, and after the time that it takes to fill it.
func memories(pages int) []attack {
	size := pages << 16
	growing := forever(i32(1) + grow + drop)
	filling := i32(0) + i32(7) + i32(size) + fill
	large := passive(rep(1<<20, "x"))
	return []attack{
		{name: "memory.fill x 400",
			guest: guest{pages: pages, functions: entry(rep(400, filling) + forever(filling))}, want: deadline()},
		{name: "memory.copy x 400, overlapping",
			guest: guest{pages: pages, functions: entry(rep(400, i32(1)+i32(0)+i32(size-1)+copyUp) + forever(filling))},
			want:  deadline()},
		{name: "memory.fill in a loop", guest: guest{pages: pages, functions: entry(forever(filling))}, want: deadline()},
		{name: "memory.copy in a loop",
			guest: guest{pages: pages, functions: entry(forever(i32(4096) + i32(0) + i32(size-4096) + copyUp))},
			want:  deadline()},
		{name: "memory.init in a loop",
			guest: guest{pages: max(pages, 16), functions: entry(forever(i32(0) + i32(0) + i32(1<<20) + "\xfc\x08\x00\x00")),
				data: []string{large}}, want: deadline()},
		{name: "memory.grow in a loop", guest: guest{functions: entry(growing)}, want: deadline()},
		{name: "memory.grow until it fails, then unreachable",
			guest: guest{functions: entry(loop + i32(1) + grow + i32(-1) + "\x47\x0d\x00" + end + trap)}, want: memoryLimit()},
		{name: "memory.grow by all there is",
			guest: guest{functions: entry(i32(60_000) + grow + i32(-1) + "\x46\x04\x40" + trap + end)}, want: memoryLimit()},
		{name: "memory.grow beyond its own maximum",
			guest: guest{maximum: 2, functions: entry(i32(2) + grow + i32(-1) + "\x46\x04\x40" + trap + end)},
			want:  trapped("unreachable")},
		{name: "memory.grow, and each page filled",
			guest: guest{functions: entry(loop + i32(1) + grow + tee(0) + i32(-1) + "\x47\x04\x40" + get(0) + i32(16) + "\x74" +
				i32(1) + i32(1<<16) + fill + end + again + end)}, want: deadline()},
		{name: "memory.grow in the start section", guest: guest{functions: entry(growing), start: true}, want: deadline()},
		{name: "all of the memory touched at once, first thing",
			guest: guest{pages: pages, functions: entry(eachStep(4096, size) + forever(""))}, want: deadline()},
		{name: "memory.init of a segment that was dropped",
			guest: guest{functions: entry("\xfc\x09\x00" + i32(0) + i32(0) + i32(1) + "\xfc\x08\x00\x00"),
				data: []string{passive("x")}}, want: trapped("out of bounds")},
		{name: "memory.fill that wraps round",
			guest: guest{functions: entry(i32(-1) + i32(1) + i32(2) + fill)}, want: trapped("out of bounds")},
		{name: "memory.copy from beyond",
			guest: guest{functions: entry(i32(0) + i32(65_535) + i32(-1) + copyUp)}, want: trapped("out of bounds")},
		{name: "a load with the largest offset",
			guest: guest{functions: entry(i32(-1) + "\x28\x00\xff\xff\xff\xff\x0f" + drop)}, want: trapped("out of bounds")},
		{name: "a load one byte beyond",
			guest: guest{functions: entry(i32(65_533) + load + drop)}, want: trapped("out of bounds")},
		{name: "the memory under many names",
			guest: guest{functions: entry(forever("")), exports: names(500)}, want: deadline()},
	}
}

// names exports the memory under n more names.
func names(n int) (exports []string) {
	for _, v := range numbers(n) {
		exports = append(exports, text("memory "+hexOf(v))+"\x02\x00")
	}
	return exports
}

// tables are calls that are after tables.
func tables(int) []attack {
	const extern, some = "\x6f\x00", 1_000_000
	null := "\xd0\x6f"
	table := func(entries int) []string { return []string{extern + number(entries)} }
	return []attack{
		{name: "table.grow in a loop",
			guest: guest{tables: table(1), functions: entry(forever(null + i32(1000) + "\xfc\x0f\x00" + drop))},
			want:  deadline()},
		{name: "table.grow by 2^32 - 1",
			guest: guest{tables: table(1),
				functions: entry(null + i32(-1) + "\xfc\x0f\x00" + i32(-1) + "\x47\x04\x40" + trap + end)}, want: well()},
		{name: "table.grow of ten tables",
			guest: guest{tables: many(10, extern+"\x01"), functions: entry(forever(growAll(10)))}, want: deadline()},
		{name: "table.fill in a loop",
			guest: guest{tables: table(some), functions: entry(forever(i32(0) + null + i32(some) + "\xfc\x11\x00"))},
			want:  deadline()},
		{name: "table.copy in a loop, overlapping",
			guest: guest{tables: table(some), functions: entry(forever(i32(1) + i32(0) + i32(some-1) + "\xfc\x0e\x00\x00"))},
			want:  deadline()},
		{name: "table.init in a loop",
			guest: guest{tables: []string{"\x70\x00" + number(some)},
				elements:  []string{"\x01\x00" + list(many(100_000, "\x00"))},
				functions: entry(forever(i32(0) + i32(0) + i32(100_000) + "\xfc\x0c\x00\x00"))}, want: deadline()},
		{name: "call_indirect of nothing", guest: guest{tables: []string{"\x70\x00\x0a"}, functions: entry(indirect(3))},
			want: trapped("invalid table access")},
		{name: "call_indirect of another type",
			guest: guest{tabled: true, functions: []function{{code: indirect(1)}, {typ: "i>i", code: get(0)}}},
			want:  trapped("indirect call type mismatch")},
		{name: "call_indirect out of bounds",
			guest: guest{tabled: true, functions: entry(indirect(-1))}, want: trapped("invalid table access")},
		{name: "table.get out of bounds",
			guest: guest{tabled: true, functions: entry(i32(-1) + "\x25\x00" + drop)}, want: trapped("invalid table access")},
		// The engine leaves such a segment out where the specification wants a trap. That harms nobody.
		{name: "an element segment out of bounds",
			guest: guest{tables: []string{"\x70\x00\x01"}, elements: []string{"\x00" + i32(1) + end + "\x01\x00"},
				functions: entry("")}, want: either(trapped("out of bounds"), well())},
	}
}

// growAll grows each of n tables.
func growAll(n int) (code string) {
	for i := range n {
		code += "\xd0\x6f" + i32(10_000) + "\xfc\x0f" + number(i) + drop
	}
	return code
}

// traps are calls that do what no process may.
func traps(int) []attack {
	return []attack{
		{name: "unreachable", guest: guest{functions: entry(trap)}, want: trapped("unreachable")},
		{name: "unreachable in the start section",
			guest: guest{functions: entry(trap), start: true}, want: trapped("unreachable")},
		{name: "division by zero",
			guest: guest{functions: entry(i32(1) + i32(0) + "\x6d" + drop)}, want: trapped("divide by zero")},
		{name: "division that overflows",
			guest: guest{functions: entry(i32(-1<<31) + i32(-1) + "\x6d" + drop)}, want: trapped("overflow")},
		{name: "a number that is no integer",
			guest: guest{functions: entry("\x43\x00\x00\xc0\x7f\xa8" + drop)}, want: trapped("conversion")},
		{name: "a trap deep in a recursion", guest: guest{functions: []function{{code: i32(50_000) + call(1)},
			{typ: "i", code: get(0) + "\x04\x40" + get(0) + i32(-1) + add + call(1) + otherwise + trap + end}}},
			want: trapped("unreachable")},
	}
}
