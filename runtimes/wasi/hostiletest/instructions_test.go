package hostiletest

// slowInstructions are loops of what takes a processor, or the engine, much longer than an addition. Fuel counts most
// of them as one.
func slowInstructions(pages int) []attack {
	size := pages << 16
	const f64 = "\x44\x01\x00\x00\x00\x00\x00\x00\x00" // the smallest number that is not 0
	unrolled := func(code string) []function { return entry(forever(rep(2000, code))) }
	return []attack{
		{name: "division of integers",
			guest: guest{functions: unrolled(i64(-1) + i64(3) + "\x7f" + drop + get(0) + i32(7) + "\x6d" + drop)},
			want:  deadline()},
		{name: "a chain of divisions",
			guest: guest{functions: []function{{locals: locals(1, i64Type),
				code: forever(rep(2000, get(0)+i64(0x7fffffffffffffff)+"\x84"+i64(3)+"\x80"+set(0)))}}}, want: deadline()},
		{name: "denormal numbers", guest: guest{functions: entry(forever(f64 + rep(2000, f64+"\xa0"+"\x44\x00\x00\x00\x00\x00\x00\xe0\x3f\xa2") + drop))}, want: deadline()},
		{name: "square roots", guest: guest{functions: entry(forever(f64 + rep(2000, "\x9f") + drop))}, want: deadline()},
		{name: "vectors",
			guest: guest{functions: entry(forever(v128 + rep(1000, v128+"\xfd\xd5\x01"+"\xfd\xe1\x01"+"\xfd\xef\x01") + drop))},
			want:  deadline()},
		{name: "memory.size", guest: guest{functions: unrolled("\x3f\x00" + drop)}, want: deadline()},
		{name: "memory.grow by nothing", guest: guest{functions: unrolled(i32(0) + grow + drop)}, want: deadline()},
		{name: "memory.grow that fails", guest: guest{functions: unrolled(i32(-1) + grow + drop)}, want: deadline()},
		{name: "references to 10,000 functions",
			guest: guest{functions: append(entry(forever(refer(10_000))), make([]function, 9_999)...), tabled: true},
			want:  deadline()},
		{name: "ref.func", guest: guest{functions: unrolled("\xd2\x00" + drop), tabled: true}, want: deadline()},
		{name: "table.get", guest: guest{functions: unrolled(i32(0) + "\x25\x00" + drop), tabled: true}, want: deadline()},
		{name: "table.size", guest: guest{functions: unrolled("\xfc\x10\x00" + drop), tabled: true}, want: deadline()},
		{name: "table.grow by nothing",
			guest: guest{functions: unrolled("\xd0\x70" + i32(0) + "\xfc\x0f\x00" + drop), tabled: true}, want: deadline()},
		{name: "memory.fill of nothing",
			guest: guest{functions: unrolled(i32(0) + i32(0) + i32(0) + fill)}, want: deadline()},
		{name: "memory.copy of 1 KiB",
			guest: guest{functions: unrolled(i32(0) + i32(1) + i32(1024) + copyUp)}, want: deadline()},
		{name: "memory.init of nothing",
			guest: guest{functions: unrolled(i32(0) + i32(0) + i32(0) + "\xfc\x08\x00\x00"), data: []string{passive("x")}},
			want:  deadline()},
		{name: "data.drop",
			guest: guest{functions: unrolled("\xfc\x09\x00"), data: []string{passive("x")}}, want: deadline()},
		{name: "table.init of nothing",
			guest: guest{functions: unrolled(i32(0) + i32(0) + i32(0) + "\xfc\x0c\x00\x00"), tabled: true}, want: deadline()},
		{name: "call_indirect of a leaf",
			guest: guest{functions: []function{{code: forever(rep(2000, indirect(1)))}, {}}, tabled: true}, want: deadline()},
		{name: "a store into each page, again and again",
			guest: guest{pages: pages, functions: entry(forever(eachStep(4096, size)))}, want: deadline()},
		{name: "a store into each cache line",
			guest: guest{pages: pages, functions: entry(forever(eachStep(64, size)))}, want: deadline()},
		{name: "loads that the cache has not, each from where the last one says",
			guest: chase(pages, 0, 2000), want: deadline()},
		{name: "one such load in each turn of a loop", guest: chase(pages, 0, 1), want: deadline()},
		{name: "the same after work that takes no time, in turns", guest: chase(pages, 2_000_000, 2000), want: deadline()},
		{name: "stores that the cache has not",
			guest: guest{pages: pages, functions: entry(forever(rep(2000, random(size)+i32(1)+store)))}, want: deadline()},
		{name: "loads that are not aligned and cross pages",
			guest: guest{pages: pages, functions: unrolled(i32(4093) + "\x29\x00\x00" + drop)}, want: deadline()},
	}
}

// eachStep stores a number at every step bytes of memory up to size.
func eachStep(step, size int) string {
	return i32(0) + set(0) + loop + get(0) + get(0) + store + get(0) + i32(step) + add + tee(0) + i32(size-4) +
		"\x49\x0d\x00" + end
}

// random steps local 0 on, and pushes an address below size, which is rounded down to a power of two.
func random(size int) string {
	return get(0) + i32(1664525) + "\x6c" + i32(1013904223) + add + tee(0) + i32(4) + "\x76" + i32(mask(size)) + "\x71"
}

// mask returns the mask of the addresses of aligned numbers below size, or the half of it.
func mask(size int) int {
	m := 4
	for m*2 <= size {
		m *= 2
	}
	return m - 4
}

// chase fills memory with a walk that goes everywhere, and then follows it: 1,000,000 steps at a time, so many in
// each turn of a loop, each time after some turns of a loop that does nothing.
func chase(pages, turns, loads int) guest {
	size := mask(pages<<16) + 4
	// Every cache line says where the next is: (7919*64 + 64) times something odd further on is a full cycle of a
	// power of two.
	const stride = 7919 * 64 * 13
	next := get(0) + i32(stride) + add + i32(size-1) + "\x71"
	write := loop + get(0) + next + store + next + tee(0) + "\x0d\x00" + end
	idle := ""
	if turns > 0 {
		idle = times(turns, 1, "")
	}
	return guest{pages: pages,
		functions: entry(write +
			forever(i32(0)+set(1)+idle+i32(0)+set(1)+times(1_000_000/loads, 1, get(0)+rep(loads, load)+set(0))))}
}

// refer refers to each of n functions.
func refer(n int) (code string) {
	for i := range n {
		code += "\xd2" + number(i) + drop
	}
	return code
}
