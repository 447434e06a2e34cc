package compiler

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// childSlack is address space for the stacks of threads and the like, in bytes.
const childSlack = 64 << 20

// cpuSlack is how many seconds of processor time a child may take to end.
const cpuSlack = 3

// limitChild limits how much address space this process takes besides what it has now, which is mostly reserved by
// Go's runtime and costs nothing, and forbids it to leave core files. The kernel kills it when it has taken more
// processor time than it may and has not ended by itself.
func limitChild(l limits) error {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return err
	}
	var pages uint64
	if _, err := fmt.Sscan(string(b), &pages); err != nil {
		return err
	}
	if err := lower(syscall.RLIMIT_CORE, 0); err != nil {
		return err
	}
	if err := lower(syscall.RLIMIT_CPU, uint64(l.cpu/time.Second)+cpuSlack); err != nil {
		return err
	}
	return lower(syscall.RLIMIT_AS, pages*uint64(os.Getpagesize())+l.memory+childSlack)
}

// lower lowers a limit, for good.
func lower(what int, most uint64) error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(what, &l); err != nil {
		return err
	}
	most = min(most, l.Max)
	return syscall.Setrlimit(what, &syscall.Rlimit{Cur: most, Max: most})
}

// childAttr puts a child into a process group of its own, which is killed as a whole, and has it
// killed when the thread that started it dies.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// killChild kills a child and whatever it has started.
func killChild(p *os.Process) error {
	if err := syscall.Kill(-p.Pid, syscall.SIGKILL); err != nil {
		return os.ErrProcessDone
	}
	return nil
}

// pauseChild stops a child, and resumeChild has it go on, from then on after everything else that wants a processor.
func pauseChild(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGSTOP) } // it may have ended
func resumeChild(p *os.Process) {
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.Pid))
	for _, t := range threads {
		if id, err := strconv.Atoi(t.Name()); err == nil {
			_ = syscall.Setpriority(syscall.PRIO_PROCESS, id, slowNice) // those that it starts have it, too
		}
	}
	_ = syscall.Kill(-p.Pid, syscall.SIGCONT)
}

// slowNice is the nice value of children that are not quick.
const slowNice = 5
