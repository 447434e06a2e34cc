package project

import "os/exec"

// together leaves it at the command alone: what it has started ends when its output is closed.
func together(*exec.Cmd) {}
