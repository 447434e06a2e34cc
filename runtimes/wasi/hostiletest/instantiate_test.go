package hostiletest

// births are calls that take long, or much, before their first instruction: what an engine does for each new instance
// is not counted as fuel, and is bounded by what a module may have of it.
func births(int) []attack {
	const n = 99_000 // below the limit, which is for all of them together
	functions := "\x70\x00" + number(1000)
	sum := func(n int) string { return rep(n, i32(1)) + rep(n-1, add) }
	return []attack{
		{name: "tables with 1,000,000 entries",
			guest: guest{tables: many(10, "\x70\x00"+number(100_000)), functions: entry("")}, want: well()},
		{name: "element segments with 99,000 functions",
			guest: guest{tables: []string{functions}, elements: many(n/1000, "\x00"+i32(0)+end+list(many(1000, "\x00"))),
				functions: entry("")}, want: well()},
		{name: "element segments with 99,000 expressions",
			guest: guest{tables: []string{functions}, elements: many(n/1000, "\x04"+i32(0)+end+list(many(1000, "\xd2\x00"+end))),
				functions: entry("")}, want: well()},
		{name: "a global whose value is the sum of 190,000 numbers",
			guest: guest{globals: []string{"\x7f\x00" + sum(190_000) + end}, functions: entry("")}, want: well()},
		{name: "10,000 globals",
			guest: guest{globals: many(10_000, "\x7f\x01"+i32(0)+end), functions: entry("")}, want: well()},
		{name: "10,000 globals that are vectors",
			guest: guest{globals: many(10_000, "\x7b\x01"+v128+end), functions: entry("")}, want: well()},
		{name: "100,000 data segments",
			guest: guest{data: many(100_000, active(0, "x")), functions: entry("")}, want: well()},
		{name: "7 MiB of data",
			guest: guest{pages: 64, data: many(7, active(0, rep(1<<20, "x"))), functions: entry("")}, want: well()},
		{name: "90,000 exports", guest: guest{exports: names(90_000), functions: entry("")}, want: well()},
	}
}
