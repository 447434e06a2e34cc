package hostiletest

// loops are those that do nothing, in every way.
func loops(int) []attack {
	clock := call(0, 0, int64(0), 64)
	nested := rep(500, loop) + "\x0c\xf3\x03" + rep(500, end) // br 499
	return []attack{
		{name: "endless loop", guest: guest{functions: entry(forever(""))}, want: deadline()},
		{name: "endless loop in the start section",
			guest: guest{functions: entry(forever("")), start: true}, want: deadline()},
		{name: "endless br_if", guest: guest{functions: entry(loop + i32(1) + "\x0d\x00" + end)}, want: deadline()},
		{name: "endless br_table",
			guest: guest{functions: entry(loop + block + block + i32(1) + "\x0e\x02\x00\x01\x02" + end + end + again + end)},
			want:  deadline()},
		{name: "br_table of 20,000 labels",
			guest: guest{functions: entry(forever(get(0) + i32(7) + add + tee(0) + "\x0e" + number(20_000) +
				rep(20_001, "\x00")))}, want: deadline()},
		{name: "br_table out of 900 loops",
			guest: guest{functions: entry(rep(900, loop) + i32(-1) + "\x0e" + list(numbers(899)) + number(899) + rep(900, end))},
			want:  deadline()},
		{name: "a loop left for the loop around it",
			guest: guest{functions: entry(loop + loop + "\x0c\x01" + end + end)}, want: deadline()},
		{name: "500 loops in one another", guest: guest{functions: entry(nested)}, want: deadline()},
		{name: "a loop of 400,000 bytes",
			guest: guest{functions: entry(forever(rep(50_000, get(0)+i32(1)+add+set(0)+"\x01")))}, want: deadline()},
		{name: "a loop of 1000 small loops",
			guest: guest{functions: entry(forever(rep(1000, loop+get(0)+"\x0d\x00"+end)))}, want: deadline()},
		{name: "an if that always goes the short way",
			guest: guest{functions: entry(forever(i32(0) + "\x04\x40" + rep(200_000, "\x01"+get(0)+drop) + otherwise + end))},
			want:  deadline()},
		{name: "clock in a loop",
			guest: guest{imports: []string{"clock_time_get"}, functions: entry(forever(clock + drop))}, want: deadline()},
		{name: "sched_yield in a loop",
			guest: guest{imports: []string{"sched_yield"}, functions: entry(forever(call(0) + drop))}, want: deadline()},
		{name: "sched_yield 5000 times in a row",
			guest: guest{imports: []string{"sched_yield"}, functions: entry(forever(rep(5000, call(0)+drop)))},
			want:  deadline()},
		{name: "tail call of itself", guest: guest{functions: entry(tailCall(0))}, want: deadline()},
		{name: "tail calls of each other",
			guest: guest{functions: []function{{code: tailCall(1)}, {code: tailCall(0)}}}, want: deadline()},
		{name: "indirect tail calls",
			guest: guest{functions: []function{{code: i32(1) + "\x13\x00\x00"}, {code: i32(0) + "\x13\x00\x00"}}, tabled: true},
			want:  deadline()},
		// The engine makes an ordinary call of a tail call whose parameters do not fit into registers.
		{name: "tail calls with 100 parameters",
			guest: guest{functions: []function{{code: rep(100, i32(1)) + tailCall(1)},
				{typ: rep(100, "i"), code: params(100) + tailCall(1)}}}, want: tooDeep()},
	}
}

// params pushes the first n parameters.
func params(n int) (code string) {
	for i := range n {
		code += get(i)
	}
	return code
}

// recursions are those by calls, without a loop.
func recursions(int) []attack {
	twice := func(f func(int, ...any) string) func(int) string { return func(n int) string { return f(n) + f(n) } }
	through := func(f int) string { return indirect(f) }
	free := twice(call) // functions that are so short that their callers pay
	many := rep(900, "I")
	return []attack{
		{name: "2^38 calls", guest: guest{functions: chain(39, 0, twice(call), "")}, want: deadline()},
		{name: "2^38 calls with a host call at the leaf",
			guest: guest{imports: []string{"sched_yield"}, functions: chain(39, 1, twice(call), call(0)+drop)},
			want:  deadline()},
		{name: "2^38 indirect calls",
			guest: guest{functions: chain(39, 0,
				func(n int) string { return through(n) + through(n) }, ""), tabled: true}, want: deadline()},
		{name: "20^9 calls of functions that cost nothing themselves",
			guest: guest{functions: chain(9, 0, func(n int) string { return rep(20, call(n)) }, "")}, want: deadline()},
		{name: "5000 functions of 64 units",
			guest: guest{functions: chain(5000, 0,
				func(n int) string { return rep(15, get(0)+drop) + free(n) }, "")}, want: deadline()},
		{name: "2^38 calls in the start section",
			guest: guest{functions: chain(39, 0, twice(call), ""), start: true}, want: deadline()},
		{name: "endless recursion", guest: guest{functions: entry(call(0))}, want: tooDeep()},
		{name: "endless recursion of each other",
			guest: guest{functions: []function{{code: call(1)}, {code: call(0)}}}, want: tooDeep()},
		{name: "endless recursion through a table",
			guest: guest{functions: []function{{code: indirect(1)}, {code: indirect(0)}}, tabled: true}, want: tooDeep()},
		{name: "endless recursion with large frames",
			guest: guest{functions: []function{{code: rep(900, i64(1)) + call(1)},
				{typ: many, locals: locals(1000, v128Type), code: params(900) + call(1)}}}, want: tooDeep()},
		{name: "endless recursion over 40,000 locals",
			guest: guest{functions: []function{{locals: locals(40_000, v128Type), code: call(0) + get(39_999) + drop}}},
			want:  tooDeep()},
		{name: "endless recursion over 900 live vectors",
			guest: guest{functions: []function{{code: rep(900, v128) + call(0) + rep(899, "\xfd\x50") + drop}}},
			want:  tooDeep()},
		{name: "deep recursions in a loop",
			guest: guest{functions: []function{{code: forever(i32(20_000) + call(1))},
				{typ: "i", code: get(0) + "\x04\x40" + get(0) + i32(-1) + add + call(1) + end}}}, want: deadline()},
		{name: "a deep recursion, then a loop",
			guest: guest{functions: []function{{code: i32(50_000) + call(1)},
				{typ: "i", code: get(0) + "\x04\x40" + get(0) + i32(-1) + add + call(1) + otherwise + forever("") + end}}},
			want: deadline()},
		{name: "recursion until it is deep, and in each frame a loop of some turns",
			guest: guest{functions: []function{{code: call(1)}, {code: times(100_000, 0, "") + call(1)}}}, want: tooDeep()},
	}
}
