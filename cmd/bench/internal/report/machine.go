package report

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// Machine says where figures come from, without naming the very machine.
type Machine struct {
	CPU    string // model
	Cores  int
	Kernel string // operating system, its version, and architecture
	Go     string // version
	Date   string
	Load   string // the load average of the last minute, with that of the benchmark; empty if the system does not tell
}

// ThisMachine describes this machine, today.
func ThisMachine() Machine {
	m := Machine{CPU: "unknown processor", Cores: runtime.NumCPU(), Go: runtime.Version(),
		Date: time.Now().UTC().Format(time.DateOnly)}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.CPU = field(string(b), "model name", m.CPU)
	}
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load, _, _ = strings.Cut(string(b), " ")
	}
	release, _ := exec.Command("uname", "-r").Output()
	m.Kernel = strings.TrimSpace(fmt.Sprintf("%s %s", runtime.GOOS, release)) + ", " + runtime.GOARCH
	return m
}

// field returns the value of the first line "name : value", or a default.
func field(text, name, unknown string) string {
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return unknown
}

// String is the machine in one line.
func (m Machine) String() string {
	return fmt.Sprintf("%s, %d cores, %s, %s", m.CPU, m.Cores, m.Kernel, m.Go)
}
