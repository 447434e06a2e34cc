//go:build !linux

package compiler

import (
	"os"
	"syscall"
)

// limitChild does nothing: here a child is limited by its time and by Go's own memory limit.
func limitChild(limits) error { return nil }

// childAttr asks for nothing special.
func childAttr() *syscall.SysProcAttr { return nil }

// killChild kills a child.
func killChild(p *os.Process) error { return p.Kill() }

// pauseChild and resumeChild do nothing: a child that is not quick goes on beside the others.
func pauseChild(*os.Process)  {}
func resumeChild(*os.Process) {}
