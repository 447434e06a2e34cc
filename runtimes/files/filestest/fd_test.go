package filestest_test

import (
	"os"
	"strconv"
)

// fd returns the number of an open file.
func fd(f *os.File) string { return strconv.Itoa(int(f.Fd())) }
