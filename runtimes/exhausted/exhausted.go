// Package exhausted names what a process has run out of: descriptors, memory, mappings, processes, disk. In go errors
// of the system; out comes an [Error] that says which limit was reached and how to raise it.
package exhausted

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// Error says which resource of this process or machine is used up, and what to do about it. It is not the caller's
// fault.
type Error struct {
	Resource string // such as "file descriptors (all 256 are in use)"
	Remedy   string // such as "raise the limit of the process"
	Err      error  // what the system said; nil if it was not asked
}

// Error returns one line for whoever may do something about it.
func (e *Error) Error() string {
	return fmt.Sprintf("this machine has no more %s: %s", e.Resource, e.Remedy)
}

// Unwrap returns what the system said.
func (e *Error) Unwrap() error { return e.Err }

// kinds are the resources, by what the system says when there is no more. A text that contains another comes first.
var kinds = []struct {
	errno    syscall.Errno
	describe func() (resource, remedy string)
}{
	{syscall.ENFILE, func() (string, string) {
		return "files that it can open in all", "raise the system's limit (sysctl fs.file-max)"
	}},
	{syscall.EMFILE, descriptors},
	{syscall.ENOMEM, memory},
	{syscall.ENOSPC, func() (string, string) { return "disk space", "make room in the folders of --cache and --store" }},
	{syscall.EDQUOT, func() (string, string) {
		return "disk space for this user", "raise the quota, or make room in the folders of --cache and --store"
	}},
}

// Of returns an *[Error] if an error of the system in err's chain, or the text of err, says that something is used up.
// The text counts because such errors come from other processes, too. Other errors, and nil, are returned as they are.
func Of(err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	for _, k := range kinds {
		if errors.Is(err, k.errno) || strings.Contains(err.Error(), k.errno.Error()) {
			resource, remedy := k.describe()
			return &Error{Resource: resource, Remedy: remedy, Err: err}
		}
	}
	var start *fs.PathError
	if errors.As(err, &start) && start.Op == "fork/exec" && errors.Is(err, syscall.EAGAIN) {
		return &Error{
			Resource: "processes or threads",
			Remedy:   "raise the limit of the process (ulimit -u, TasksMax=, or that of the container)",
			Err:      err,
		}
	}
	return err
}

// descriptors describes those of the process.
func descriptors() (resource, remedy string) {
	return fmt.Sprintf("file descriptors (the process may have %d)", Limit()),
		"raise the limit (ulimit -n, LimitNOFILE=, or that of the container)"
}

// memory describes what there is too little of if the system gives no memory: that can be mappings or addresses, too.
func memory() (resource, remedy string) {
	if have, most := mappings(); most > 0 && have >= most-8 {
		return fmt.Sprintf("memory mappings (the process has %d of %d)", have, most),
			"raise the limit (sysctl vm.max_map_count), or lower --idle-memory"
	}
	if most := addresses(); most > 0 {
		return fmt.Sprintf("address space (the process may have %d MiB)", most>>20), "raise the limit (ulimit -v, LimitAS=)"
	}
	return "memory", "give the process or its container more, or lower --idle-memory"
}

// least is how many descriptors are kept back for what is there already: connections, calls with large bodies, the
// store.
const least = 32

// Descriptors returns an *Error if something new should not be begun, since hardly any descriptors are left. It costs
// three calls of the system.
func Descriptors() error {
	most := Limit()
	if most == 0 {
		return nil
	}
	f, err := os.Open(os.DevNull) // which gets the lowest number that is free
	if err != nil {
		return Of(err)
	}
	defer f.Close()
	if int(f.Fd()) < most-min(least, most/4) {
		return nil
	}
	resource, remedy := descriptors()
	return &Error{Resource: resource, Remedy: remedy}
}
