//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// windowSize returns how many lines and columns the terminal has; 24 and 80 if nobody knows.
func windowSize() (lines, columns int) {
	size, err := unix.IoctlGetWinsize(int(os.Stdout.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Row == 0 || size.Col == 0 {
		return 24, 80
	}
	return int(size.Row), int(size.Col)
}
