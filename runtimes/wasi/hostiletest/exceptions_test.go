package hostiletest

// exceptions are loops and recursions with exceptions: lowered, and left to the engine since another module might catch
// them.
func exceptions(int) []attack {
	deep := deadline() // 5000 frames are not much
	list := exceptionsOf(deep, nil)
	for _, a := range exceptionsOf(tooDeep(), []string{text("tag") + "\x04\x00"}) {
		a.name += ", by the engine"
		list = append(list, a)
	}
	return list
}

// exceptionsOf are those of guests with more exports.
func exceptionsOf(deep ending, exports []string) []attack {
	out := block + catchAll + throw + end + end
	// what catch_all_ref passes on, by throw_ref
	again := "\x02\x69\x1f\x40\x01\x03\x00" + throw + end + trap + end + "\x0a"
	depth := func(n int, inner string) string { return rep(n, block+catchAll) + inner + rep(n, end+end) }
	list := []attack{
		{name: "an exception that nobody catches",
			guest: guest{functions: entry(throw), tags: 1}, want: trapped("exception")},
		{name: "exceptions in a loop", guest: guest{functions: entry(forever(out)), tags: 1}, want: deadline()},
		{name: "exceptions thrown to a loop",
			guest: guest{functions: entry(loop + "\x1f\x40\x01\x02\x00" + throw + end + end), tags: 1}, want: deadline()},
		{name: "exceptions through 1000 frames",
			guest: guest{functions: []function{{code: forever(block + catchAll + i32(1000) + call(1) + end + end)},
				{typ: "i", code: get(0) + "\x04\x40" + get(0) + i32(-1) + add + call(1) + otherwise + throw + end}}, tags: 1},
			want: deadline()},
		{name: "exceptions thrown again by reference",
			guest: guest{functions: entry(forever(block + catchAll + again + end + end)), tags: 1}, want: deadline()},
		{name: "an exception thrown again that nobody catches",
			guest: guest{functions: entry(again), tags: 1}, want: trapped("exception")},
		{name: "exceptions out of 100 handlers",
			guest: guest{functions: entry(forever(depth(100, throw))), tags: 1}, want: deadline()},
		{name: "handlers in a loop that catch nothing",
			guest: guest{functions: entry(forever(rep(1000, block+catchAll+end+end))), tags: 1}, want: deadline()},
		{name: "handlers on a deep stack", guest: guest{functions: []function{{code: i32(5000) + call(1)},
			{typ: "i", code: get(0) + "\x04\x40" + get(0) + i32(-1) + add + call(1) + otherwise + forever(out) + end}}, tags: 1},
			want: deep},
		{name: "a handler in each frame of a recursion",
			guest: guest{functions: entry(block + catchAll + call(0) + end + end), tags: 1}, want: tooDeep()},
		{name: "an exception in each frame of a recursion",
			guest: guest{functions: entry(out + call(0)), tags: 1}, want: tooDeep()},
		{name: "a recursion in each handler",
			guest: guest{functions: entry(block + catchAll + throw + end + end + call(0)), tags: 1}, want: tooDeep()},
		{name: "a stack overflow that a handler tries to catch",
			guest: guest{functions: []function{{code: forever(block + catchAll + call(1) + end + end)}, {code: call(1)}},
				tags: 1}, want: tooDeep()},
		{name: "a trap that a handler tries to catch",
			guest: guest{functions: entry(forever(block + catchAll + trap + end + end)), tags: 1}, want: trapped("unreachable")},
		{name: "an exception from the start section",
			guest: guest{functions: entry(throw), tags: 1, start: true}, want: trapped("exception")},
		{name: "an exit inside a handler",
			guest: guest{imports: []string{"proc_exit"}, functions: entry(block + catchAll + call(0, 7) + end + end), tags: 1},
			want:  exits(7)},
	}
	for i := range list {
		list[i].guest.exports = exports
	}
	return list
}
