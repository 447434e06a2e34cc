//go:build unix

package project

import (
	"os/exec"
	"syscall"
)

// together makes a command and all that it starts a group, so that they end together when its context does.
func together(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
