package module

// preview1Type returns the type of a function of WASI preview1, or "" if there is none of that
// name. The list is that of the specification wasi_snapshot_preview1; a pointer, a size and a
// descriptor are i32, and the result is the error number.
func preview1Type(name string) string {
	switch name {
	case "sched_yield":
		return "() -> (i32)"
	case "proc_exit":
		return "(i32) -> ()"
	case "fd_close", "fd_datasync", "fd_sync", "proc_raise":
		return "(i32) -> (i32)"
	case "args_get", "args_sizes_get", "environ_get", "environ_sizes_get", "clock_res_get", "fd_fdstat_get",
		"fd_fdstat_set_flags", "fd_filestat_get", "fd_prestat_get", "fd_renumber", "fd_tell", "random_get", "sock_shutdown":
		return "(i32, i32) -> (i32)"
	case "fd_prestat_dir_name", "path_create_directory", "path_remove_directory", "path_unlink_file", "sock_accept":
		return "(i32, i32, i32) -> (i32)"
	case "fd_read", "fd_write", "poll_oneoff":
		return "(i32, i32, i32, i32) -> (i32)"
	case "path_filestat_get", "path_symlink", "sock_send":
		return "(i32, i32, i32, i32, i32) -> (i32)"
	case "path_readlink", "path_rename", "sock_recv":
		return "(i32, i32, i32, i32, i32, i32) -> (i32)"
	case "path_link":
		return "(i32, i32, i32, i32, i32, i32, i32) -> (i32)"
	case "clock_time_get":
		return "(i32, i64, i32) -> (i32)"
	case "fd_advise":
		return "(i32, i64, i64, i32) -> (i32)"
	case "fd_allocate", "fd_fdstat_set_rights":
		return "(i32, i64, i64) -> (i32)"
	case "fd_filestat_set_size":
		return "(i32, i64) -> (i32)"
	case "fd_filestat_set_times":
		return "(i32, i64, i64, i32) -> (i32)"
	case "fd_pread", "fd_pwrite", "fd_readdir":
		return "(i32, i32, i32, i64, i32) -> (i32)"
	case "fd_seek":
		return "(i32, i64, i32, i32) -> (i32)"
	case "path_filestat_set_times":
		return "(i32, i32, i32, i32, i64, i64, i32) -> (i32)"
	case "path_open":
		return "(i32, i32, i32, i32, i32, i64, i64, i32, i32) -> (i32)"
	}
	return ""
}
