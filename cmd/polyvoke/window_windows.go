package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// windowSize returns how many lines and columns the terminal has; 24 and 80 if nobody knows.
func windowSize() (lines, columns int) {
	var info windows.ConsoleScreenBufferInfo
	if windows.GetConsoleScreenBufferInfo(windows.Handle(os.Stdout.Fd()), &info) != nil {
		return 24, 80
	}
	return int(info.Window.Bottom-info.Window.Top) + 1, int(info.Window.Right-info.Window.Left) + 1
}
