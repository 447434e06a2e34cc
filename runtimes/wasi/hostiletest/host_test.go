package hostiletest

import (
	"io"
	"math"
	"math/bits"
	"strings"
)

// waits are calls that wait, for what does not come.
func waits(pages int) []attack {
	clock := func(after int64, flags uint32) string {
		return words(7, 0, 0, 0, 1, 0, uint32(after), uint32(after>>32), 0, 0, flags, 0)
	}
	read := words(9, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	poll := func(n int) string { return call(0, 64, 32<<10, n, 32) + drop }
	waiting := func(subscriptions, code string) guest {
		return guest{imports: []string{"poll_oneoff"}, functions: entry(code), data: []string{active(64, subscriptions)},
			pages: 2}
	}
	twenty := int64(20e9)
	// Subscriptions to a clock that is far off, as many as memory has room for: they are made by doubling what is
	// there.
	double := times(doublings(pages), 1, get(0)+i32(64)+add+i32(64)+get(0)+copyUp+get(0)+get(0)+add+set(0))
	flood := guest{imports: []string{"poll_oneoff"}, pages: pages, data: []string{active(64, clock(twenty, 0))},
		functions: entry(i32(48) + set(0) + double + call(0, 64, 64, 1<<doublings(pages), 0) + drop + forever(""))}
	return []attack{
		{name: "poll_oneoff for 20 s", guest: waiting(clock(twenty, 0), poll(1)), want: deadline()},
		{name: "poll_oneoff for ever", guest: waiting(clock(-1, 0), poll(1)), want: deadline()},
		{name: "poll_oneoff until the end of time", guest: waiting(clock(math.MaxInt64, 1), poll(1)), want: deadline()},
		{name: "poll_oneoff for a moment long ago, in a loop",
			guest: waiting(clock(1, 1), forever(poll(1))), want: deadline()},
		{name: "poll_oneoff for a nanosecond, in a loop", guest: waiting(clock(1, 0), forever(poll(1))), want: deadline()},
		{name: "poll_oneoff with flags that do not exist, in a loop",
			guest: waiting(clock(1, 0xfffe), forever(poll(1))), want: deadline()},
		{name: "poll_oneoff of stdin that never comes", guest: waiting(read, poll(1)), want: deadline(), stdin: silence},
		{name: "poll_oneoff of stdin that never comes, or 20 s",
			guest: waiting(read+clock(twenty, 0), poll(2)), want: deadline(), stdin: silence},
		{name: "poll_oneoff of stdin that never comes, or a millisecond, in a loop",
			guest: waiting(read+clock(1e6, 0), forever(poll(2))), want: deadline(), stdin: silence},
		{name: "poll_oneoff of 600 subscriptions in a loop",
			guest: waiting(rep(600, read), forever(poll(600))), want: deadline()},
		{name: "poll_oneoff with as many subscriptions as there is memory for", guest: flood, want: deadline()},
		{name: "poll_oneoff whose events lie over its subscriptions",
			guest: waiting(rep(600, clock(1, 1)), forever(call(0, 64, 64, 600, 64)+drop)), want: deadline()},
		{name: "poll_oneoff of 2^32 - 1 subscriptions",
			guest: waiting(read, forever(call(0, 64, 64, -1, 0)+drop)), want: deadline()},
		{name: "fd_read of stdin that never comes",
			guest: reading(call(0, 0, 8, 1, 4) + drop), want: deadline(), stdin: silence},
		{name: "fd_read of stdin that never comes, in the start section",
			guest: atStart(reading(call(0, 0, 8, 1, 4) + drop)), want: deadline(), stdin: silence},
		{name: "fd_read of stdin that never ends",
			guest: reading(forever(call(0, 0, 8, 1, 4) + drop)), want: deadline(), stdin: zeros},
		{name: "fd_read of stdin that comes byte by byte",
			guest: reading(forever(call(0, 0, 8, 1, 4) + drop)), want: deadline(), stdin: func() io.Reader { return drip{} }},
		{name: "fd_read of empty stdin in a loop", guest: reading(forever(call(0, 0, 8, 1, 4) + drop)), want: deadline()},
	}
}

// doublings returns how often a subscription can be doubled in a memory.
func doublings(pages int) int { return bits.Len(uint((pages<<16-64)/48)) - 1 }

// reading is a guest that can read up to 32 KiB at once into 4096.
func reading(code string) guest {
	return guest{imports: []string{"fd_read"}, functions: entry(code), data: []string{active(8, words(4096, 32<<10))}}
}

// atStart makes the entry the start function, too.
func atStart(g guest) guest {
	g.start = true
	return g
}

// silence is a Reader that neither says anything nor ends, before it is closed.
func silence() io.Reader {
	r, w := io.Pipe()
	return &pipe{PipeReader: r, writer: w}
}

// pipe is a pipe that nobody writes to.
type pipe struct {
	*io.PipeReader
	writer *io.PipeWriter
}

// zeros is a Reader that does not end.
func zeros() io.Reader { return endless{} }

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

type drip struct{}

func (drip) Read(b []byte) (int, error) { return min(1, len(b)), nil }

// slowWriter is a Writer without a limit that looks at what it gets.
type slowWriter struct{}

func (slowWriter) Write(b []byte) (int, error) {
	return len(b) + strings.Count(string(b[:min(len(b), 1<<16)]), "\x01")*0, nil
}

// streams are calls that write and read more than anybody wants.
func streams(pages int) []attack {
	write := func(fd int) string { return call(0, fd, 8, 1, 4) + drop }
	writing := func(code string) guest {
		return guest{imports: []string{"fd_write"}, functions: entry(code), data: []string{active(8, words(4096, 32<<10))}}
	}
	// vectors buffers of all the memory each, with one call.
	vectors, size := pages<<16/16, pages<<16
	buffers := loop + get(0) + i32(0) + store + get(0) + i32(size) + "\x36\x02\x04" + get(0) + i32(8) + add + tee(0) +
		i32(8*vectors) + "\x49\x0d\x00" + end
	all := func(name string, fd int) guest {
		return guest{imports: []string{name}, pages: pages,
			functions: entry(buffers + call(0, fd, 0, vectors, size-4) + drop + forever(""))}
	}
	random := guest{imports: []string{"random_get"}, pages: pages, functions: entry(forever(call(0, 0, size) + drop))}
	return []attack{
		{name: "a flood of stdout", guest: writing(forever(write(1))), want: output()},
		{name: "a flood of stderr", guest: writing(forever(write(2))), want: output()},
		{name: "a flood of stdout that nobody limits",
			guest: writing(forever(write(1))), want: deadline(), stdout: io.Discard},
		{name: "a flood of stdout in the start section", guest: atStart(writing(forever(write(1)))), want: output()},
		{name: "writes of nothing",
			guest: guest{imports: []string{"fd_write"}, functions: entry(forever(call(0, 1, 8, 1, 4) + drop))},
			want:  deadline()},
		{name: "writes to what is not there", guest: writing(forever(call(0, 99, 8, 1, 4) + drop)), want: deadline()},
		{name: "fd_write of all the memory, thousands of times in one call",
			guest: all("fd_write", 1), want: either(output(), deadline())},
		{name: "the same to a Writer without a limit", guest: all("fd_write", 1), want: deadline(), stdout: slowWriter{}},
		{name: "fd_read into all the memory, thousands of times in one call",
			guest: all("fd_read", 0), want: deadline(), stdin: zeros},
		{name: "fd_write of 2^29 buffers", guest: writing(forever(call(0, 1, 8, 1<<29, 4) + drop)), want: deadline()},
		{name: "fd_write of buffers that wrap round",
			guest: guest{imports: []string{"fd_write"}, functions: entry(forever(call(0, 1, -8, 2, 4) + drop))},
			want:  deadline()},
		{name: "fd_write of a buffer beyond the end",
			guest: guest{imports: []string{"fd_write"}, functions: entry(forever(call(0, 1, 8, 1, 4) + drop)),
				data: []string{active(8, words(65_535, 0xffff_ffff))}}, want: deadline()},
		{name: "fd_read over its own list",
			guest: guest{imports: []string{"fd_read"}, functions: entry(forever(call(0, 0, 8, 1000, 8) + drop)),
				data: []string{active(8, rep(1000, words(8, 8000)))}}, want: deadline(), stdin: zeros},
		{name: "random_get of all the memory in a loop", guest: random, want: deadline()},
		{name: "random_get of 4 GiB",
			guest: guest{imports: []string{"random_get"}, functions: entry(forever(call(0, 1, -1) + drop))}, want: deadline()},
		{name: "args_get in a loop",
			guest: guest{imports: []string{"args_get"}, pages: 20, functions: entry(forever(call(0, 0, 65_536) + drop))},
			want:  deadline(), args: []string{"fn", rep(1<<20, "x")}},
		{name: "many args_get",
			guest: guest{imports: []string{"args_get"}, pages: 20, functions: entry(forever(call(0, 0, 1<<19) + drop))},
			want:  deadline(), args: many(100_000, "x")},
		{name: "args_get to where no memory is",
			guest: guest{imports: []string{"args_get"}, functions: entry(forever(call(0, -4, -1) + drop))}, want: deadline(),
			args: many(1000, "x")},
		{name: "environ_get to where no memory is",
			guest: guest{imports: []string{"environ_get"}, functions: entry(forever(call(0, -1, -1) + drop))}, want: deadline()},
	}
}

// fileCalls are calls that are after files and descriptors.
func fileCalls(pages int) []attack {
	with := func(path, code string) guest {
		imports := []string{
			"path_open", "fd_close", "fd_readdir", "fd_renumber", "path_filestat_get", "fd_read", "fd_seek",
		}
		return guest{imports: imports, functions: entry(code), pages: 2, data: []string{active(1024, path)}}
	}
	open := func(n int) string { return call(0, 3, 0, 1024, n, 0, int64(0), int64(0), 0, 512) }
	long := rep(2000, "a/") + "b"
	device := func(path string) guest { // below /, which is descriptor 4
		g := with(path,
			call(0, 4, 0, 1024, len(path), 0, int64(0), int64(0), 0, 512)+drop+forever(call(5, i32(512)+load, 8, 1, 4)+drop))
		g.pages, g.data = pages, append(g.data, active(8, words(65_536, uint32(pages-1)<<16)))
		return g
	}
	return []attack{
		{name: "path_open of the same file for ever", guest: with("id", forever(open(2)+drop)), want: deadline()},
		{name: "path_open and fd_close for ever",
			guest: with("id", forever(open(2)+drop+call(1, i32(512)+load)+drop)), want: deadline()},
		{name: "path_open of folders for ever", guest: with("headers", forever(open(7)+drop)), want: deadline()},
		{name: "path_open of a long path", guest: with(long, forever(open(len(long))+drop)), want: deadline()},
		{name: "path_open of a path of 64 KiB", guest: with(rep(65_000, "/"), forever(open(65_000)+drop)), want: deadline()},
		{name: "path_open of ..", guest: with("../etc/passwd", forever(open(13)+drop)), want: deadline()},
		{name: "path_open of a path beyond the end", guest: with("id", forever(open(-1)+drop)), want: deadline()},
		{name: "path_open whose descriptor cannot be written",
			guest: with("id", forever(call(0, 3, 0, 1024, 2, 0, int64(0), int64(0), 0, -1)+drop)), want: deadline()},
		{name: "path_filestat_get for ever",
			guest: with("subject", forever(call(4, 3, 0, 1024, 7, 64)+drop)), want: deadline()},
		{name: "fd_readdir for ever",
			guest: with("headers", open(7)+drop+forever(call(2, i32(512)+load, 4096, 60_000, int64(0), 64)+drop)),
			want:  deadline()},
		{name: "fd_readdir with cookies that are made up",
			guest: with("headers", open(7)+drop+forever(call(2, i32(512)+load, 4096, 60_000, int64(-1), 64)+drop)),
			want:  deadline()},
		{name: "fd_readdir into 24 bytes",
			guest: with("headers", open(7)+drop+forever(call(2, i32(512)+load, 4096, 24, int64(0), 64)+drop)), want: deadline()},
		{name: "path_open down and up a long path",
			guest: with(rep(400, "headers/../")+"id", forever(open(4402)+drop)), want: deadline()},
		{name: "path_open of what is nowhere",
			guest: with(rep(400, "headers/")+"id", forever(open(3202)+drop)), want: deadline()},
		{name: "fd_read of all the memory from /dev/zero", guest: device("dev/zero"), want: deadline()},
		{name: "fd_read of all the memory from /dev/urandom", guest: device("dev/urandom"), want: deadline()},
		{name: "fd_close of everything, again and again", guest: with("", forever(closeAll()+drop)), want: deadline()},
		{name: "fd_renumber of everything over everything",
			guest: with("id", forever(open(2)+drop+call(3, i32(512)+load, 100)+drop+call(3, 0, 1)+drop+
				call(3, 100, 3)+drop+call(3, 100, -1)+drop)), want: deadline()},
		{name: "fd_seek far away and fd_read there",
			guest: with("subject", open(7)+drop+forever(call(6, i32(512)+load, int64(math.MaxInt64), 0, 64)+drop+
				call(5, i32(512)+load, 8, 1, 4)+drop)), want: deadline()},
		{name: "fd_seek before the beginning",
			guest: with("subject", open(7)+drop+forever(call(6, i32(512)+load, int64(math.MinInt64), 1, 64)+drop)),
			want:  deadline()},
	}
}

// closeAll closes the first 200 descriptors and leaves a number.
func closeAll() (code string) {
	for i := range 200 {
		code += call(1, i) + drop
	}
	return code + i32(0)
}

// strange are calls that end in ways of their own.
func strange(int) []attack {
	exit := func(code int) guest { return guest{imports: []string{"proc_exit"}, functions: entry(call(0, code))} }
	return []attack{
		{name: "proc_exit with 2^32 - 1", guest: exit(-1), want: exits(math.MaxUint32)},
		{name: "proc_exit with the engine's code for a deadline", guest: exit(-0x10000001), want: exits(0xefff_ffff)},
		{name: "proc_exit with the engine's code for a cancelled context", guest: exit(-1), want: exits(0xffff_ffff)},
		{name: "proc_exit with 256", guest: exit(256), want: exits(256)},
		{name: "proc_exit in the start section", guest: atStart(exit(3)), want: exits(3)},
		{name: "proc_exit with 0 in the start section", guest: atStart(exit(0)), want: well()},
		{name: "proc_raise in a loop",
			guest: guest{imports: []string{"proc_raise"}, functions: entry(forever(call(0, 9) + drop))}, want: deadline()},
		{name: "the entry called by itself from the start section",
			guest: guest{functions: entry(""), start: true}, want: well()},
		{name: "sockets in a loop",
			guest: guest{imports: []string{"sock_accept"}, functions: entry(forever(call(0, 0, 0, 0) + drop))},
			want:  deadline()},
	}
}
