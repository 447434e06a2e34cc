// Package preview1 is the host's side of WASI preview1 for a process that has arguments, an
// environment, stdin, stdout and stderr, clocks, entropy and a tree of files. In go
// the calls of a guest and the [State] of its run; out come error numbers and what the calls
// leave in the guest's memory.
//
// It takes the place of the engine's own functions because the engine's descriptors and arguments cannot be put back:
// a State can, without making anything anew, so that one sandbox can serve many runs. The semantics are those of the
// specification and of wasmtime over a file system that is read only; where they differ, README.md says so, and why.
package preview1

import (
	"context"

	"github.com/tetratelabs/wazero/api"
)

// ModuleName is the name by which guests import the functions.
const ModuleName = "wasi_snapshot_preview1"

// Function is one function of WASI preview1, to be exported by a host module.
type Function struct {
	Name            string
	Params, Results []api.ValueType
	// Call runs the function for the State that its context carries (see State.Begin).
	Call api.GoModuleFunc
}

// call is what a function does. p holds the parameters; the upper half of a 32-bit one is undefined.
type call func(s *State, m memory, p []uint64) errno

// Functions returns all 46 functions.
func Functions() []Function {
	return []Function{
		function("args_get", "ii", argsGet),
		function("args_sizes_get", "ii", argsSizesGet),
		function("clock_res_get", "ii", clockResGet),
		function("clock_time_get", "iIi", clockTimeGet),
		function("environ_get", "ii", environGet),
		function("environ_sizes_get", "ii", environSizesGet),
		function("fd_advise", "iIIi", fdAdvise),
		function("fd_allocate", "iII", fdAllocate),
		function("fd_close", "i", fdClose),
		function("fd_datasync", "i", fdSync),
		function("fd_fdstat_get", "ii", fdFdstatGet),
		function("fd_fdstat_set_flags", "ii", fdFdstatSetFlags),
		function("fd_fdstat_set_rights", "iII", fdFdstatSetRights),
		function("fd_filestat_get", "ii", fdFilestatGet),
		function("fd_filestat_set_size", "iI", fdFilestatSetSize),
		function("fd_filestat_set_times", "iIIi", fdFilestatSetTimes),
		function("fd_pread", "iiiIi", fdPread),
		function("fd_prestat_dir_name", "iii", fdPrestatDirName),
		function("fd_prestat_get", "ii", fdPrestatGet),
		function("fd_pwrite", "iiiIi", fdPwrite),
		reading("fd_read", "iiii", fdRead, fdReadsStdin),
		function("fd_readdir", "iiiIi", fdReaddir),
		function("fd_renumber", "ii", fdRenumber),
		function("fd_seek", "iIii", fdSeek),
		function("fd_sync", "i", fdSync),
		function("fd_tell", "ii", fdTell),
		function("fd_write", "iiii", fdWrite),
		function("path_create_directory", "iii", pathCreateDirectory),
		function("path_filestat_get", "iiiii", pathFilestatGet),
		function("path_filestat_set_times", "iiiiIIi", pathFilestatSetTimes),
		function("path_link", "iiiiiii", pathLink),
		function("path_open", "iiiiiIIii", pathOpen),
		function("path_readlink", "iiiiii", pathReadlink),
		function("path_remove_directory", "iii", pathRemoveDirectory),
		function("path_rename", "iiiiii", pathRename),
		function("path_symlink", "iiiii", pathSymlink),
		function("path_unlink_file", "iii", pathUnlinkFile),
		reading("poll_oneoff", "iiii", pollOneoff, pollReadsStdin),
		{Name: "proc_exit", Params: types("i"), Call: procExit},
		function("proc_raise", "i", unsupported),
		function("random_get", "ii", randomGet),
		function("sched_yield", "", schedYield),
		function("sock_accept", "iii", noSocket),
		function("sock_recv", "iiiiii", noSocket),
		function("sock_send", "iiiii", noSocket),
		function("sock_shutdown", "ii", noSocket),
	}
}

// function describes a function that returns an error number. params has a letter for each parameter.
func function(name, params string, f call) Function {
	return Function{Name: name, Params: types(params), Results: types("i"),
		Call: func(ctx context.Context, mod api.Module, stack []uint64) {
			stack[0] = uint64(f(stateOf(ctx), memoryOf(mod), stack)) // there is room, also without parameters
		}}
}

// reading describes a function that may ask for stdin, as asks tells.
func reading(name, params string, f call, asks func(*State, memory, []uint64) bool) Function {
	plain := function(name, params, f)
	d := plain
	d.Call = func(ctx context.Context, mod api.Module, stack []uint64) {
		s := stateOf(ctx)
		if s.BeforeRead != nil && !s.asked && asks(s, memoryOf(mod), stack) {
			s.asked = true
			s.BeforeRead(ctx, mod, plain.Call, stack)
		}
		plain.Call(ctx, mod, stack)
	}
	return d
}

// types spells out types: i for i32, I for i64.
func types(letters string) []api.ValueType {
	t := make([]api.ValueType, 0, len(letters))
	for _, c := range letters {
		if c == 'i' {
			t = append(t, api.ValueTypeI32)
		} else {
			t = append(t, api.ValueTypeI64)
		}
	}
	return t
}

// unsupported is a function that nobody has.
func unsupported(*State, memory, []uint64) errno { return enotsup }
